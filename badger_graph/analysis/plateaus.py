"""Where a training curve stands still."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from topologies.checks import checked, interval, size

BLOCKS = 400
"""A longer curve is taken in so many blocks, by their medians."""

SHORTEST = 5
"""Points of a piece: a line through fewer says nothing about the noise around it."""


class Plateau(NamedTuple):
    """A stretch of a training curve in which the error hardly falls.

    Args:
        start: its first outer step.
        stop: the first outer step after it, at which it is escaped; or the last of the curve.
        level: median error.
        escaped: whether the curve goes on after it.
    """

    start: int
    stop: int
    level: float
    escaped: bool


@checked(least=size(SHORTEST), share=interval(0, 1, "()"))
def find_plateaus(
    series: Float[Tensor, " n"],
    steps: Int[Tensor, " n"] | None = None,
    least: int = 20,
    share: float = 0.2,
) -> list[Plateau]:
    r"""The plateaus of a training curve, the last of which may be its floor.

    The logarithm of the error is cut into straight pieces, each with noise of its own,

    .. math::
        \min \sum_{p} \Big( \frac{n_p}{2} \log(\hat\sigma_p^2 + \sigma_0^2)
            + \frac{k_p}{2} \log n \Big)

    with :math:`n_p` points in piece p and :math:`\hat\sigma_p^2` their mean squared distance from
    its fit: the Bayesian information criterion for :math:`k_p` numbers a piece, level, noise, edge
    and, where that costs less, a slope, minimised exactly by dynamic programming. Detail below
    :math:`\sigma_0`, an eighth of what ``share`` is in the logarithm, does not count, so that a
    smooth fall is no staircase.

    Pieces are one stretch as long as all their fits lie within ``share`` of each other, with gaps
    of fewer than ``least`` values between them, as spikes leave; stretches of at least ``least``
    values are plateaus. So levels must differ by more than ``share`` to be two. The steps at which
    plateaus are escaped are ``[p.stop for p in plateaus if p.escaped]``.

    Source: Schwarz 1978 (the criterion); Jackson et al. 2005, "An algorithm for optimal
    partitioning of data on an interval".

    Args:
        series: the error, one value after the other.
        steps: the outer step of each value, by default its number.
        least: values of the shortest plateau.
        share: what the error may fall by within a plateau, of itself.

    Raises:
        ValueError: when ``least`` is below 5 or ``share`` not between 0 and 1; when the series is
            shorter than the shortest plateau, or an error not finite or not positive; when the
            steps are not one for each value, rising.
    """
    _check(series, steps, least)
    steps = torch.arange(len(series)) if steps is None else steps
    tolerance = -math.log1p(-share)
    width = -(-len(series) // BLOCKS)
    blocks = series.double().log().split(width)
    smooth = torch.stack([block.quantile(0.5) for block in blocks])
    plateaus = []
    for stretch in _stretches(smooth, tolerance, gap=-(-least // width)):
        start, stop = stretch.first * width, min(stretch.stop * width, len(series))
        if stop - start < least:
            continue
        escaped = stop < len(series)
        level = series[start:stop].double().quantile(0.5).item()
        end = steps[stop] if escaped else steps[-1]
        plateaus.append(Plateau(int(steps[start]), int(end), level, escaped))
    return plateaus


class _Stretch(NamedTuple):
    """Points from ``first``, before ``stop``, and between which values their fits lie."""

    first: int
    stop: int
    low: float
    high: float

    def join(self, other: _Stretch) -> _Stretch:
        low, high = min(self.low, other.low), max(self.high, other.high)
        return _Stretch(self.first, other.stop, low, high)

    def level(self, tolerance: float) -> bool:
        return self.high - self.low < tolerance


def _stretches(smooth: Float[Tensor, " m"], tolerance: float, gap: int) -> list[_Stretch]:
    """Runs of pieces within which the curve keeps to its level, but for gaps that are short."""
    stretches: list[_Stretch] = []
    for piece in _pieces(smooth, tolerance / 8):
        for place, before in enumerate(stretches):
            near = piece.first - before.stop < gap
            if near and before.join(piece).level(tolerance):
                stretches[place:] = [before.join(piece)]
                break
        else:
            if piece.level(tolerance):
                stretches.append(piece)
    return stretches


def _pieces(smooth: Float[Tensor, " m"], resolution: float) -> list[_Stretch]:
    """The pieces of least cost, in their order."""
    count = len(smooth)
    cost, one_end, other_end = _fits(smooth.cpu(), resolution)
    best = torch.full((count + 1,), torch.inf, dtype=cost.dtype)
    best[0] = 0
    start = [0] * (count + 1)
    for stop in range(1, count + 1):
        total = best[:stop] + cost[:stop, stop]
        start[stop] = int(total.argmin())
        best[stop] = total[start[stop]]
    pieces = []
    stop = count
    while stop:
        first = start[stop]
        ends = one_end[first, stop].item(), other_end[first, stop].item()
        pieces.append(_Stretch(first, stop, min(ends), max(ends)))
        stop = first
    return pieces[::-1]


def _fits(value: Float[Tensor, " m"], resolution: float) -> tuple[Tensor, Tensor, Tensor]:
    """Of every piece ``[first, stop)``: its cost, infinite if too short, and its fit at both ends.

    Shapes:
        - **each:** ``[m + 1, m + 1]``, by first and stop
    """
    mean = value.mean()
    value = value - mean  # or large sums would swallow small differences
    time = torch.arange(len(value), dtype=value.dtype)
    moments = torch.stack([torch.ones_like(time), time, time**2, value, value**2, time * value])
    sums = F.pad(moments.cumsum(dim=1), (1, 0))
    n, t, tt, y, yy, ty = sums[:, None, :] - sums[:, :, None]
    long_enough = n >= SHORTEST
    n = n.clamp(min=1)
    level = y / n
    spread = (tt - t * t / n).clamp(min=1)
    slope = (ty - t * level) / spread
    about_level = (yy - y * level).clamp(min=0)
    about_line = (about_level - slope * slope * spread).clamp(min=0)
    # Level, noise and edge; a slope must pay for one number more.
    flat = _minus_likelihood(about_level, n, resolution) + 1.5 * math.log(len(value))
    line = _minus_likelihood(about_line, n, resolution) + 2.0 * math.log(len(value))
    half = torch.where(flat <= line, 0, slope * (n - 1) / 2)
    cost = torch.minimum(flat, line).masked_fill(~long_enough, torch.inf)
    return cost, mean + level - half, mean + level + half


def _minus_likelihood(squares: Tensor, n: Tensor, resolution: float) -> Tensor:
    return n / 2 * (squares / n + resolution**2).log()


def _check(series: Tensor, steps: Tensor | None, least: int) -> None:
    if series.dim() != 1 or len(series) < least:
        raise ValueError(
            f"the series must have one dimension and at least the {least} values of a plateau, "
            f"got {list(series.shape)}"
        )
    wrong = ~(series.isfinite() & (series > 0))
    if wrong.any():
        first = int(wrong.nonzero()[0])
        raise ValueError(
            f"errors must be finite and positive, got {series[first].item()} at {first}"
        )
    if steps is None:
        return
    if steps.shape != series.shape:
        raise ValueError(
            f"steps must be one for each of the {len(series)} values, got {list(steps.shape)}"
        )
    if (steps.diff() <= 0).any():
        before = int((steps.diff() <= 0).nonzero()[0])
        raise ValueError(
            f"steps must rise, got {int(steps[before + 1])} after {int(steps[before])}"
        )
