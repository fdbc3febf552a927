"""The mean over in-neighbours edge by edge, what executors prepare, and which of them is chosen."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import typing
from pathlib import Path

import pytest
import torch
import torch_geometric.typing
from hypothesis import given
from hypothesis import strategies as st
from properties import (
    EXECUTORS,
    TORCH_EXECUTORS,
    build_policy,
    every_torch_executor,
    example,
    seeded,
    small_agent,
    some_edges,
    some_task,
    uniform,
)
from torch import Tensor, nn

from badger_graph import (
    Edges,
    ExpertPolicy,
    GRUPolicy,
    MessagePolicy,
    unroll,
)
from badger_graph.channels import Channel, ClearChannel
from badger_graph.executors.adjacency import adjacency
from badger_graph.executors.base import Executor
from badger_graph.executors.native import library
from badger_graph.executors.prepare import DENSE_UP_TO, ExecutorName, Preparation, prepare
from badger_graph.policies.aggregation import Aggregation, aggregator


class Echo(MessagePolicy):
    """Every expert says its state and becomes what it hears."""

    def __init__(self, size: int, aggregation: Aggregation = "mean") -> None:
        super().__init__(1, 0, size, size, aggregation)
        self.gain = nn.Parameter(torch.ones(()))

    def emit(self, hidden: Tensor, traits: Tensor) -> Tensor:
        return hidden * self.gain

    def next_hidden(
        self, hidden: Tensor, received: Tensor, percept: Tensor, traits: Tensor
    ) -> Tensor:
        return received + 0 * percept

    def speak(self, hidden: Tensor, traits: Tensor) -> Tensor:
        return hidden.sum(dim=-1, keepdim=True)


def heard(
    hidden: Tensor,
    edges: Edges,
    batch_size: int,
    executor: ExecutorName,
    aggregation: Aggregation = "mean",
) -> Tensor:
    """What every expert receives when all say their states."""
    policy = Echo(hidden.size(1), aggregation).to(hidden)
    prepared = prepare(edges, batch_size, len(hidden) // batch_size, executor, policy)
    nothing = hidden.new_zeros(len(hidden), 1)
    return prepared.round(policy, hidden, nothing, nothing[:, :0])[0]


@every_torch_executor
@given(
    num_experts=st.integers(1, 70),
    batch_size=st.integers(1, 4),
    per_expert=st.integers(0, 4),
    seed=st.integers(0, 99),
)
def test_mean_of_in_neighbours_edge_by_edge(
    executor: ExecutorName, num_experts: int, batch_size: int, per_expert: int, seed: int
) -> None:
    nodes = batch_size * num_experts
    edges = some_edges(batch_size, num_experts, per_expert * nodes, seed)
    hidden = uniform(9, nodes, 2)
    total, count = torch.zeros_like(hidden), [0] * nodes
    for (source, target), weight in zip(edges.index.T.tolist(), edges.weight, strict=True):
        total[target] += weight * hidden[source]
        count[target] += 1
    expected = torch.stack([row / max(n, 1) for row, n in zip(total, count, strict=True)])
    received = heard(hidden, edges, batch_size, executor)
    torch.testing.assert_close(received, expected, rtol=1e-12, atol=1e-12)


AGGREGATED = [
    *((executor, "mean") for executor in TORCH_EXECUTORS),
    *((executor, other) for executor in ("reference", "sparse") for other in ("max", "softmax")),
]


@pytest.mark.parametrize(("executor", "aggregation"), AGGREGATED)
def test_second_derivatives_are_right(executor: ExecutorName, aggregation: Aggregation) -> None:
    """By messages and by edge weights, one after the other and mixed."""
    edges, policy = some_edges(2, 4, 20), Echo(3, aggregation).double()
    sent, weight = uniform(0, 8, 3).requires_grad_(), edges.weight.requires_grad_()

    def exchanged(sent: Tensor, weight: Tensor) -> Tensor:
        prepared = prepare(Edges(edges.index, weight), 2, 4, executor, policy)
        return prepared.exchange(policy, sent).sin()

    assert torch.autograd.gradgradcheck(exchanged, (sent, weight))


@pytest.mark.scatter
def test_torch_scatter_gives_the_same_mean() -> None:
    torch_scatter = pytest.importorskip("torch_scatter", reason="needs torch-scatter")
    policy, edges = Echo(4), some_edges(2, 5, 12)
    edges = Edges(edges.index, edges.weight.float())
    sent = torch.rand(10, policy.message_size)
    weighted = edges.weight[:, None] * sent[edges.index[0]]
    mean = torch_scatter.scatter(weighted, edges.index[1], dim=0, dim_size=10, reduce="mean")
    for executor in TORCH_EXECUTORS:
        prepared = prepare(edges, 2, 5, executor, policy)
        torch.testing.assert_close(prepared.exchange(policy, sent), mean)


every_comparing_executor = pytest.mark.parametrize("executor", ["reference", "sparse"])


@every_comparing_executor
@pytest.mark.parametrize(
    ("aggregation", "expected"),
    [
        ("max", [[10.0, 7.0], [0.0, 0.0], [-2.0, 3.0]]),
        ("min", [[10.0, 7.0], [0.0, 0.0], [-4.0, -1.0]]),
        ("softmax", [[10.0, 7.0], [0.0, 0.0], [-2.23840584, 2.92805516]]),
    ],
)
def test_other_aggregations_by_hand(
    executor: ExecutorName, aggregation: Aggregation, expected: list[list[float]]
) -> None:
    """0 and 1 speak to 2 with weight -1, 2 speaks to 0, and nobody to 1."""
    hidden = torch.tensor([[2.0, 1.0], [4.0, -3.0], [10.0, 7.0]])
    edges = Edges(torch.tensor([[0, 1, 2], [2, 2, 0]]), torch.tensor([-1.0, -1.0, 1.0]))
    torch.testing.assert_close(
        heard(hidden, edges, 1, executor, aggregation), torch.tensor(expected)
    )


@every_comparing_executor
def test_messages_that_tie_share_the_gradient(executor: ExecutorName) -> None:
    """Of zeros, too, which a scatter begins with: by halves, and all of it to one alone."""
    hidden = torch.tensor([[0.0], [0.0], [-1.0], [5.0]], requires_grad=True)
    edges = Edges.unweighted(torch.tensor([[2, 0, 1, 0], [3, 3, 3, 2]]))
    heard_of = heard(hidden, edges, 1, executor, "max")
    for hearer, expected in ((3, [0.5, 0.5, 0.0, 0.0]), (2, [1.0, 0.0, 0.0, 0.0])):
        (gradient,) = torch.autograd.grad(heard_of[hearer], hidden, retain_graph=True)
        assert gradient.flatten().tolist() == expected


@pytest.mark.parametrize("aggregation", ["max", "min", "softmax"])
@pytest.mark.parametrize("installed", [False, pytest.param(True, marks=pytest.mark.scatter)])
def test_segments_are_aggregated_alike_with_and_without_torch_scatter(
    monkeypatch: pytest.MonkeyPatch, aggregation: Aggregation, installed: bool
) -> None:
    """Values and gradients of rows that tie, and of targets that get none: bit for bit."""
    if installed:
        pytest.importorskip("torch_scatter", reason="needs torch-scatter")
    monkeypatch.setattr(torch_geometric.typing, "WITH_TORCH_SCATTER", installed)
    rows = uniform(0, 12, 3).mul(2).round().requires_grad_()
    start = torch.tensor([0, 3, 3, 10, 12])
    target = torch.tensor([0] * 3 + [2] * 7 + [3] * 2)
    by_segment, by_index = (
        aggregator(aggregation)(rows, target, ptr=ptr, dim_size=4, dim=0) for ptr in (start, None)
    )
    assert torch.equal(by_segment, by_index)
    wanted = uniform(1, 4, 3)
    gradients = [torch.autograd.grad(some, rows, wanted)[0] for some in (by_segment, by_index)]
    assert torch.equal(*gradients)


# ----------------------------------------------------------------------- what is prepared, once


@pytest.mark.native
def test_edges_are_prepared_once_until_they_or_who_communicates_change() -> None:
    preparation, policy = Preparation(), build_policy(GRUPolicy).double()
    edges = Edges.unweighted(torch.tensor([[0, 1], [1, 0]]))

    def prepared(
        of: Edges, name: ExecutorName = "dense", channel: Channel | None = None
    ) -> Executor:
        return preparation(of, 1, 2, name, policy, channel or ClearChannel())

    first = prepared(edges)  # in the precision of the policy, which is not theirs
    assert prepared(edges) is prepared(Edges(*edges)) is first
    assert prepared(Edges(edges.index.clone(), edges.weight)) is not first
    assert prepared(edges, "sparse").name == "sparse"
    assert prepared(edges, "auto").name == "fused"
    noisy = example("noisy_channel").NoisyChannel()
    assert prepared(edges, "auto", noisy).name == "dense"  # fused hears over a clear one only
    first = prepared(edges)
    edges.weight.mul_(2)
    assert prepared(edges) is not first


def test_adjacency_by_hand() -> None:
    """2 -> 0 and 1 -> 0, 0 -> 2 twice, 2 -> 2, and nobody speaks to 1."""
    index = torch.tensor([[2, 0, 1, 0, 2], [0, 2, 0, 2, 2]])
    weight = torch.tensor([1.0, 3.0, 5.0, 6.0, 12.0])
    around = adjacency(Edges(index, weight), 3)
    assert around.source.tolist() == [2, 1, 0, 0, 2]  # of targets 0, 0, 2, 2, 2
    assert around.start.tolist() == [0, 2, 2, 5]
    assert around.coefficient.tolist() == [0.5, 2.5, 1.0, 2.0, 4.0]
    assert around.hearer.tolist() == [2, 2, 0, 0, 2]  # of sources 0, 0, 1, 2, 2
    assert around.hearer_start.tolist() == [0, 2, 3, 5]
    assert around.hearer_coefficient.tolist() == [1.0, 2.0, 2.5, 0.5, 4.0]
    for name in ("source", "start", "hearer", "hearer_start"):
        assert getattr(around, name).dtype == torch.int32


@given(nodes=st.integers(1, 12), num_edges=st.integers(0, 40), seed=st.integers(0, 99))
def test_adjacency_is_the_same_edges_in_both_directions(
    nodes: int, num_edges: int, seed: int
) -> None:
    edges = some_edges(1, nodes, num_edges, seed)
    around = adjacency(edges, nodes)

    def listed(other: Tensor, start: Tensor, coefficient: Tensor) -> list[tuple[int, ...]]:
        own = torch.arange(nodes).repeat_interleave(start.diff())
        columns = (own.tolist(), other.tolist(), coefficient.tolist())
        return list(zip(*columns, strict=True))

    heard = listed(around.source, around.start, around.coefficient)
    hearers = listed(around.hearer, around.hearer_start, around.hearer_coefficient)
    assert sorted(heard) == sorted((i, j, c) for j, i, c in hearers)
    degree = edges.index[1].bincount(minlength=nodes)
    weights = (edges.weight / degree[edges.index[1]]).tolist()
    columns = (edges.index[1].tolist(), edges.index[0].tolist(), weights)
    assert sorted(heard) == sorted(zip(*columns, strict=True))


@pytest.mark.parametrize("executor", ["sparse", pytest.param("fused", marks=pytest.mark.native)])
@pytest.mark.parametrize("node", [-1, 3])
def test_edges_that_end_nowhere(executor: ExecutorName, node: int) -> None:
    for ends in ([[0, node], [1, 2]], [[0, 1], [1, node]]):
        edges = Edges.unweighted(torch.tensor(ends))
        with pytest.raises(ValueError, match=rf"join nodes 0 to 2, got node {node}"):
            prepare(edges, 1, 3, executor, build_policy(GRUPolicy))


# ----------------------------------------------------------------------------- which is chosen


class LoudPolicy(GRUPolicy):
    """Not the built-in one, although it is called a GRU."""

    def emit(self, hidden: Tensor, traits: Tensor) -> Tensor:
        return 2 * super().emit(hidden, traits)


def chosen(edges: Edges, batch_size: int, num_experts: int, policy: ExpertPolicy) -> str:
    return prepare(edges, batch_size, num_experts, "auto", policy).name


def test_every_executor_can_be_asked_for() -> None:
    assert {"auto", *EXECUTORS} == set(typing.get_args(ExecutorName))
    assert all(name == executor.name for name, executor in EXECUTORS.items())


@pytest.mark.native
@pytest.mark.parametrize("num_experts", [1, 4, DENSE_UP_TO + 1])
def test_the_built_in_policy_is_fused(num_experts: int) -> None:
    edges = some_edges(2, num_experts, 9)
    assert chosen(edges, 2, num_experts, build_policy(GRUPolicy)) == "fused"


others = pytest.mark.parametrize(
    "policy", [Echo(3), build_policy(LoudPolicy)], ids=["echo", "subclass"]
)


@others
def test_other_policies_are_dense_when_small_and_sparse_when_large(policy: ExpertPolicy) -> None:
    for num_experts, expected in (
        (1, "dense"),
        (DENSE_UP_TO, "dense"),
        (DENSE_UP_TO + 1, "sparse"),
    ):
        assert chosen(some_edges(2, num_experts, 9), 2, num_experts, policy) == expected


def test_large_agents_are_dense_from_half_of_all_pairs_on() -> None:
    num_experts = DENSE_UP_TO + 1
    half = num_experts**2  # of two agents
    for num_edges, expected in ((half, "dense"), (half - 1, "sparse")):
        edges = some_edges(2, num_experts, num_edges)
        assert chosen(edges, 2, num_experts, Echo(3)) == expected


@pytest.mark.native
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_what_the_operators_cannot_compute_is_not_fused(dtype: torch.dtype) -> None:
    edges = Edges(some_edges(1, 4, 9).index, torch.ones(9, dtype=dtype))
    policy = build_policy(GRUPolicy)
    assert chosen(edges, 1, 4, policy) == "dense"
    with pytest.raises(ValueError, match=r"'fused' needs float32 or float64, got torch\..*float16"):
        prepare(edges, 1, 4, "fused", policy)


@pytest.mark.native
@others
def test_fused_refuses_other_policies(policy: ExpertPolicy) -> None:
    with pytest.raises(ValueError, match=f"'fused' needs a GRUPolicy, got {type(policy).__name__}"):
        prepare(some_edges(1, 3, 2), 1, 3, "fused", policy)


def test_other_aggregations_than_the_mean_are_sparse() -> None:
    policy, edges = build_policy(GRUPolicy, aggregation="max"), some_edges(1, 4, 9)
    assert chosen(edges, 1, 4, policy) == "sparse"
    for executor in ("dense", "fused"):
        with pytest.raises(
            ValueError, match=f"'{executor}' needs the aggregation 'mean', got 'max'"
        ):
            prepare(edges, 1, 4, executor, policy)


@pytest.mark.parametrize(("asked", "expected"), [("auto", "dense"), ("sparse", "sparse")])
def test_the_choice_is_logged(
    caplog: pytest.LogCaptureFixture, asked: ExecutorName, expected: str
) -> None:
    with caplog.at_level(logging.INFO, "badger_graph.executors.prepare"):
        prepare(some_edges(3, 5, 9), 3, 5, asked, Echo(3))
    assert caplog.messages == [f"executor {expected} for 3 agents of 5 experts"]


def a_rollout() -> tuple[str, float]:
    """The executor that is chosen, and a loss."""
    agent = small_agent(policy=GRUPolicy)
    rollout = unroll(agent, some_task(), 5, 4, seeded(0))
    loss = rollout.loss.mean()
    loss.backward()
    assert all(parameter.grad is not None for parameter in agent.parameters())
    return rollout.life.executor.name, loss.item()


def test_without_native_operators_torch_serves(tmp_path: Path) -> None:
    """In a process that never had them."""
    script = "import test_executors; print(*test_executors.a_rollout())"
    usual = {name: value for name, value in os.environ.items() if name != library.NO_NATIVE}
    told = {"OMP_NUM_THREADS": "1", "XDG_CACHE_HOME": str(tmp_path), "CXX": "no-such-compiler"}
    process = subprocess.run(
        [sys.executable, "-c", script],
        env={**usual, **told},
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=True,
    )
    executor, loss = process.stdout.split()
    assert executor == "dense"
    assert float(loss) == pytest.approx(a_rollout()[1], rel=1e-5)
    (line,) = [line for line in process.stderr.splitlines() if line.startswith("badger-graph:")]
    assert "no C++ compiler found" in line


@pytest.mark.parametrize(
    ("environment", "missing", "said"),
    [
        ({library.NO_NATIVE: "1"}, f"{library.NO_NATIVE} to be unset, got '1'", []),
        ({"CXX": "no-such-compiler"}, "a C++ compiler, got none", ["no C++ compiler found"]),
        (
            {"CXX": "false"},
            "a C++ compiler that works, got one that does not; see ",
            ["once: about a minute", "failed"],
        ),
        (
            {"CXX": "true", "XDG_CACHE_HOME": "/dev/null"},
            "to write to /dev/null/badger_graph",
            ["cannot write to"],
        ),
    ],
    ids=["switched off", "none", "one that fails", "nowhere to keep it"],
)
def test_a_library_that_cannot_be_made(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    environment: dict[str, str],
    missing: str,
    said: list[str],
) -> None:
    """At most two lines, and the reason."""
    monkeypatch.delenv(library.NO_NATIVE, raising=False)
    for name, value in ({"XDG_CACHE_HOME": str(tmp_path)} | environment).items():
        monkeypatch.setenv(name, value)
    assert library.load.__wrapped__().startswith(missing)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == len(said)
    assert all(part in line for part, line in zip(said, lines, strict=True))


@pytest.mark.parametrize("told", ["", "here", None])
def test_the_cache_is_in_no_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: str | None
) -> None:
    """As the XDG specification says: a path that is empty or relative is no path."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", told or "")
    if told is None:
        monkeypatch.delenv("XDG_CACHE_HOME")
    assert library._cache() == tmp_path / ".cache" / "badger_graph"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert library._cache() == tmp_path / "badger_graph"


def test_fused_says_what_it_would_need(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "load", lambda: "a C++ compiler, got none")
    policy = build_policy(GRUPolicy)
    assert chosen(some_edges(1, 4, 9), 1, 4, policy) == "dense"
    with pytest.raises(ValueError, match=r"executor 'fused' needs a C\+\+ compiler, got none"):
        prepare(some_edges(1, 4, 9), 1, 4, "fused", policy)
