"""Amplitudes and phases of signals made of known waves."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from properties import seeded, uniform
from torch import Tensor

from badger_graph import SumOfWaves
from badger_graph.analysis import wave_amplitudes


def signal(amplitude: Tensor, phase: Tensor, mean: float = 0.0) -> Tensor:
    """The sum of a_k sin(2 pi k i / n + phase_k) at n = 2 K + 1 samples, one by one."""
    n = 2 * len(amplitude) + 1
    waves = [
        a * torch.sin(2 * math.pi * k * torch.arange(n, dtype=torch.float64) / n + p)
        for k, (a, p) in enumerate(zip(amplitude, phase, strict=True), 1)
    ]
    return mean + torch.stack(waves).sum(dim=0)


@given(num_waves=st.integers(1, 20), seed=st.integers(0, 99), mean=st.floats(-3, 3))
def test_known_waves(num_waves: int, seed: int, mean: float) -> None:
    """Ratios of amplitudes and differences of phases come back, to 1e-10; means do not count."""
    wanted, guessed = 1.5 + uniform(seed, 2, num_waves)
    phase, error = math.pi * uniform(seed + 1, 2, num_waves)
    found = wave_amplitudes(signal(guessed, phase + error, mean), signal(wanted, phase))
    torch.testing.assert_close(found.amplitude, guessed / wanted, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(found.phase_error, error, rtol=1e-9, atol=1e-9)
    expected = guessed / wanted * error.cos()
    torch.testing.assert_close(found.in_phase, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("n", [3, 11, 41])
def test_what_is_solved_has_amplitude_one(n: int) -> None:
    """In the task itself, in float32; half the target is at one half, its opposite at minus one."""
    target = SumOfWaves().sample(50, n, seeded(0)).target
    ones = torch.ones(50, n // 2, dtype=torch.float64)
    for factor in (1.0, 0.5, -1.0):
        found = wave_amplitudes(factor * target, target)
        torch.testing.assert_close(found.amplitude, abs(factor) * ones)
        torch.testing.assert_close(found.in_phase, factor * ones)
    nothing = wave_amplitudes(torch.zeros_like(target), target)
    assert not any(value.any() for value in nothing)


def test_the_missing_wave_alone_is_missing() -> None:
    """Of frequencies 1 to 3, all with one phase, the guess lacks the second."""
    phase = torch.full((3,), 0.7)
    target = signal(torch.ones(3), phase)
    found = wave_amplitudes(signal(torch.tensor([1.0, 0, 1]), phase), target)
    assert found.amplitude.tolist() == pytest.approx([1, 0, 1], abs=1e-7)


def test_leading_dimensions_are_kept() -> None:
    target = SumOfWaves().sample(6, 5, seeded(0)).target
    guess = uniform(0, 6, 5)
    whole = wave_amplitudes(guess.view(2, 3, 5), target.view(2, 3, 5))
    for found, expected in zip(whole, wave_amplitudes(guess, target), strict=True):
        torch.testing.assert_close(found.flatten(0, 1), expected)
