"""The communication stage: how far and how often messages travel."""

from __future__ import annotations

import pytest
import torch
from properties import EXECUTORS, some_edges, uniform

from badger_graph import Edges
from badger_graph.communication import communicate
from badger_graph.executors.prepare import Executor, prepare
from badger_graph.policies import POLICIES

every_policy = pytest.mark.parametrize("name", POLICIES)


@every_policy
@pytest.mark.parametrize("rounds", [1, 2, 5])
def test_rounds_are_repetitions_of_the_policy(name: str, rounds: int) -> None:
    policy = POLICIES[name]().double()
    hidden, percept = uniform(0, 8, policy.hidden_size), uniform(1, 8, 4 + policy.identifier_size)
    wiring = prepare(some_edges(2, 4, 20), 2, 4)
    expected = hidden
    for _ in range(rounds):
        expected = policy(expected, percept, wiring)
    after = communicate(policy, hidden, percept, wiring, rounds)
    torch.testing.assert_close(after, expected, rtol=1e-12, atol=1e-12)


@every_policy
@pytest.mark.parametrize("executor", EXECUTORS)
def test_news_travels_one_edge_a_round(name: str, executor: Executor) -> None:
    """On the path 0 -> 1 -> 2 -> 3 -> 4, r rounds take a change of expert 0 to expert r."""
    policy = POLICIES[name]().double()
    hidden, percept = uniform(0, 5, policy.hidden_size), uniform(1, 5, 4 + policy.identifier_size)
    path = Edges(torch.tensor([[0, 1, 2, 3], [1, 2, 3, 4]]), torch.ones(4).double())
    wiring = prepare(path, 1, 5, executor)
    news = hidden.clone()
    news[0] += 1
    for rounds in range(1, 5):
        before = communicate(policy, hidden, percept, wiring, rounds)
        after = communicate(policy, news, percept, wiring, rounds)
        changed = (before != after).any(dim=1)
        assert changed.tolist() == [n <= rounds for n in range(5)]
