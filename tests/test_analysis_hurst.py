"""Hurst exponents against fractional Gaussian noise, which is made exactly."""

from __future__ import annotations

import pytest
import torch
from properties import seeded
from torch import Tensor

from badger_graph.analysis import hurst_exponent, hurst_test


def fractional_noise(hurst: float, count: int, length: int, seed: int) -> Tensor:
    """Gaussian noise with the covariances of fractional noise, by circulant embedding.

    Source: Davies and Harte 1987, "Tests for Hurst effect".
    """
    lag = torch.arange(length + 1, dtype=torch.float64)
    power = 2 * hurst
    covariance = ((lag + 1) ** power - 2 * lag**power + (lag - 1).abs() ** power) / 2
    circle = torch.cat([covariance, covariance[1:-1].flip(0)])
    spectrum = torch.fft.fft(circle).real
    assert spectrum.min() > -1e-10
    drawn = torch.randn(2, count, len(circle), generator=seeded(seed), dtype=torch.float64)
    scale = (spectrum.clamp(min=0) / len(circle)).sqrt()
    return torch.fft.fft(scale * torch.complex(*drawn)).real[:, :length]


def test_the_noise_has_the_covariances_that_it_should() -> None:
    noise = fractional_noise(0.8, 20_000, 16, seed=0)
    lag = torch.arange(16, dtype=torch.float64)
    exact = ((lag + 1) ** 1.6 - 2 * lag**1.6 + (lag - 1).abs() ** 1.6) / 2
    found = (noise[:, :1] * noise).mean(dim=0)
    torch.testing.assert_close(found, exact, atol=0.04, rtol=0)  # four standard errors


@pytest.mark.parametrize("hurst", [0.3, 0.5, 0.7, 0.9])
def test_exponents_of_fractional_noise(hurst: float) -> None:
    """Mean of 20 series of 4096: standard error below 0.01, and a bias of the method below 0.02."""
    found = [hurst_exponent(series) for series in fractional_noise(hurst, 20, 4096, seed=1)]
    assert sum(found) / 20 == pytest.approx(hurst, abs=0.03)


def test_a_random_walk_has_one_and_a_half() -> None:
    walks = torch.randn(10, 4096, generator=seeded(2), dtype=torch.float64).cumsum(dim=1)
    assert sum(map(hurst_exponent, walks)) / 10 == pytest.approx(1.5, abs=0.05)


def test_neither_scale_nor_level_matters() -> None:
    series = fractional_noise(0.7, 1, 300, seed=3)[0]
    assert hurst_exponent(1000 - 7 * series) == pytest.approx(hurst_exponent(series), abs=1e-9)


@pytest.mark.parametrize("scale", [1e-300, 1e300])
def test_no_number_is_too_large_or_too_small(scale: float) -> None:
    series = fractional_noise(0.7, 1, 100, seed=3)[0]
    assert hurst_exponent(scale * series) == pytest.approx(hurst_exponent(series), abs=1e-9)
    scaled, plain = (hurst_test(x, seeded(0), 39) for x in (scale * series, series))
    assert scaled == pytest.approx(plain, abs=1e-9)


def test_the_test_has_its_rate_of_false_alarms() -> None:
    """At p <= 0.05, 4% of 200 series of white noise: 8, with a standard deviation of 2.8."""
    noise = torch.randn(200, 64, generator=seeded(4), dtype=torch.float64)
    generator = seeded(5)
    alarms = sum(hurst_test(series, generator, 99).p_value <= 0.05 for series in noise)
    assert 1 <= alarms <= 16


def test_the_test_finds_long_memory() -> None:
    series = fractional_noise(0.8, 40, 512, seed=6)
    generator = seeded(6)
    tested = [hurst_test(one, generator, 99) for one in series]
    assert sum(one.p_value <= 0.05 for one in tested) >= 34
    assert sum(one.value > one.high for one in tested) >= 34
    assert tested[0].value == hurst_exponent(series[0])


def test_short_noise_scatters_widely() -> None:
    """Why an estimate is never shown alone."""
    tested = hurst_test(torch.randn(150, generator=seeded(7)), seeded(8))
    assert tested.low < 0.4
    assert tested.high > 0.6
