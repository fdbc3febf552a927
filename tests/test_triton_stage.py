"""The stage on a GPU against the same maths in torch; without a GPU in Triton's interpreter.

``TRITON_INTERPRET=1 pytest tests/test_triton_stage.py``
"""

from __future__ import annotations

import copy
import os
from typing import NamedTuple

import pytest
import torch
from properties import assert_refused, build_policy, some_edges, uniform
from torch import Tensor

from badger_graph import Edges, GRUPolicy

triton = pytest.importorskip("triton", reason="needs Triton")

from badger_graph.executors.adjacency import adjacency  # noqa: E402
from badger_graph.executors.prepare import prepare  # noqa: E402
from badger_graph.executors.triton_stage import Inputs, gru_stage  # noqa: E402

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
DEVICE = torch.device("cuda" if torch.cuda.is_available() and not INTERPRETED else "cpu")

runs = pytest.mark.skipif(
    DEVICE.type == "cpu" and not INTERPRETED,
    reason="needs a CUDA device, or TRITON_INTERPRET=1",
)
needs_cuda = pytest.mark.skipif(DEVICE.type == "cpu", reason="needs a CUDA device")


class Case(NamedTuple):
    """Sizes of a batch of agents and of a policy."""

    batch_size: int = 2
    num_experts: int = 10
    num_edges: int = 60
    hidden: int = 32
    message: int = 16
    percept: int = 4
    identifier: int = 12


CASES = [
    pytest.param(Case(), id="typical"),
    pytest.param(Case(num_edges=9), id="most-isolated"),
    pytest.param(Case(num_edges=0), id="all-isolated"),
    pytest.param(Case(1, 1, 3), id="one-expert"),
    pytest.param(Case(3, 7, 40, hidden=5, message=3, percept=1, identifier=0), id="odd"),
    pytest.param(Case(1, 1, 0, hidden=1, message=1, percept=1, identifier=0), id="least"),
    pytest.param(Case(hidden=48, message=40, identifier=3), id="two-parts"),
    pytest.param(Case(10, 30, 1200), id="several-blocks-a-program"),
]

DIFFERENTIABLE = (0, 1, 2, 5, *range(9, 17))
"""The arguments of the stage that gradients reach."""


def arguments(case: Case, edges: Edges | None = None, seed: int = 0) -> list[Tensor]:
    """Arguments of the stage in float64."""
    nodes, size = case.batch_size * case.num_experts, case.hidden
    edges = edges or some_edges(case.batch_size, case.num_experts, case.num_edges, seed)
    inputs = case.message + case.percept + case.identifier
    shapes = [(2 * size, size), (2 * size,), (case.message, 2 * size), (case.message,)]
    shapes += [(3 * size, inputs), (3 * size,), (3 * size, size), (3 * size,)]
    values = (
        uniform(seed + 2, nodes, size),
        uniform(seed + 3, nodes, case.percept),
        uniform(seed + 4, nodes, case.identifier),
        *adjacency(edges, nodes),
        *(uniform(seed + 5 + k, *shape) / size**0.5 for k, shape in enumerate(shapes)),
    )
    return [value.to(DEVICE) for value in values]


def by_hand(*values: Tensor) -> Tensor:
    """The stage in plain torch, formula by formula."""
    hidden, percept, identifier, source, start, coefficient, *_ = values
    w1, b1, w2, b2, w_ih, b_ih, w_hh, b_hh = values[9:]
    sent = (hidden @ w1.T + b1).tanh() @ w2.T + b2
    target = torch.arange(len(hidden), device=hidden.device).repeat_interleave(start.diff())
    received = torch.zeros_like(sent).index_add(0, target, coefficient[:, None] * sent[source])
    i_r, i_z, i_n = (torch.cat([received, percept, identifier], 1) @ w_ih.T + b_ih).chunk(3, 1)
    h_r, h_z, h_n = (hidden @ w_hh.T + b_hh).chunk(3, 1)
    r, z = (i_r + h_r).sigmoid(), (i_z + h_z).sigmoid()
    n = (i_n + r * h_n).tanh()
    return n + z * (hidden - n)


def leaves(values: list[Tensor], dtype: torch.dtype = torch.float32) -> list[Tensor]:
    """Copies in a precision; those that gradients reach ask for them."""
    return [
        value.to(dtype, copy=True).requires_grad_(k in DIFFERENTIABLE)
        if value.is_floating_point()
        else value
        for k, value in enumerate(values)
    ]


def gradients(after: Tensor, values: list[Tensor]) -> list[Tensor]:
    """Of a fixed linear function of the states."""
    differentiable = [values[k] for k in DIFFERENTIABLE]
    return list(torch.autograd.grad(after, differentiable, uniform(99, *after.shape).to(after)))


