"""A measure beside that of shuffled copies."""

from __future__ import annotations

import pytest
import torch
from properties import seeded, uniform
from torch import Tensor

from badger_graph.analysis import against_shuffled


def last(rows: Tensor) -> Tensor:
    return rows[:, -1]


def test_surrogates_have_the_values_of_the_series_in_other_orders() -> None:
    seen = []

    def measure(rows: Tensor) -> Tensor:
        seen.append(rows)
        return rows[:, 0]

    series = uniform(0, 50)
    against_shuffled(measure, series, seeded(0), 99)
    original, shuffled = seen
    assert original.equal(series[None])
    assert shuffled.sort(dim=1).values.equal(series.sort().values.expand(99, -1))
    assert len(shuffled.unique(dim=0)) == 99


def test_a_measure_that_ignores_the_order_is_like_all_its_surrogates() -> None:
    tested = against_shuffled(lambda rows: rows.amax(dim=1), uniform(1, 30), seeded(0), 99)
    assert tested.p_value == 1
    assert tested.value == tested.low == tested.high


@pytest.mark.parametrize("sign", [1, -1])
def test_a_value_beyond_all_surrogates_has_the_least_p_value(sign: int) -> None:
    """The greatest of 10,000 values comes last: 99 copies have it there with probability 0.01."""
    tested = against_shuffled(last, sign * torch.arange(10_000.0), seeded(0), 99)
    assert tested.p_value == pytest.approx(2 / 100)
    assert not tested.low <= tested.value <= tested.high


def test_the_interval_holds_95_percent() -> None:
    """The last of n values is uniform among them."""
    tested = against_shuffled(last, torch.arange(1000.0), seeded(0), 2000)
    assert tested.low == pytest.approx(25, abs=12)  # standard error 3.5
    assert tested.high == pytest.approx(975, abs=12)


def test_the_generator_decides() -> None:
    def run(seed: int) -> tuple[float, ...]:
        return against_shuffled(last, uniform(2, 40), seeded(seed), 50)

    assert run(0) == run(0)
    assert run(0) != run(1)
