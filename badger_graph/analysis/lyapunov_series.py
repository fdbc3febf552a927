"""How fast the neighbours in a series part: its largest Lyapunov exponent, beside that of noise."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from badger_graph.analysis.checks import UndefinedError
from badger_graph.analysis.surrogates import SurrogateTest, against_shuffled, check_series
from topologies.checks import checked, size

PIECE = 256
"""Points of a series whose distances to all others are held at once."""


@checked(dimension=size(), delay=size(), horizon=size(), exclusion=size(0))
def lyapunov_of_series(
    series: Float[Tensor, " n"],
    dimension: int = 3,
    delay: int = 1,
    horizon: int = 5,
    exclusion: int = 10,
) -> float:
    r"""The largest Lyapunov exponent of a series, by how fast its nearest neighbours part.

    .. math::
        X_t = (x_t, x_{t + \tau}, \dots, x_{t + (m - 1) \tau}), \qquad
        \big\langle \log |X_{t + k} - X_{t' + k}| \big\rangle_t \approx c + \lambda k

    with :math:`X_{t'}` the nearest neighbour of :math:`X_t` that is more than ``exclusion`` values
    away. The exponent is the slope of the mean for :math:`k = 0 \dots K`; K must be short enough
    for neighbours to be still near each other. Noise gives a positive number, too: neighbours by
    chance part at once; so show it by :func:`lyapunov_test`.

    Source: Rosenstein et al. 1993, "A practical method for calculating largest Lyapunov exponents
    from small data sets"; the blog took it of the end of the training curve ("Plateaus in
    training").

    Args:
        series: values at equal distances in time.
        dimension: m, values in an embedded point.
        delay: tau, between two of them.
        horizon: K, values over which neighbours are followed.
        exclusion: values so near in time are no neighbours.

    Raises:
        ValueError: when an argument is too small, or the series too short, not finite, constant
            up to rounding, or periodic.
    """
    # Every point needs a neighbour far enough in time, before or after it.
    check_series(series, (dimension - 1) * delay + horizon + 2 * exclusion + 20)
    series = series.double()
    series = series / series.abs().max()  # or squares might overflow
    points = series.unfold(0, (dimension - 1) * delay + 1, 1)[:, ::delay]
    start = torch.arange(len(points) - horizon, device=series.device)
    neighbour = torch.cat(
        [_nearest(points, piece, exclusion, len(start)) for piece in start.split(PIECE)]
    )
    ahead = torch.arange(horizon + 1, device=series.device)[:, None]
    apart = (points[start + ahead] - points[neighbour + ahead]).norm(dim=-1)
    parts = apart > 1e-12 * (series.max() - series.min())
    if not parts.any(dim=1).all():
        raise UndefinedError("neighbours must part, got a series that repeats itself")
    log = torch.where(parts, apart, 1).log()
    mean = log.sum(dim=1) / parts.sum(dim=1)
    time = ahead[:, 0].to(mean) - horizon / 2
    return (time @ mean / time.square().sum()).item()


def lyapunov_test(
    series: Float[Tensor, " n"],
    generator: torch.Generator,
    num_surrogates: int = 199,
    **embedding: int,
) -> SurrogateTest:
    """The exponent of a series beside those of shuffled copies, which are noise.

    A positive exponent within their interval is that of noise, and says nothing of chaos.

    Args:
        series: as in :func:`lyapunov_of_series`.
        generator: source of the orders.
        num_surrogates: how many copies.
        **embedding: the other arguments of :func:`lyapunov_of_series`.

    Raises:
        ValueError: from :func:`lyapunov_of_series` and :func:`against_shuffled`.
    """

    def measure(rows: Float[Tensor, "S n"]) -> Float[Tensor, " S"]:
        exponents = [lyapunov_of_series(row, **embedding) for row in rows]
        return torch.tensor(exponents, dtype=torch.float64)

    return against_shuffled(measure, series, generator, num_surrogates)


def _nearest(points: Tensor, piece: Tensor, exclusion: int, candidates: int) -> Tensor:
    distance = torch.cdist(
        points[piece], points[:candidates], compute_mode="donot_use_mm_for_euclid_dist"
    )
    gap = (piece[:, None] - torch.arange(candidates, device=piece.device)).abs()
    return distance.masked_fill(gap <= exclusion, torch.inf).argmin(dim=1)