def assert_as_exact(found: list[Tensor], reference: list[Tensor], truth: list[Tensor]) -> None:
    """As close to the truth as the reference in the same precision, at its worst."""

    def errors(values: list[Tensor]) -> list[float]:
        pairs = zip(values, truth, strict=True)
        tiny = torch.finfo(torch.float32).tiny
        return [float((value - true).norm() / (true.norm() + tiny)) for value, true in pairs]

    assert [value.shape for value in found] == [true.shape for true in truth]
    assert max(errors(found)) <= 3 * max(errors(reference)) + 5e-7


def assert_same_as_by_hand(exact: list[Tensor]) -> None:
    results = []
    for stage, dtype in (
        (gru_stage, torch.float32),
        (by_hand, torch.float32),
        (by_hand, torch.float64),
    ):
        values = leaves(exact, dtype)
        after = stage(*values)
        results.append([after.detach(), *gradients(after, values)])
    assert_as_exact(*results)


@runs
@pytest.mark.parametrize("case", CASES)
def test_same_as_by_hand(case: Case) -> None:
    assert_same_as_by_hand(arguments(case))


@runs
def test_one_speaks_to_all_and_hears_all() -> None:
    """Many more edges at one expert than at the others, in both directions."""
    others = torch.arange(1, 40)
    spoke = torch.stack([torch.zeros_like(others), others])
    edges = Edges(torch.cat([spoke, spoke.flip(0)], dim=1), uniform(1, 78))
    assert_same_as_by_hand(arguments(Case(1, 40), edges))


@runs
@pytest.mark.parametrize("scale", [0.0, 1e-3, 100.0])
def test_small_and_saturated_states(scale: float) -> None:
    """No digits lost near zero, nothing infinite far from it."""
    values = arguments(Case())
    for k in (0, 1, 2, *range(9, 17)):
        values[k] *= scale
    assert_same_as_by_hand(values)


@runs
@pytest.mark.parametrize("rounds", [1, 2])
def test_same_as_the_policy_through_pyg(rounds: int) -> None:
    """States, and gradients of the weights of edges and of the policy, which rounds share."""
    torch.manual_seed(0)
    sizes = {"identifier_size": 3, "hidden_size": 12, "message_size": 5}
    policy = build_policy(GRUPolicy, **sizes).to(DEVICE)
    index, edge_weight = (part.to(DEVICE) for part in some_edges(3, 8, 50))
    hidden, percept, identifier = (
        uniform(seed, 24, size).to(DEVICE) for seed, size in ((2, 12), (3, 4), (4, 3))
    )

    def run(stage: bool, dtype: torch.dtype) -> list[Tensor]:
        same, weight = copy.deepcopy(policy).to(dtype), edge_weight.to(dtype).requires_grad_()
        shown = percept.to(dtype), identifier.to(dtype)
        edges = Edges(index, weight)
        neighbours, reference = adjacency(edges, 24), prepare(edges, 3, 8, "reference", same)
        weights = same.weights()[:8]
        after = hidden.to(dtype)
        for _ in range(rounds):
            if stage:
                after = gru_stage(after, *shown, *neighbours, *weights)
            else:
                after, _ = reference.round(same, after, *shown)
        used = [weight, *weights]
        return [after.detach(), *torch.autograd.grad(after.square().sum(), used)]

    truth = run(False, torch.float64)
    assert_as_exact(run(True, torch.float32), run(False, torch.float32), truth)


@runs
def test_two_calls_in_flight_and_the_same_bits_again() -> None:
    first, second = (leaves(arguments(Case(), seed=seed)) for seed in (0, 50))
    alone = [gradients(gru_stage(*values), values) for values in (first, second)]
    after_first, after_second = gru_stage(*first), gru_stage(*second)
    together = [gradients(after_first, first), gradients(after_second, second)]
    torch.testing.assert_close(together, alone, rtol=0, atol=0)


@runs
def test_without_gradient_nothing_is_kept() -> None:
    values = leaves(arguments(Case()))
    with torch.no_grad():
        after = gru_stage(*values)
    assert after.grad_fn is None
    assert torch.equal(after, gru_stage(*values))


@runs
def test_strides_do_not_matter() -> None:
    """Neither of the inputs nor of the gradient, which a sum makes an expanded number."""
    values = leaves(arguments(Case()))
    strided = [
        torch.stack([v.detach(), v.detach()], dim=-1)[..., 0].requires_grad_(v.requires_grad)
        for v in values
    ]
    ask = list(DIFFERENTIABLE)
    found, expected = (
        torch.autograd.grad(gru_stage(*inputs).sum(), [inputs[k] for k in ask])
        for inputs in (strided, values)
    )
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


@runs
def test_no_expert() -> None:
    edges = Edges(torch.zeros(2, 0, dtype=torch.long), uniform(0, 0))
    values = leaves(arguments(Case(num_experts=0), edges))
    after = gru_stage(*values)
    assert after.shape == (0, 32)
    assert not any(gradient.any() for gradient in gradients(after, values))


