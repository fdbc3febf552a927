"""Guesses of classes, and families mixed."""

from __future__ import annotations

import pytest
import torch
from properties import assert_refused, seeded

from badger_graph.tasks import (
    ClassGuessing,
    Classification,
    Guesses,
    GuessingGame,
    Mixture,
    Tables,
)


def test_a_guess_is_told_and_nothing_else() -> None:
    """By hand: the second class is always right, and the third half of the time."""
    guesses = Guesses(torch.tensor([[0.0, 1.0, 0.5]]).repeat(4000, 1), 5)
    _, first = guesses.reset()
    assert not first.outputs.any()
    answer = torch.tensor([[0.2, 0.3, 0.5]]).repeat(4000, 1)
    _, observation, error = guesses.step(None, answer, seeded(0))
    right, told = observation.outputs.unbind(-1)
    assert torch.equal(told.sum(dim=1), torch.ones(4000))
    torch.testing.assert_close(told.mean(dim=0), answer[0], atol=0.03, rtol=0)
    assert (right <= told).all()
    expected = torch.tensor([0.0, 0.3, 0.25])
    torch.testing.assert_close(right.mean(dim=0), expected, atol=0.03, rtol=0)
    assert error[0] == pytest.approx((1 - 0.3 - 0.25) / (1 - 0.5))


def test_knowing_nothing_is_chance_and_knowing_all_is_no_error() -> None:
    guesses = ClassGuessing(noise=0.0).sample(5, 4, seeded(0))
    blind = torch.full((5, 4), 0.25)
    assert guesses.step(None, blind, seeded(1))[2].tolist() == pytest.approx([1.0] * 5)
    assert guesses.step(None, guesses.value, seeded(1))[2].tolist() == [0.0] * 5


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([[0.5]], "the number of classes must be at least 2, got 1"),
        ([[0.5, 1.5]], "the values must be probabilities, got 1.5"),
        ([[0.5, float("nan")]], "the values must be probabilities, got nan"),
    ],
)
def test_values_that_are_none_are_refused(value: list[list[float]], message: str) -> None:
    assert_refused(message, lambda: Guesses(torch.tensor(value), 3))


def test_a_mixture_has_all_its_families() -> None:
    mixture = Mixture([ClassGuessing(num_steps=3), Tables(num_inputs=2, num_examples=4)])
    kinds = [type(mixture.sample(2, 3, seeded(seed))) for seed in range(40)]
    assert 10 <= kinds.count(Guesses) <= 30
    assert kinds.count(Classification) == 40 - kinds.count(Guesses)


def test_a_mixture_of_two_worlds_is_refused() -> None:
    families = [Tables(num_inputs=2), GuessingGame()]
    assert_refused("must have one interface, got Tables with", lambda: Mixture(families))
    assert_refused("at least one family, got none", lambda: Mixture([]))
