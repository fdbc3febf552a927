"""The agent beside the baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from badger_graph.plots.style import (
    ERROR_FLOOR,
    GREEN,
    INK,
    MUTED,
    ORANGE,
    OUTPUT_COLOURS,
    PURPLE,
    SKY,
    VERMILLION,
    apart,
    count,
    dot,
    drawable,
    floor_below,
    integer_ticks,
    mark_zero,
    new_figure,
    styled,
)

AGENT, ALWAYS_ZERO, EXACT_SOLVER = "agent", "always zero", "exact solver"

METHOD_COLOURS = {
    AGENT: VERMILLION,
    ALWAYS_ZERO: MUTED,
    "random search": SKY,
    "CMA-ES": PURPLE,
    "Nelder-Mead": ORANGE,
    "COBYLA": GREEN,
    EXACT_SOLVER: INK,
}

LOOKS: dict[str, dict[str, Any]] = {
    AGENT: {"linewidth": 3.5, "zorder": 4},
    EXACT_SOLVER: {"linewidth": 1.8, "zorder": 3, "linestyle": (0, (4, 2))},
}

ROLES = {ALWAYS_ZERO: " (chance)", EXACT_SOLVER: " (limit)"}

UNITS = {"mse": " (MSE)", "l1": " (L1)"}


@styled
def error_after_queries(evaluation: Mapping[str, Any]) -> Figure:
    """The error after each number of queries: the agent, the baselines, and the limit.

    Args:
        evaluation: ``errors`` (one list of T numbers a method), ``standard_error`` (likewise,
            of any of the methods), ``chance``, ``num_outputs``, ``num_experts`` and, for the
            unit of the error, ``task`` as in ``evaluation.json``.

    Raises:
        ValueError: when the methods have different numbers of queries.
    """
    errors = {name: np.asarray(e, dtype=np.float64) for name, e in evaluation["errors"].items()}
    if len({e.shape for e in errors.values()}) != 1:
        lengths = {name: e.size for name, e in errors.items()}
        raise ValueError(f"every method needs as many errors as queries, got {lengths}")
    floor = floor_below([e for name, e in errors.items() if name != EXACT_SOLVER])
    figure, axes = new_figure(9.0, 5.4)
    lines = []
    for i, (name, error) in enumerate(errors.items()):
        colour = METHOD_COLOURS.get(name, OUTPUT_COLOURS[i % len(OUTPUT_COLOURS)])
        spread = np.asarray(evaluation["standard_error"].get(name, 0.0), dtype=np.float64)
        lines.append(_draw_method(axes, name, error, spread, floor, colour))
    chance = axes.axhline(evaluation["chance"], color=MUTED, linewidth=1, label="chance", zorder=1)
    _set_axes(axes, evaluation, lowest=min(np.nanmin(line.get_ydata()) for line in lines))
    if any((error <= ERROR_FLOOR).any() for error in errors.values()):
        mark_zero(axes, floor)
    # Where it was left out the feedback is coarser than the error, and the limit does not hold.
    if EXACT_SOLVER in errors:
        _mark_limit(axes, int(evaluation["num_outputs"]) + 1)
    _name_lines(axes, lines if ALWAYS_ZERO in errors else [*lines, chance])
    return figure


def _draw_method(
    axes: Axes,
    name: str,
    error: NDArray[np.float64],
    spread: NDArray[np.float64],
    floor: float,
    colour: str,
) -> Line2D:
    """A line, in a band of one standard error on either side."""
    query = np.arange(1, len(error) + 1)
    low, high = drawable(error - spread, floor), drawable(error + spread, floor)
    axes.fill_between(query, low, high, color=colour, alpha=0.18, linewidth=0)
    look = LOOKS.get(name, {"linewidth": 1.8, "zorder": 3}) | dot(query)
    return axes.plot(query, drawable(error, floor), color=colour, label=name, **look)[0]


def _set_axes(axes: Axes, evaluation: Mapping[str, Any], lowest: float) -> None:
    unit = UNITS.get(evaluation.get("task", {}).get("init_args", {}).get("error"), "")
    axes.set(yscale="log", xlabel="number of queries", ylabel=f"error{unit} of the answer")
    axes.set_ylim(lowest * 0.45, None)
    axes.set_xlim(1, max(len(next(iter(evaluation["errors"].values()))), 2))
    integer_ticks(axes)
    numbers = count(evaluation["num_outputs"], "number")
    axes.set_title(f"{numbers} guessed by {count(evaluation['num_experts'], 'expert')}")


def _mark_limit(axes: Axes, query: int) -> None:
    first, last = axes.get_xlim()
    if query > last:
        return
    axes.axvline(query, color=MUTED, linewidth=1, linestyle=":", gid="limit", zorder=1)
    left = query > (first + last) / 2
    axes.annotate(
        f"d + 1 = {query} queries determine the target",
        (query, axes.get_ylim()[0]),
        xytext=(-5 if left else 5, 6),
        textcoords="offset points",
        ha="right" if left else "left",
        fontsize=11,
        color=MUTED,
    )


def _name_lines(axes: Axes, lines: Sequence[Line2D]) -> None:
    """Write the name of each line at its right end, moved apart where they would overlap."""
    lines = sorted((line for line in lines if np.isfinite(_end(line))), key=_end)
    heights = axes.transAxes.inverted().transform(
        axes.transData.transform([(1.0, _end(line)) for line in lines])
    )[:, 1]
    places = apart(heights.tolist(), gap=0.055)
    places -= max(places.max(initial=0.0) - 1, 0.0)  # none above the top
    for line, height in zip(lines, places, strict=True):
        name = str(line.get_label())
        axes.annotate(
            name + ROLES.get(name, ""),
            (1.015, height),
            xycoords="axes fraction",
            va="center",
            color=line.get_color(),
            fontweight="bold" if name == AGENT else "normal",
            fontsize=11,
            annotation_clip=False,
        )


def _end(line: Line2D) -> float:
    """The last finite value of a line."""
    y = np.asarray(line.get_ydata(), dtype=np.float64)
    y = y[np.isfinite(y)]
    return float(y[-1]) if len(y) else np.nan