@runs
def test_operators_keep_their_promises() -> None:
    """Schema, autograd registration, and shapes under tracing with any sizes."""
    values = leaves(arguments(Case()))
    operators = torch.ops.badger_graph
    torch.library.opcheck(operators.gru_stage_triton, values)
    with torch.no_grad():
        values = [value.detach() for value in values]
        grad = torch.ones_like(values[0])
        for learns_coefficient in (True, False):
            arguments_back = (grad, learns_coefficient, *values)
            torch.library.opcheck(operators.gru_stage_triton_backward, arguments_back)


@runs
def test_compiles_into_one_graph_for_any_number_of_experts() -> None:
    torch._dynamo.reset()
    compiled = torch.compile(gru_stage, fullgraph=True, dynamic=True, backend="aot_eager")
    with torch._dynamo.config.patch(error_on_recompile=True):
        for case in (Case(), Case(3, 11, 70)):
            values = leaves(arguments(case))
            after, expected = compiled(*values), gru_stage(*values)
            torch.testing.assert_close(after, expected, rtol=0, atol=0)
            found, right = gradients(after, values), gradients(expected, values)
            torch.testing.assert_close(found, right, rtol=0, atol=0)


@runs
def test_no_second_derivative() -> None:
    """Refused, not wrong."""
    values = leaves(arguments(Case()))
    (first,) = torch.autograd.grad(gru_stage(*values).sum(), [values[0]], create_graph=True)
    with pytest.raises(RuntimeError, match="gru_stage_triton_backward"):
        torch.autograd.grad(first.sum(), [values[0]])


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("hidden", torch.zeros(20, 32).double(), r"torch\.float32 in this .* torch\.float64"),
        ("hidden", torch.zeros(20), "have 2 dimensions, got 1"),
        ("percept", torch.zeros(20, 4, device="meta"), "on the device of hidden, .*, got meta"),
        ("source", torch.zeros(60).long(), r"torch\.int32 in this .* torch\.int64"),
        ("start", torch.zeros(20).int(), r"shape \(21,\), got \(20,\)"),
        ("w2", torch.zeros(16, 64).bfloat16(), r"torch\.float32 in this .* torch\.bfloat16"),
        ("w_ih", torch.zeros(96, 31), r"shape \(96, 32\), got \(96, 31\)"),
    ],
)
def test_wrong_inputs_are_refused(name: str, value: Tensor, message: str) -> None:
    values = dict(zip(Inputs._fields, leaves(arguments(Case())), strict=True))
    values[name] = value if value.is_meta else value.to(DEVICE)
    assert_refused(f"{name} must .*{message}", lambda: gru_stage(*values.values()))


@pytest.mark.cuda
@needs_cuda
def test_replayed_from_a_cuda_graph() -> None:
    """Forward and backward in one graph, run again on other states."""
    values = leaves(arguments(Case()))

    def step() -> list[Tensor]:
        after = gru_stage(*values)
        return [after.detach(), *gradients(after, values)]

    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = step()
    with torch.no_grad():
        values[0].mul_(-0.5)
    graph.replay()
    torch.testing.assert_close(captured, step(), rtol=0, atol=0)


@pytest.mark.skipif(INTERPRETED, reason="kernels are not compiled under TRITON_INTERPRET=1")
@pytest.mark.parametrize("capability", [80, 90, 120])
def test_kernels_compile_for_devices_that_are_not_here(
    capability: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the interpreter cannot tell: the compiler takes them, and tiles fit on the chip."""
    launches = []
    monkeypatch.setattr(
        triton.runtime.JITFunction,
        "run",
        lambda kernel, *values, grid, warmup, **named: launches.append((kernel, values, named)),
    )
    values = leaves(arguments(Case(message=32)))
    gradients(gru_stage(*values), values)
    assert len(launches) == 6
    target = triton.backends.compiler.GPUTarget("cuda", capability, 32)
    for kernel, values, named in launches:
        of_launch = {name: named.pop(name) for name in ("num_warps", "num_stages")}
        types = {torch.float32: "*fp32", torch.int32: "*i32"}
        signature = {
            name: types[value.dtype] if isinstance(value, Tensor) else "i32"
            for name, value in zip(kernel.arg_names, values, strict=False)
        } | dict.fromkeys(named, "constexpr")
        source = triton.compiler.ASTSource(
            kernel, {name: signature[name] for name in kernel.arg_names}, named
        )
        compiled = triton.compile(source, target=target, options=of_launch)
        assert compiled.metadata.shared <= 48 * 1024, kernel.__name__
        assert "mma" not in compiled.asm["ptx"], f"{kernel.__name__} rounds to TF32"
