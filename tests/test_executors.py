"""The mean over in-neighbours, seen through a policy that hands on what it receives."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from properties import EXECUTORS, some_edges, uniform
from torch import Tensor, nn

from badger_graph import Edges, ExpertPolicy
from badger_graph.executors.prepare import Executor, prepare

every_executor = pytest.mark.parametrize("executor", EXECUTORS)


class Echo(ExpertPolicy):
    """Every expert says its state and becomes what it hears."""

    def __init__(self, size: int) -> None:
        super().__init__(percept_size=1, identifier_size=0, hidden_size=size, message_size=size)
        self.gain = nn.Parameter(torch.ones(()))

    def emit(self, hidden: Tensor) -> Tensor:
        return hidden * self.gain

    def next_hidden(self, hidden: Tensor, received: Tensor, percept: Tensor) -> Tensor:
        return received + 0 * percept

    def speak(self, hidden: Tensor) -> Tensor:
        return hidden.sum(dim=-1, keepdim=True)


def heard(hidden: Tensor, edges: Edges, batch_size: int, executor: Executor) -> Tensor:
    """What every expert receives when all say their states."""
    wiring = prepare(edges, batch_size, len(hidden) // batch_size, executor)
    policy = Echo(hidden.size(1)).to(hidden)
    return policy(hidden, torch.zeros(len(hidden), 1).to(hidden), wiring)


@every_executor
def test_mean_of_in_neighbours_by_hand(executor: Executor) -> None:
    """0 and 1 speak to 2; 2 speaks to 0; nobody speaks to 1."""
    hidden = torch.tensor([[2.0, 1.0], [4.0, -1.0], [10.0, 7.0]])
    edges = Edges.unweighted(torch.tensor([[0, 1, 2], [2, 2, 0]]))
    expected = [[10.0, 7.0], [0.0, 0.0], [3.0, 0.0]]
    torch.testing.assert_close(heard(hidden, edges, 1, executor), torch.tensor(expected))


@every_executor
def test_weights_scale_and_the_number_of_edges_divides(executor: Executor) -> None:
    """The mean is over edges: weights 1 and 3 give (1*2 + 3*4) / 2, not the weighted average."""
    hidden = torch.tensor([[2.0], [4.0], [0.0]])
    edges = Edges(torch.tensor([[0, 1], [2, 2]]), torch.tensor([1.0, 3.0]))
    assert heard(hidden, edges, 1, executor)[2].item() == pytest.approx(7.0)


@every_executor
def test_parallel_edges_count_each(executor: Executor) -> None:
    """Heard twice from 0 and once from 1: (2 + 2 + 8) / 3."""
    hidden = torch.tensor([[2.0], [8.0], [0.0]])
    edges = Edges.unweighted(torch.tensor([[0, 0, 1], [2, 2, 2]]))
    assert heard(hidden, edges, 1, executor)[2].item() == pytest.approx(4.0)


@every_executor
def test_an_expert_may_hear_itself(executor: Executor) -> None:
    hidden = torch.tensor([[2.0], [8.0]])
    edges = Edges.unweighted(torch.tensor([[0, 1], [0, 0]]))
    assert heard(hidden, edges, 1, executor).flatten().tolist() == [5.0, 0.0]


@every_executor
def test_agents_may_have_different_graphs(executor: Executor) -> None:
    """Agent 0: 0 -> 1. Agent 1: 1 -> 0 (nodes 3 -> 2)."""
    hidden = torch.tensor([[1.0], [2.0], [3.0], [4.0]])
    edges = Edges.unweighted(torch.tensor([[3, 0], [2, 1]]))
    assert heard(hidden, edges, 2, executor).flatten().tolist() == [0.0, 1.0, 4.0, 0.0]


@every_executor
@given(
    num_experts=st.integers(1, 70),
    batch_size=st.integers(1, 4),
    per_expert=st.integers(0, 4),
    seed=st.integers(0, 99),
)
def test_mean_of_in_neighbours_edge_by_edge(
    executor: Executor, num_experts: int, batch_size: int, per_expert: int, seed: int
) -> None:
    nodes = batch_size * num_experts
    edges, hidden = (
        some_edges(batch_size, num_experts, per_expert * nodes, seed),
        uniform(9, nodes, 2),
    )
    total, count = torch.zeros_like(hidden), [0] * nodes
    for (source, target), weight in zip(edges.index.T.tolist(), edges.weight, strict=True):
        total[target] += weight * hidden[source]
        count[target] += 1
    expected = torch.stack([row / max(n, 1) for row, n in zip(total, count, strict=True)])
    received = heard(hidden, edges, batch_size, executor)
    torch.testing.assert_close(received, expected, rtol=1e-12, atol=1e-12)


@every_executor
def test_gradient_of_a_weight_is_the_message_over_the_degree(executor: Executor) -> None:
    """d heard_2 / d w_02 = h_0 / 2: a learned topology learns through the weights."""
    hidden = torch.tensor([[2.0], [8.0], [0.0]])
    weight = torch.tensor([1.0, 1.0], requires_grad=True)
    edges = Edges(torch.tensor([[0, 1], [2, 2]]), weight)
    (gradient,) = torch.autograd.grad(heard(hidden, edges, 1, executor).sum(), weight)
    assert gradient.tolist() == [1.0, 4.0]


@every_executor
def test_wiring_describes_its_own_edges_only(executor: Executor) -> None:
    edges = Edges.unweighted(torch.tensor([[0, 1], [1, 0]]))
    wiring = prepare(edges, 1, 2, executor)
    assert wiring.describes(edges.index, edges.weight)
    assert not wiring.describes(edges.index.clone(), edges.weight)
    assert not wiring.describes(edges.index, edges.weight.clone())


@pytest.mark.scatter
def test_torch_scatter_gives_the_same_mean() -> None:
    torch_scatter = pytest.importorskip("torch_scatter", reason="needs torch-scatter")
    policy, edges = Echo(4), some_edges(2, 5, 12)
    edges = Edges(edges.index, edges.weight.float())
    sent = torch.rand(10, policy.message_size)
    weighted = edges.weight[:, None] * sent[edges.index[0]]
    mean = torch_scatter.scatter(weighted, edges.index[1], dim=0, dim_size=10, reduce="mean")
    for executor in EXECUTORS:
        torch.testing.assert_close(policy.exchange(sent, prepare(edges, 2, 5, executor)), mean)
