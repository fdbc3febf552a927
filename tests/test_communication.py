"""The communication stage: how far and how often messages travel."""

from __future__ import annotations

import pytest
import torch
from properties import every_policy_and_executor, some_edges, some_inputs

from badger_graph import Edges
from badger_graph.communication import communicate
from badger_graph.executors.prepare import Executor, prepare
from badger_graph.policies import POLICIES


@every_policy_and_executor
@pytest.mark.parametrize("rounds", [1, 2, 5])
def test_rounds_are_repetitions_of_the_policy(name: str, executor: Executor, rounds: int) -> None:
    policy, edges = POLICIES[name]().double(), some_edges(2, 4, 20)
    hidden, *told, _ = some_inputs(policy, edges, 8)
    wiring = prepare(edges, 2, 4, executor)
    after, said = communicate(policy, hidden, *told, wiring, rounds)
    for _ in range(rounds):
        hidden, last_said = policy(hidden, *told, wiring)
    torch.testing.assert_close(after, hidden, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(said, last_said, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(said, policy.speak(hidden)[:, 0], rtol=1e-12, atol=1e-12)


@every_policy_and_executor
def test_news_travels_one_edge_a_round(name: str, executor: Executor) -> None:
    """On the path 0 -> 1 -> 2 -> 3 -> 4, r rounds take a change of expert 0 to expert r."""
    policy = POLICIES[name]().double()
    path = Edges(torch.tensor([[0, 1, 2, 3], [1, 2, 3, 4]]), torch.ones(4).double())
    hidden, *told, _ = some_inputs(policy, path, 5)
    wiring = prepare(path, 1, 5, executor)
    news = hidden.clone()
    news[0] += 1
    for rounds in range(1, 5):
        before, said = communicate(policy, hidden, *told, wiring, rounds)
        after, said_then = communicate(policy, news, *told, wiring, rounds)
        reached = [n <= rounds for n in range(5)]
        assert (before != after).any(dim=1).tolist() == reached
        assert (said != said_then).tolist() == reached
