"""The fused stage in whatever a user may do to it; that it is right is in ``test_policies.py``."""

from __future__ import annotations

import copy
import gc
import itertools
import math
import typing
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

import pytest
import torch
from properties import (
    GAME,
    Inputs,
    Stage,
    assert_agrees_with_reference,
    assert_as_exact_as_reference,
    assert_near,
    build_policy,
    fresh,
    in_double,
    live_tensors,
    outcome,
    seeded,
    some_edges,
    some_inputs,
    some_task,
    uniform,
)
from torch import Tensor

from badger_graph import (
    BadgerAgent,
    Edges,
    GRUPolicy,
    GuessingGame,
    unroll,
)
from badger_graph.executors.fused import pack
from badger_graph.executors.prepare import ExecutorName, prepare
from badger_graph.rollout import live
from benchmarks.memory import peak_growth
from topologies import RandomTopology

pytestmark = pytest.mark.native

FUZZED = 300
"""Calls of each operator with something wrong."""

LARGE = 8200
"""More experts than a stage keeps a trace of: what it needs is computed again."""


def make(hidden_size: int = 6, seed: int = 0, dtype: torch.dtype = torch.float64) -> GRUPolicy:
    torch.manual_seed(seed)
    sizes = {"identifier_size": 3, "hidden_size": hidden_size, "message_size": 5}
    return build_policy(GRUPolicy, **sizes).to(dtype)


def agent_with(
    policy: GRUPolicy, executor: ExecutorName = "fused", topology: RandomTopology | None = None
) -> BadgerAgent:
    """An agent of this very policy."""
    sizes = {"identifier_size": policy.identifier_size, "hidden_size": policy.hidden_size}
    topology = topology or RandomTopology(2)
    return BadgerAgent(GAME, lambda **_: policy, topology, executor=executor, **sizes)


def gradients(loss: Tensor, policy: GRUPolicy, **arguments: bool) -> dict[str, Tensor]:
    names, parameters = zip(*policy.named_parameters(), strict=True)
    return dict(zip(names, torch.autograd.grad(loss, parameters, **arguments), strict=True))


def lives(
    policy: GRUPolicy, executor: ExecutorName, steps: int = 3, num_experts: int = 5
) -> Tensor:
    """The error of a rollout, in float64."""
    return unroll(
        agent_with(policy, executor), some_task(), num_experts, steps, seeded(0)
    ).loss.sum()


