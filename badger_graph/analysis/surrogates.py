"""What a measure of a series gives when the order of the series means nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from badger_graph.analysis.checks import UndefinedError, check_finite, check_shape
from topologies.checks import checked

COVERED = 0.95
"""Share of the surrogates between the two ends of an interval."""


class SurrogateTest(NamedTuple):
    """A measure of a series beside the same of its surrogates.

    Args:
        value: of the series.
        low: below it lie 2.5% of the surrogates.
        high: above it lie 2.5% of the surrogates.
        p_value: probability that surrogates give a value as far out as this one, two-sided.
    """

    value: float
    low: float
    high: float
    p_value: float


@checked()
def against_shuffled(
    measure: Callable[[Float[Tensor, "S n"]], Float[Tensor, " S"]],
    series: Float[Tensor, " n"],
    generator: torch.Generator,
    num_surrogates: int = 199,
) -> SurrogateTest:
    r"""Measure a series and shuffled copies of it: the same values in a random order.

    .. math::
        p = \min\Big(1,\; 2\, \frac{1 + \min(\#\{s \le v\},\, \#\{s \ge v\})}{S + 1}\Big)

    with :math:`v` the value of the series and :math:`s` those of the S surrogates. A small p says
    that the order matters, and nothing of how: trends and slow noise have an order, too.

    Source: Theiler et al. 1992, "Testing for nonlinearity in time series: the method of surrogate
    data", algorithm 0; the p-value of a Monte Carlo test as in Davison and Hinkley 1997.

    Args:
        measure: gives the value of each row.
        series: what to measure.
        generator: source of the orders, on the device of ``series``.
        num_surrogates: S; the least p-value is ``2 / (S + 1)``.

    Raises:
        ValueError: when there are fewer than 39 surrogates, too few for p = 0.05, when the series
            has no order (see :func:`check_series`) or is measured as NaN or infinite, or from
            ``measure``.
    """
    if num_surrogates < 39:
        raise ValueError(
            f"num_surrogates must be at least 39, for p-values down to 0.05, got {num_surrogates}"
        )
    check_series(series, least=2)
    series = series.double()
    value = measure(series[None])[0]
    keys = torch.rand(
        num_surrogates, len(series), generator=generator, device=series.device, dtype=series.dtype
    )
    surrogates = measure(series[keys.argsort(dim=1)])
    check_finite("measures of the series and its surrogates", torch.cat([value[None], surrogates]))
    low, high = surrogates.quantile((1 - COVERED) / 2), surrogates.quantile((1 + COVERED) / 2)
    beyond = min(int((surrogates <= value).sum()), int((surrogates >= value).sum()))
    p_value = min(1.0, 2 * (1 + beyond) / (num_surrogates + 1))
    return SurrogateTest(value.item(), low.item(), high.item(), p_value)


def check_series(series: Float[Tensor, " n"], least: int) -> None:
    """Refuse a series of which nothing can be measured.

    Args:
        series: one number after the other.
        least: so many are needed.

    Raises:
        ValueError: when it is not one series, too short, not finite, or constant up to rounding.
    """
    check_shape("a series", series, "values")
    if len(series) < least:
        raise ValueError(f"the series must have at least {least} values, got {len(series)}")
    if not series.isfinite().all():
        first = int((~series.isfinite()).nonzero()[0])
        raise UndefinedError(f"the series must be finite, got {series[first].item()} at {first}")
    series = series.double()
    # Sums of these numbers have rounding errors of about 1e-16 of the largest.
    if (series - series[0]).abs().max() <= 1e-12 * series.abs().max():
        raise UndefinedError(
            f"the series must not be constant, got {series[0].item():g} throughout, up to rounding"
        )
