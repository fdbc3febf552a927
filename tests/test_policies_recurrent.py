"""Variants of the Micro-Badger policy, by their formulas."""

from __future__ import annotations

import pytest
import torch
from properties import uniform

from badger_graph.policies import ChaoticPolicy, ExponentialPolicy, MessagePolicy

SIZES = {"percept_size": 4, "identifier_size": 3, "hidden_size": 6, "message_size": 5}

GIVEN = (uniform(0, 2, 6), uniform(1, 2, 5), uniform(2, 2, 4), uniform(3, 2, 3))
"""States, what is received, percepts and identifiers."""


def next_hidden(policy: MessagePolicy) -> torch.Tensor:
    return policy.next_hidden(*GIVEN)


def test_exponential_update_by_its_formula() -> None:
    policy = ExponentialPolicy(**SIZES).double()
    new = policy.gru.next_hidden(*GIVEN)
    torch.testing.assert_close(next_hidden(policy), 0.5 * GIVEN[0] + 0.7 * new)
    policy.keep, policy.add = 0.0, 1.0
    assert torch.equal(next_hidden(policy), new)


def test_chaos_by_its_formula_and_none_without_it() -> None:
    policy = ChaoticPolicy(**SIZES, initial_chaos=0.3).double()
    new = policy.gru.next_hidden(*GIVEN)
    against = 1 / (1 + torch.exp(-GIVEN[0] / 0.1)) - 0.5
    torch.testing.assert_close(next_hidden(policy), new - policy.chaos * against)
    assert policy.chaos.item() == pytest.approx(0.3)
    policy.chaos.zero_()
    assert torch.equal(next_hidden(policy), new)