@contextmanager
def threads(number: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


# --------------------------------------------------------------------------------- two regimes


@pytest.mark.parametrize("num_experts", [8192, 8193, LARGE])
def test_large_stages_agree_with_the_reference(num_experts: int) -> None:
    edges = some_edges(1, num_experts, 3 * num_experts)
    assert_agrees_with_reference(make(4), "fused", edges, 1, num_experts)


def test_a_large_stage_is_as_exact_as_the_reference_in_single_precision() -> None:
    edges = some_edges(1, LARGE, 4 * LARGE)
    assert_as_exact_as_reference(make(4), "fused", edges, 1, LARGE)


@pytest.mark.parametrize("nodes", [1, 31, 1500, LARGE])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_any_number_of_threads_gives_the_same_bits(nodes: int, dtype: torch.dtype) -> None:
    policy, edges = make(4, dtype=dtype), some_edges(1, nodes, 3 * nodes)
    inputs = some_inputs(policy, edges, nodes)
    runs = []
    for number in (1, 2, 3):
        with threads(number):
            runs.append(outcome(policy, "fused", inputs, edges.index, 1))
    for run in runs[1:]:
        assert all(torch.equal(run[name], value) for name, value in runs[0].items())


# ------------------------------------------------------------------------ what gradients ask for


WANTED = [*Inputs._fields, "weights"]

PARAMETERS = [name for name, _ in make().named_parameters()]


@pytest.mark.parametrize("nodes", [9, LARGE])
@pytest.mark.parametrize(
    "wanted", [[name] for name in WANTED] + [["hidden", "weights"], ["percept", "weight"]], ids=str
)
def test_only_the_gradients_that_are_asked_for(nodes: int, wanted: list[str]) -> None:
    """Each by itself is what it is among all."""
    policy, edges = make(4), some_edges(1, nodes, 2 * nodes)
    inputs = some_inputs(policy, edges, nodes)
    expected = outcome(policy, "reference", inputs, edges.index, 1)
    policy.requires_grad_("weights" in wanted)
    found = outcome(policy, "fused", inputs, edges.index, 1, wanted=wanted)
    assert len(found) == 2 + len(wanted) + ("weights" in wanted) * (len(PARAMETERS) - 1)
    assert_near(found, {name: expected[name] for name in found})


@pytest.mark.parametrize("what", [0, 1], ids=["state", "said"])
def test_a_gradient_of_only_one_result(what: int) -> None:
    policy, edges = make(), some_edges(2, 5, 20)
    inputs = some_inputs(policy, edges, 10)

    def found(executor: ExecutorName) -> dict[str, Tensor]:
        given = fresh(inputs)
        prepared = prepare(Edges(edges.index, given.weight), 2, 5, executor, policy)
        result = Stage(policy)(given, prepared)[what].sin().sum()
        return dict(zip(given._fields, torch.autograd.grad(result, given), strict=True))

    assert_near(found("fused"), found("reference"))


def test_nothing_is_kept_when_nothing_asks_for_a_gradient() -> None:
    policy, edges = make().requires_grad_(False), some_edges(2, 5, 20)
    inputs = some_inputs(policy, edges, 10)
    prepared = prepare(edges, 2, 5, "fused", policy)
    after, said = Stage(policy)(inputs, prepared)
    assert not after.requires_grad
    assert not said.requires_grad
    with torch.no_grad():
        unkept, _ = Stage(policy.requires_grad_())(fresh(inputs), prepared)
    assert not unkept.requires_grad
    assert torch.equal(unkept, after)


def test_whoever_holds_a_gradient_keeps_it() -> None:
    """The stage writes over the gradient of its state only where nobody else can see it."""
    policy, edges = make(), some_edges(2, 5, 20)
    inputs, prepared = some_inputs(policy, edges, 10), prepare(edges, 2, 5, "fused", policy)
    cotangent = uniform(9, 2, 10, 6)

    def run(executor: ExecutorName) -> list[Tensor]:
        hidden, percept, identifier, _ = fresh(inputs)
        prepared = prepare(edges, 2, 5, executor, policy)
        states, seen = [hidden], []
        for _ in range(3):
            states.append(prepared.round(policy, states[-1], percept, identifier)[0])
            states[-1].retain_grad()
            states[-1].register_hook(seen.append)
        (states[-1] + states[-2]).backward(cotangent[1])
        return [*(state.grad for state in states), *seen]

    before = cotangent.clone()
    for actual, expected in zip(run("fused"), run("reference"), strict=True):
        torch.testing.assert_close(actual, expected, rtol=1e-9, atol=1e-12)
    assert torch.equal(cotangent, before)
    after, _ = prepared.round(policy, *fresh(inputs)[:3])
    after.backward(cotangent[0])
    assert torch.equal(cotangent, before)


def test_second_derivatives_are_refused() -> None:
    policy, edges = make(), some_edges(2, 5, 20)
    inputs = fresh(some_inputs(policy, edges, 10))
    after, said = Stage(policy)(inputs, prepare(edges, 2, 5, "fused", policy))
    with pytest.raises(RuntimeError, match=r"first derivatives only.*executor='dense'"):
        torch.autograd.grad(said.sum() + after.sum(), inputs.hidden, create_graph=True)


@in_double
def test_a_second_backward_pass_is_the_first_once_more() -> None:
    policy = make()
    loss = lives(policy, "fused")
    first = gradients(loss, policy, retain_graph=True)
    again = gradients(loss, policy)
    assert all(torch.equal(first[name], again[name]) for name in first)
    with pytest.raises(RuntimeError, match="second time"):
        gradients(loss, policy)


# ------------------------------------------------------------------------- what it is called with


@pytest.mark.parametrize("nodes", [10, LARGE])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_inputs_that_do_not_lie_in_one_piece(nodes: int, dtype: torch.dtype) -> None:
    policy, edges = make(4, dtype=dtype), some_edges(1, nodes, 2 * nodes)
    packed = Inputs(*(value.to(dtype) for value in some_inputs(policy, edges, nodes)))
    prepared = prepare(Edges(edges.index, packed.weight), 1, nodes, "fused", policy)
    expected = Stage(policy)(packed, prepared)
    hidden = packed.hidden.t().contiguous().t()
    percept = torch.stack([packed.percept] * 2, dim=1)[:, 1]
    identifier = torch.cat([packed.identifier, packed.identifier], dim=1)[:, :3]
    pieces = Inputs(hidden, percept, identifier, packed.weight)
    assert not any(value.is_contiguous() for value in pieces[:3])
    for actual, value in zip(Stage(policy)(pieces, prepared), expected, strict=True):
        assert torch.equal(actual, value)

    shared = packed.identifier[:1].expand(nodes, -1), packed.percept[:1].expand(nodes, -1)
    expanded, _ = prepared.round(policy, hidden, shared[1], shared[0])
    cloned, _ = prepared.round(policy, hidden, shared[1].clone(), shared[0].clone())
    assert torch.equal(expanded, cloned)


def test_gradients_of_inputs_that_do_not_lie_in_one_piece() -> None:
    policy, edges = make(), some_edges(2, 5, 20)
    inputs = some_inputs(policy, edges, 10)
    wide = [torch.cat([value, value], dim=1).requires_grad_() for value in inputs[:3]]

    def found(executor: ExecutorName) -> tuple[Tensor, ...]:
        parts = [value[:, value.size(1) // 2 :] for value in wide]
        after, said = Stage(policy)(
            Inputs(*parts, inputs.weight), prepare(edges, 2, 5, executor, policy)
        )
        # Of a transpose, so that the gradient does not lie in one piece either.
        return torch.autograd.grad((after.t() @ said.sin()[:, None]).sum(), wide)

    torch.testing.assert_close(found("fused"), found("reference"), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("executor", ["reference", "fused"])
@pytest.mark.parametrize("rounds", [1, 2, 3])
def test_what_is_not_a_number_is_not_hidden(executor: ExecutorName, rounds: int) -> None:
    """It spreads to whom it can reach along the path 0 -> 1 -> 2 -> 3 -> 4, and no further."""
    for dtype, which in itertools.product((torch.float32, torch.float64), range(3)):
        policy = make(dtype=dtype)
        path = Edges(torch.tensor([[0, 1, 2, 3], [1, 2, 3, 4]]), torch.ones(4, dtype=dtype))
        inputs = Inputs(*(value.to(dtype) for value in some_inputs(policy, path, 5)))
        prepared = prepare(path, 1, 5, executor, policy)
        healthy = Stage(policy, rounds)(inputs, prepared)
        inputs[which][0, -1] = torch.nan
        # A state reaches its neighbour in the first round, an input only then its own state.
        reached = torch.arange(5) < (rounds + 1 if which == 0 else rounds)
        for sick, well in zip(Stage(policy, rounds)(inputs, prepared), healthy, strict=True):
            sick, well = sick.view(5, -1), well.view(5, -1)
            assert sick[reached].isnan().all()
            assert torch.equal(sick[~reached], well[~reached])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [1e3, 1e8])
def test_huge_states_saturate(dtype: torch.dtype, size: float) -> None:
    policy, edges = make(dtype=dtype), some_edges(1, 5, 12)
    inputs = some_inputs(policy, edges, 5)
    inputs = Inputs(*(value.to(dtype) for value in inputs))
    inputs = inputs._replace(hidden=inputs.hidden * size, percept=inputs.percept * size)
    actual, expected = (
        outcome(policy, executor, inputs, edges.index, 1) for executor in ("fused", "reference")
    )
    for name, value in expected.items():
        assert value.isfinite().all()
        atol = 1e-6 * max(1.0, float(value.abs().max()))
        torch.testing.assert_close(actual[name], value, rtol=1e-4, atol=atol)


# -------------------------------------------------------------------------- rollouts in the large


@in_double
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_two_rollouts_in_flight(order: tuple[int, int]) -> None:
    """Step by step in turn, then backward in either order: as if each had been alone."""
    policy, sizes = make(), (5, 8)
    agent = agent_with(policy)
    both = [live(agent, some_task(), size, seeded(0)) for size in sizes]
    moments = [[next(life) for life in both] for _ in range(3)]
    losses = [sum(one.loss.sum() for one in life) for life in zip(*moments, strict=True)]
    found = {which: gradients(losses[which], policy) for which in order}
    for which, size in enumerate(sizes):
        alone = lives(policy, "reference", num_experts=size)
        assert_near(found[which], gradients(alone, policy))


@in_double
@pytest.mark.parametrize("checkpoint_every", [None, 2])
def test_an_exception_in_the_middle_leaves_the_next_rollout_alone(
    checkpoint_every: int | None,
) -> None:
    policy, broken, taken = make(), some_task(), itertools.count()
    agent, usual = agent_with(policy), broken.step
    expected = gradients(lives(policy, "reference"), policy)

    def step(*given: typing.Any) -> typing.Any:
        if next(taken) == 2:
            raise FloatingPointError("the world ended")
        return usual(*given)

    broken.step = step
    with pytest.raises(FloatingPointError, match="the world ended"):
        unroll(agent, broken, 5, 4, seeded(0), checkpoint_every=checkpoint_every)
    task = some_task()
    loss = unroll(agent, task, 5, 3, seeded(0), checkpoint_every=checkpoint_every).loss.sum()
    assert_near(gradients(loss, policy), expected)


@in_double
def test_inference_first_then_training() -> None:
    policy = make()
    expected = gradients(lives(policy, "reference"), policy)
    for mode in (torch.inference_mode, torch.no_grad):
        with mode():
            looked_at = lives(policy, "fused")
        assert not looked_at.requires_grad
        assert_near(gradients(lives(policy, "fused"), policy), expected)
        with mode():
            assert torch.equal(lives(policy, "fused"), looked_at)


# --------------------------------------------------------------- weights that change in between


def step_of(optimiser: type[torch.optim.Optimizer], **arguments: bool) -> typing.Any:
    def change(policy: GRUPolicy) -> None:
        chosen = optimiser(policy.parameters(), lr=0.1, **arguments)
        lives(policy, "reference").backward()
        chosen.step()

    return change


def replace(policy: GRUPolicy) -> None:
    policy.message_mlp[0].weight = torch.nn.Parameter(uniform(5, 12, 6))


def from_vector(policy: GRUPolicy) -> None:
    vector = torch.nn.utils.parameters_to_vector(policy.parameters())
    torch.nn.utils.vector_to_parameters(1.5 * vector, policy.parameters())


CHANGES = {
    "adam": step_of(torch.optim.Adam),
    "adam, for each": step_of(torch.optim.Adam, foreach=True),
    "adam, fused": step_of(torch.optim.Adam, fused=True),
    "sgd, one by one": step_of(torch.optim.SGD, foreach=False),
    "added to in place": torch.no_grad()(lambda policy: policy.cell.weight_hh.add_(0.3)),
    "added to as data": lambda policy: policy.cell.weight_ih.data.add_(0.3),
    "readout": torch.no_grad()(lambda policy: policy.readout.bias.add_(0.3)),
    "replaced": replace,
    "from a vector": from_vector,
    "loaded": lambda policy: policy.load_state_dict(make(seed=1).state_dict()),
    "assigned": lambda policy: policy.load_state_dict(make(seed=1).state_dict(), assign=True),
}


@in_double
@pytest.mark.parametrize("change", CHANGES)
def test_changed_weights_are_noticed(change: str) -> None:
    policy = make()
    before = lives(policy, "fused")
    CHANGES[change](policy)
    after = lives(policy, "fused")
    assert not torch.allclose(before, after)
    torch.testing.assert_close(after, lives(policy, "reference"), rtol=1e-12, atol=1e-12)
    assert_near(gradients(after, policy), gradients(lives(policy, "reference"), policy))


def test_a_policy_in_another_precision() -> None:
    policy, edges = make(dtype=torch.float32), some_edges(2, 5, 20)
    inputs = Inputs(*(value.float().double() for value in some_inputs(policy, edges, 10)))
    for change in (GRUPolicy.double, GRUPolicy.float, GRUPolicy.double):
        expected = outcome(copy.deepcopy(policy).double(), "reference", inputs, edges.index, 2)
        actual = outcome(change(policy), "fused", inputs, edges.index, 2)
        exact = {"rtol": 1e-9, "atol": 1e-12} if change is GRUPolicy.double else {}
        for name, value in expected.items():
            torch.testing.assert_close(actual[name], value, check_dtype=False, **exact)


@in_double
def test_a_frozen_policy_and_a_thawed_one() -> None:
    policy, edges = make(), some_edges(2, 5, 20)
    inputs, prepared = some_inputs(policy, edges, 10), prepare(edges, 2, 5, "fused", policy)
    expected = outcome(policy, "reference", inputs, edges.index, 2)
    for _ in range(2):
        policy.requires_grad_(False)
        found = outcome(policy, "fused", inputs, edges.index, 2)
        assert len(found) == 2 + len(inputs)
        assert_near(found, {name: expected[name] for name in found})
        assert not Stage(policy)(inputs, prepared)[0].requires_grad
        policy.requires_grad_(True)
        assert_near(outcome(policy, "fused", inputs, edges.index, 2), expected)


def test_weights_called_in_for_one_call() -> None:
    """``functional_call``: their gradients are right, and the policy's own weights stay."""
    policy, other, edges = make(), make(seed=1), some_edges(2, 5, 20)
    inputs = some_inputs(policy, edges, 10)
    own = outcome(policy, "fused", inputs, edges.index, 2)

    def found(executor: ExecutorName) -> dict[str, Tensor]:
        doubled = {n: (2 * p).detach().requires_grad_() for n, p in other.named_parameters()}
        called = {f"policy.{name}": value.tanh() for name, value in doubled.items()}
        arguments = (inputs, prepare(edges, 2, 5, executor, policy))
        after, said = torch.func.functional_call(Stage(policy), called, arguments)
        values = torch.autograd.grad(after.sum() + said.sin().sum(), list(doubled.values()))
        return {"after": after, **dict(zip(doubled, values, strict=True))}

    assert_near(found("fused"), found("reference"))
    again = outcome(policy, "fused", inputs, edges.index, 2)
    assert all(torch.equal(again[name], value) for name, value in own.items())


@in_double
def test_a_copy_of_a_policy_has_weights_of_its_own() -> None:
    policy = make()
    before = lives(policy, "fused").detach()
    other = copy.deepcopy(policy)
    assert torch.equal(lives(other, "fused"), before)
    other.load_state_dict(make(seed=1).state_dict())
    assert torch.equal(lives(policy, "fused"), before)
    torch.testing.assert_close(lives(other, "fused"), lives(other, "reference"))
    assert not torch.allclose(lives(other, "fused"), before)


def test_a_policy_that_nobody_needs_is_let_go() -> None:
    policy = make(dtype=torch.float32)
    lives(policy, "fused").backward()
    gone = weakref.ref(policy)
    del policy
    gc.collect()
    assert gone() is None


# ------------------------------------------------------------------------------ how much is kept


def kept_bytes(policy: GRUPolicy, num_experts: int, degree: int, steps: int) -> int:
    """Bytes of the tensors that a rollout keeps for its backward pass, each counted once."""
    agent = agent_with(policy, topology=RandomTopology(degree))
    task, kept = some_task(batch_size=1), {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        rollout = unroll(agent, task, num_experts, steps, seeded(0))
    rollout.loss.sum().backward()  # until here nothing that was counted was let go
    return sum(kept.values())


@pytest.mark.parametrize("degree", [4, 32])
def test_a_large_stage_keeps_little_more_than_the_states(degree: int) -> None:
    """At most 4 H + 64 bytes for each expert and step, whatever the degree."""
    policy = build_policy(GRUPolicy, message_size=32)
    few, many = (kept_bytes(policy, LARGE, degree, steps) for steps in (2, 10))
    per_step = (many - few) / 8 / LARGE
    assert 4 * 32 <= per_step <= 4 * 32 + 64


def test_outer_steps_leave_nothing_behind() -> None:
    others = live_tensors()  # held, or what other tests left could go meanwhile
    policy = make(dtype=torch.float32)
    # Other edges in every outer step.
    agent = agent_with(policy, topology=RandomTopology(2, "agent"))
    optimiser = torch.optim.Adam(policy.parameters())
    generator = seeded(0)

    def outer_steps(number: int) -> None:
        for _ in range(number):
            task = GuessingGame().sample(4, 2, generator)
            unroll(agent, task, 6, 3, generator).loss.mean().backward()
            optimiser.step()
            optimiser.zero_grad()

    outer_steps(50)
    tensors = len(live_tensors())
    growth = peak_growth(lambda: outer_steps(300))
    assert len(live_tensors()) == tensors >= len(others)
    assert growth < 4 * 2**20 or math.isnan(growth)  # where the kernel is not Linux


# --------------------------------------------------------------------------- as torch operators


@pytest.mark.parametrize("keep", [True, False])
def test_the_operators_are_what_they_say_they_are(keep: bool) -> None:
    """Their schemas, and the shapes that ``torch.compile`` is told."""
    operators = torch.ops.badger_graph
    forward = {**operator_arguments(backward=False), "keep": keep}
    torch.library.opcheck(operators.gru_stage_forward.default, (), forward)
    checks = ("test_faketensor", "test_aot_dispatch_dynamic")  # test_schema knows no bool[]
    backward = operator_arguments(backward=True, keep=keep)
    torch.library.opcheck(operators.gru_stage_backward.default, (), backward, test_utils=checks)


def test_a_compiled_function_of_the_stage() -> None:
    policy, edges = make().requires_grad_(False), some_edges(1, 7, 14)
    hidden, percept, identifier, _ = fresh(some_inputs(policy, edges, 7))
    around = prepare(edges, 1, 7, "fused", policy).adjacency
    told = (percept.detach(), identifier.detach(), *around, *pack(policy))

    def loss(hidden: Tensor) -> Tensor:
        after, said = torch.ops.badger_graph.gru_stage(hidden, *told)
        return after.sin().sum() + said.sum()

    compiled = torch.compile(loss, backend="aot_eager", fullgraph=True)
    gradients = [torch.autograd.grad(one(hidden), hidden) for one in (compiled, loss)]
    torch.testing.assert_close(*gradients)


# ------------------------------------------------------------------- operators called by themselves


def operator_arguments(backward: bool, keep: bool = True) -> dict[str, typing.Any]:
    """What the two operators take, by name, for a small stage."""
    policy, edges = make(seed=3), some_edges(2, 5, 20)
    inputs = some_inputs(policy, edges, 10)
    around = prepare(edges, 2, 5, "fused", policy).adjacency
    packed = pack(policy.requires_grad_(False))
    forth = {**inputs._asdict(), **around._asdict(), "packed": packed.forward}
    del forth["weight"]
    sizes = {"message": packed.message_size, "inner": packed.inner_size}
    heard = {name: value for name, value in forth.items() if not name.startswith("hearer")}
    if not backward:
        return {**heard, **sizes, "keep": True}
    _, _, kept = torch.ops.badger_graph.gru_stage_forward(**heard, **sizes, keep=keep)
    grad = {"grad_next": uniform(5, 10, 6), "grad_said": uniform(6, 10)}
    last = {"reversed": packed.backward, "kept": kept, **sizes, "needs": [True] * 4}
    return {**grad, **forth, **last}


def spoilt(value: Tensor | int, random: Random) -> typing.Any:
    """What cannot be in its place."""
    if isinstance(value, int):
        return random.choice([value + 1, value - 1, 16 * value, 0, -1, 2**40, 2**62])
    ways = [
        lambda: value[:-1],
        lambda: torch.cat([value, value]),
        lambda: value[0],
        lambda: value[None],
        lambda: torch.stack([value, value], dim=-1)[..., 0],
        lambda: value[:1].expand(value.shape),
        lambda: value.to(random.choice([torch.float32, torch.float16, torch.int64, torch.bool])),
        lambda: value.to_sparse(),
        lambda: None,
    ]
    if value.dim() == 2:
        ways += [lambda: value[:, :-1], lambda: value.t(), lambda: value.flatten()]
    if value.dtype == torch.int32:
        place = random.randrange(len(value))
        fill = torch.arange(len(value)) == place
        outside = random.choice([-1, -(2**31), 2**31 - 1, 21])
        ways += 5 * [lambda: value.masked_fill(fill, outside)]
    return random.choice(ways)()


@pytest.mark.parametrize("backward", [False, True])
def test_operators_refuse_what_they_would_index_wrongly(backward: bool) -> None:
    """The process lives, and nothing is answered but by a message that names the argument."""
    operator = getattr(
        torch.ops.badger_graph, "gru_stage_backward" if backward else "gru_stage_forward"
    )
    random, arguments = Random(0), operator_arguments(backward)
    operator(**arguments)
    names = [name for name in arguments if name not in ("keep", "needs")]
    for _ in range(FUZZED):
        name = random.choice(names)
        bad = spoilt(arguments[name], random)
        with pytest.raises((ValueError, NotImplementedError)):  # the latter for sparse tensors
            operator(**{**arguments, name: bad})


def test_weights_are_compared_where_they_lie() -> None:
    same = torch.ops.badger_graph.same
    weights = [torch.rand(3, 4), torch.rand(5)]
    copy = torch.cat([weight.flatten() for weight in weights])
    assert same(weights, copy)
    assert not same(weights, copy[:-1])
    assert not same(weights, copy.double())
    assert not same([weights[0].t(), weights[1]], copy)
    for wrong in (copy[:1].expand(17), None, torch.stack([copy, copy], dim=1)[:, 0]):
        with pytest.raises(ValueError, match="copy must"):
            same(weights, wrong)
