"""Lyapunov exponents of series of known maps, and what noise has for one."""

from __future__ import annotations

import math

import pytest
import torch
from properties import seeded
from torch import Tensor

from badger_graph.analysis import lyapunov_of_series, lyapunov_test
from badger_graph.analysis.lyapunov_series import _nearest


def logistic_series(length: int, first: float = 0.3) -> Tensor:
    values = [first]
    for _ in range(length - 1):
        values.append(4 * values[-1] * (1 - values[-1]))
    return torch.tensor(values, dtype=torch.float64)


def henon_series(length: int) -> Tensor:
    values, y = [0.1], 0.1
    for _ in range(length - 1):
        x = values[-1]
        values.append(1 - 1.4 * x * x + y)
        y = 0.3 * x
    return torch.tensor(values, dtype=torch.float64)


def noise(length: int, seed: int = 0) -> Tensor:
    return torch.randn(length, generator=seeded(seed), dtype=torch.float64)


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_the_logistic_map(dimension: int) -> None:
    found = lyapunov_of_series(logistic_series(1000), dimension)
    assert found == pytest.approx(math.log(2), abs=0.02)


@pytest.mark.parametrize("dimension", [2, 3])
def test_the_henon_map(dimension: int) -> None:
    """Rosenstein et al. 1993 find 0.414 of 2,000 values, horizon 9; theirs is 0.418."""
    found = lyapunov_of_series(henon_series(2000), dimension, horizon=8)
    assert found == pytest.approx(0.418, abs=0.02)


def test_neighbours_on_a_circle_never_part() -> None:
    turns = (2**0.5 * torch.arange(600, dtype=torch.float64)).sin()
    assert lyapunov_of_series(turns) == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("exclusion", [0, 1, 5])
def test_values_near_in_time_are_no_neighbours(exclusion: int) -> None:
    """Of values that rise evenly the next one is nearest, which is no neighbour."""
    points = (0.01 * torch.arange(300, dtype=torch.float64))[:, None]
    found = _nearest(points, torch.arange(200, 250), exclusion, 300)
    apart = (found - torch.arange(200, 250)).abs()
    assert apart.tolist() == [exclusion + 1] * 50


def test_neither_scale_nor_level_matters() -> None:
    series = henon_series(300)
    found = lyapunov_of_series(100 - 5 * series)
    assert found == pytest.approx(lyapunov_of_series(series), abs=1e-9)


@pytest.mark.parametrize("scale", [1e-300, 1e300])
def test_no_number_is_too_large_or_too_small(scale: float) -> None:
    series = henon_series(100)
    found = lyapunov_of_series(scale * series)
    assert found == pytest.approx(lyapunov_of_series(series), abs=1e-9)
    scaled, plain = (lyapunov_test(x, seeded(0), 39) for x in (scale * series, series))
    assert scaled == pytest.approx(plain, abs=1e-9)


def test_noise_has_a_positive_exponent_too() -> None:
    """The reason for the control: of noise alone one would say that it is chaotic."""
    tested = lyapunov_test(noise(300), seeded(0), 99)
    assert tested.value > 0.2
    assert tested.low <= tested.value <= tested.high
    assert tested.p_value > 0.05


def test_the_test_tells_chaos_from_noise() -> None:
    tested = lyapunov_test(logistic_series(300), seeded(0), 99)
    assert tested.p_value == pytest.approx(0.02)
    assert tested.value == lyapunov_of_series(logistic_series(300))


def test_the_test_has_its_rate_of_false_alarms() -> None:
    """At p <= 0.05, 5% of 30 series of noise: 1.5, with a standard deviation of 1.2."""
    generator = seeded(1)
    alarms = sum(
        lyapunov_test(noise(80, seed), generator, 39).p_value <= 0.05 for seed in range(30)
    )
    assert alarms <= 5
