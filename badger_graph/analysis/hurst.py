"""Does a series remember where it came from: the Hurst exponent."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from badger_graph.analysis.checks import UndefinedError
from badger_graph.analysis.surrogates import SurrogateTest, against_shuffled, check_series
from topologies.checks import checked

SHORTEST_WINDOW = 8
"""Shorter ones do not follow the power law: white noise has F^2(s) = s / 15 (1 - 4 / s^2)."""

WINDOWS = 4
"""Windows in the longest scale: fewer would not give a mean."""

LEAST = 64
"""Values of a series: scales from 8 to 16, and so a slope."""

SCALES = 16


@checked()
def hurst_exponent(series: Float[Tensor, " n"]) -> float:
    r"""The Hurst exponent by detrended fluctuation analysis of order 1.

    .. math::
        y_t = \sum_{u \le t} (x_u - \bar x), \qquad
        F^2(s) = \big\langle (y_t - \text{line through the window of } t)^2 \big\rangle, \qquad
        F(s) \propto s^H

    The series is taken as increments: white noise has H = 0.5, a series whose moves persist more,
    one that turns back less, and a random walk, which is no noise, 1.5. Windows of each of up to
    16 lengths s, from 8 to n / 4, are laid from both ends; H is the slope of log F against log s.
    A short series scatters widely about its exponent, so show it by :func:`hurst_test`.

    Source: Peng et al. 1994, "Mosaic organization of DNA nucleotides"; windows from both ends as
    in Kantelhardt et al. 2001, "Detecting long-range correlations with detrended fluctuation
    analysis".

    Raises:
        ValueError: when the series is shorter than 64, not finite or constant, or a line in every
            window.
    """
    check_series(series, LEAST)
    return _exponents(series.double()[None])[0].item()


@checked()
def hurst_test(
    series: Float[Tensor, " n"], generator: torch.Generator, num_surrogates: int = 199
) -> SurrogateTest:
    """The Hurst exponent beside those of shuffled copies, whose own is 0.5 but for chance.

    Args:
        series: as in :func:`hurst_exponent`.
        generator: source of the orders.
        num_surrogates: how many copies.

    Raises:
        ValueError: from :func:`hurst_exponent` and :func:`against_shuffled`.
    """
    check_series(series, LEAST)
    return against_shuffled(_exponents, series, generator, num_surrogates)


def _exponents(rows: Float[Tensor, "S n"]) -> Float[Tensor, " S"]:
    length = rows.size(1)
    rows = rows / rows.abs().amax(dim=1, keepdim=True)  # or squares might overflow
    profile = (rows - rows.mean(dim=1, keepdim=True)).cumsum(dim=1)
    ends = math.log(SHORTEST_WINDOW), math.log(length // WINDOWS)
    scales = torch.linspace(ends[0], ends[1], SCALES).exp().round().int().unique().tolist()
    fluctuation = torch.stack([_fluctuation(profile, scale) for scale in scales])
    # Rounding alone leaves about 1e-16 of the values, and the logarithm of nothing is no slope.
    flat = fluctuation <= 1e-12
    if flat.any():
        scale = scales[int(flat.any(dim=1).nonzero()[0])]
        raise UndefinedError(
            "the series must fluctuate within windows, got one whose sum is a line in every "
            f"window of {scale} values"
        )
    return _slope(torch.tensor(scales).to(rows).log(), fluctuation.log())


def _fluctuation(profile: Float[Tensor, "S n"], scale: int) -> Float[Tensor, " S"]:
    """Root mean square distance from the lines through all windows."""
    fitting = profile.size(1) // scale * scale
    both = torch.stack([profile[:, :fitting], profile[:, -fitting:]], dim=1)
    windows = both.unflatten(2, (-1, scale))  # [S, 2, windows, scale]
    time = torch.arange(scale).to(profile)
    time = (time - time.mean()) / (time - time.mean()).norm()
    centred = windows - windows.mean(dim=-1, keepdim=True)
    residual = centred - (centred @ time)[..., None] * time
    return residual.square().mean(dim=(1, 2, 3)).sqrt()


def _slope(x: Float[Tensor, " k"], y: Float[Tensor, "k S"]) -> Float[Tensor, " S"]:
    """Slope of the line through y by least squares."""
    centred = x - x.mean()
    return centred @ (y - y.mean(dim=0)) / centred.square().sum()
