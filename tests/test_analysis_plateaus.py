"""Plateaus of curves whose plateaus are known."""

from __future__ import annotations

import pytest
import torch
from properties import seeded
from torch import Tensor

from badger_graph.analysis import Plateau, find_plateaus


def noise(length: int, spread: float, seed: int = 0) -> Tensor:
    return (spread * torch.randn(length, generator=seeded(seed), dtype=torch.float64)).exp()


def time(length: int) -> Tensor:
    return torch.arange(length, dtype=torch.float64)


def assert_plateaus(
    found: list[Plateau], expected: list[tuple[int, int, float]], edge: int, level: float
) -> None:
    """As many, each edge within so many steps and each level within a share."""
    assert len(found) == len(expected), found
    for plateau, (start, stop, height) in zip(found, expected, strict=True):
        assert plateau.start == pytest.approx(start, abs=edge)
        assert plateau.stop == pytest.approx(stop, abs=edge)
        assert plateau.level == pytest.approx(height, rel=level)
    assert [plateau.escaped for plateau in found] == [True] * (len(found) - 1) + [False]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("spread", [0.0, 0.05, 0.2])
def test_a_staircase(spread: float, seed: int) -> None:
    """Chance, then one number after the other, then the floor; jumps of a factor 2 and more."""
    levels, lengths = [1 / 3, 1 / 6, 0.05, 0.004], [100, 60, 80, 120]
    curve = torch.cat(
        [torch.full((n,), x, dtype=torch.float64) for x, n in zip(levels, lengths, strict=True)]
    )
    found = find_plateaus(curve * noise(360, spread, seed))
    expected = [(0, 100, 1 / 3), (100, 160, 1 / 6), (160, 240, 0.05), (240, 359, 0.004)]
    assert_plateaus(found, expected, edge=3, level=0.08)


@pytest.mark.parametrize("seed", range(3))
def test_falls_between_plateaus_belong_to_neither(seed: int) -> None:
    """Straight falls of the logarithm, 40 values long, between levels."""
    corners = torch.tensor([1 / 3, 1 / 3, 0.1, 0.1, 0.002, 0.002]).double().log()
    pieces = [
        torch.linspace(0, 1, n + 1, dtype=torch.float64)[:-1] * (b - a) + a
        for n, a, b in zip([100, 40, 80, 40, 90], corners[:-1], corners[1:], strict=True)
    ]
    found = find_plateaus(torch.cat(pieces).exp() * noise(350, 0.1, seed))
    expected = [(0, 100, 1 / 3), (140, 220, 0.1), (260, 349, 0.002)]
    assert_plateaus(found, expected, edge=8, level=0.06)


@pytest.mark.parametrize("length", [50, 400, 3000])
@pytest.mark.parametrize("spread", [0.0, 0.02, 0.1])
def test_a_constant_with_noise_is_one_plateau(length: int, spread: float) -> None:
    for seed in range(3):
        found = find_plateaus(0.2 * noise(length, spread, seed))
        assert_plateaus(found, [(0, length - 1, 0.2)], edge=length // 20, level=0.05)


def test_chance_may_look_like_a_fall_but_seldom_does() -> None:
    """The criterion takes a slope of noise for one in about 5% of series of 50 values."""
    found = [len(find_plateaus(0.2 * noise(50, 0.3, seed))) for seed in range(60)]
    assert found.count(1) >= 51
    assert set(found) <= {0, 1}


@pytest.mark.parametrize("spread", [0.0, 0.1, 0.3])
def test_a_steady_fall_has_none(spread: float) -> None:
    for seed in range(3):
        assert find_plateaus((-time(600) / 150).exp() * noise(600, spread, seed)) == []
        assert find_plateaus(1 / (1 + time(600)) * noise(600, spread, seed)) == []


@pytest.mark.parametrize("spread", [0.0, 0.1])
def test_a_fall_to_a_floor_has_the_floor(spread: float) -> None:
    """exp(-t / 50) is a fifth of the floor, the share, at t = 426, and noise hides 5% at 495."""
    curve = (-time(800) / 50).exp() + 1e-3
    (floor,) = find_plateaus(curve * noise(800, spread))
    assert floor.start == pytest.approx(460, abs=60)
    assert (floor.stop, floor.escaped) == (799, False)
    assert floor.level == pytest.approx(1e-3, rel=0.1)


def test_a_spike_does_not_end_a_plateau() -> None:
    curve = 0.2 * noise(300, 0.1)
    curve[140:148] *= 5
    assert_plateaus(find_plateaus(curve), [(0, 299, 0.2)], edge=3, level=0.05)


def test_levels_closer_than_the_share_are_one() -> None:
    curve = torch.cat([torch.full((100,), 1.0), torch.full((100,), 0.9)]).double()
    curve = curve * noise(200, 0.02)
    assert len(find_plateaus(curve, share=0.2)) == 1
    assert_plateaus(find_plateaus(curve, share=0.05), [(0, 100, 1.0), (100, 199, 0.9)], 2, 0.02)


def test_the_scale_of_errors_does_not_matter_and_steps_are_those_given() -> None:
    curve = torch.cat([torch.full((60,), 0.3), torch.full((60,), 0.1)]).double() * noise(120, 0.1)
    first, last = find_plateaus(curve)
    steps = 10 * torch.arange(120) + 9
    for found, same in zip(find_plateaus(curve * 1000, steps), (first, last), strict=True):
        assert (found.start, found.stop) == (10 * same.start + 9, 10 * same.stop + 9)
        assert found.level == pytest.approx(1000 * same.level)
    assert first.stop == last.start == pytest.approx(60, abs=2)


def test_a_short_rest_is_no_plateau() -> None:
    curve = torch.cat([torch.full((60,), 0.3), torch.full((15,), 0.1), torch.full((60,), 0.01)])
    assert len(find_plateaus(curve, least=20)) == 2
    assert len(find_plateaus(curve, least=10)) == 3
