"""The supervised LSTM learns, low frequencies first, and by its seed alone."""

from __future__ import annotations

import math

import pytest
import torch
from properties import assert_refused

from badger_graph.experiments.why_hard.supervised import SupervisedLSTM, train_supervised
from badger_graph.tasks.waves import waves


def test_it_learns_low_frequencies_first() -> None:
    """When half of the first of two waves is there, less than half as much of the second is."""
    learned = train_supervised(
        0, num_outputs=5, num_steps=120, record_every=20, batch_size=16, hidden_size=16,
        learning_rate=0.01,
    )  # fmt: skip
    assert learned.steps == [0, 20, 40, 60, 80, 100, 120]
    assert len(learned.amplitudes) == 7
    assert learned.amplitudes[0] == pytest.approx([0, 0], abs=0.2)
    low, high = next(both for both in learned.amplitudes if both[0] > 0.5)
    assert high < low / 2
    assert learned.amplitudes[-1] == pytest.approx([1, 1], abs=0.1)


def test_the_seed_decides() -> None:
    first, again, other = (
        train_supervised(seed, num_outputs=5, num_steps=2, record_every=1) for seed in (1, 1, 2)
    )
    assert first == again
    assert first.amplitudes != other.amplitudes


def test_the_global_generator_is_left_alone() -> None:
    before = torch.get_rng_state()
    train_supervised(0, num_outputs=3, num_steps=1)
    assert torch.equal(torch.get_rng_state(), before)


def test_it_says_every_sample_and_knows_what_a_turn_is() -> None:
    network, phase = SupervisedLSTM(8), torch.tensor([0.3, 0.3 + 2 * math.pi])
    said = network(phase, 5)
    assert said.shape == waves(phase, 5).shape
    torch.testing.assert_close(said[0], said[1])


def test_trainings_that_cannot_be() -> None:
    for arguments, message in (
        ({"num_outputs": 4}, "num_outputs must be odd and at least 3.*got 4"),
        ({"num_steps": 0}, "num_steps must be at least 1, got 0"),
        ({"record_every": 0}, "record_every must be at least 1, got 0"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"hidden_size": 0}, "hidden_size must be at least 1, got 0"),
        ({"learning_rate": 0.0}, "learning_rate must be positive, got 0.0"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
    ):
        assert_refused(message, lambda a=arguments: train_supervised(**{"seed": 0, **a}))
