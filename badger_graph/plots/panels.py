"""Curves of several seeds, panel by panel: the figure of most experiments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from matplotlib.ticker import MaxNLocator

from badger_graph.plots.points import are_points, draw_points, name_points
from badger_graph.plots.style import (
    DASHED,
    MAX_OUTPUTS,
    apart,
    draw_level,
    output_colours,
    styled,
)

WIDTH, HEIGHT, COLUMNS = 6.4, 4.4, 2

LEGEND_LINE = 0.22
"""Height of a line of the legend, in inches."""

BELOW_NAMES = 4.4
"""From the axes to the legend below their numbers and name, in its letters' size."""

WIDEST, NARROWEST = 3.4, 1.4
"""Curves get narrower between these, so that where all are one the first show behind the last."""


@styled
def panels(descriptions: Sequence[Mapping[str, Any]]) -> Figure:
    """One panel a question: the median over seeds, and each seed as a thin line.

    The median is of the seeds that have a value at an x. It jumps where seeds do, and a mean of
    seeds that jump at different times has plateaus that none of them has.

    The legend of several curves is below the axes; those beyond the colours that can be told apart
    are dashed. Names of lines to compare with are right of the axes. Where a panel says where what
    never got there is to be drawn, it is of points: see :mod:`badger_graph.plots.points`.

    Args:
        descriptions: of each panel ``title``, ``x``, ``y`` (names of the axes), ``log`` (whether
            the second is logarithmic), ``curves`` (by name ``x``, ``[points]``, and ``y``,
            ``[seeds][points]``, none where a seed has no value), ``lines`` (by name, one number
            to compare with) and, if so, ``log_x`` (the first is logarithmic, too, and points at
            zero are left out) and ``never`` (of points, the last height that could be reached).

    Raises:
        ValueError: when there is no panel.
    """
    if not descriptions:
        raise ValueError("a figure needs at least one panel, got none")
    columns = min(COLUMNS, len(descriptions))
    rows = [descriptions[k : k + columns] for k in range(0, len(descriptions), columns)]
    heights = [HEIGHT + LEGEND_LINE * max(map(_lines_below, row)) for row in rows]
    figure = Figure(figsize=(WIDTH * columns, sum(heights)), layout="constrained")
    grid = figure.subplots(len(rows), columns, squeeze=False).flatten()
    for axes, panel in zip(grid, descriptions, strict=False):
        _draw(axes, panel)
    for axes in grid[len(descriptions) :]:
        axes.remove()
    figure.draw_without_rendering()  # where names have room is known when all is in its place
    for axes, panel in zip(grid, descriptions, strict=False):
        _part_names(axes, figure.dpi / 72)
        if are_points(panel):
            name_points(axes, panel, figure.dpi / 72)
    return figure


def _lines_below(panel: Mapping[str, Any]) -> int:
    """Of a legend below the axes."""
    names = len(panel["curves"])
    return 0 if names < 2 or are_points(panel) else -(-names // _columns_below(panel))


def _columns_below(panel: Mapping[str, Any]) -> int:
    """Two, or more where the names are short."""
    return max(2, 60 // (8 + max(map(len, panel["curves"]))))


def _draw(axes: Axes, panel: Mapping[str, Any]) -> None:
    (draw_points if are_points(panel) else _draw_curves)(axes, panel)
    for name, value in panel["lines"].items():
        draw_level(axes, value, name)
    axes.set(title=panel["title"], xlabel=panel["x"], ylabel=panel["y"])
    above_zero = any(x > 0 for curve in panel["curves"].values() for x in curve["x"])
    axes.set(xscale="log" if panel.get("log_x") and above_zero else "linear")
    if panel["x"].endswith("step") and not panel.get("log_x"):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(yscale="log" if panel["log"] else "linear")


def _draw_curves(axes: Axes, panel: Mapping[str, Any]) -> None:
    curves = panel["curves"]
    widths = np.linspace(WIDEST, NARROWEST, len(curves) + 2)[1:-1]
    for k, (name, curve) in enumerate(curves.items()):
        x = np.asarray(curve["x"], dtype=float)
        seeds = np.ma.masked_invalid(np.asarray(curve["y"], dtype=float))  # none is nan: a gap
        if panel.get("log_x"):
            x, seeds = x[x > 0], seeds[:, x > 0]
        colour = output_colours(len(curves))[k]
        if len(seeds) > 1:
            axes.plot(x, seeds.T, color=colour, linewidth=0.8, alpha=0.5, zorder=2)
        median = np.ma.median(seeds, axis=0).filled(np.nan)
        marker = {"marker": "o", "markersize": 4} if len(x) < 12 else {}
        look = {"linewidth": widths[k], "linestyle": "-" if k < MAX_OUTPUTS else DASHED, **marker}
        axes.plot(x, median, color=colour, label=name, zorder=3, **look)
    if len(curves) > 1:
        axes.legend(
            fontsize=9,
            ncols=_columns_below(panel),
            loc="upper center",
            bbox_to_anchor=(0.5, 0),
            borderaxespad=BELOW_NAMES,
        )


def _part_names(axes: Axes, pixels: float) -> None:
    """Names of lines that are nearly one another, moved up and down until they can be read."""
    names = [text for text in axes.texts if isinstance(text, Annotation)]
    if not names:
        return
    names.sort(key=lambda name: name.xy[1])
    boxes = [name.get_window_extent() for name in names]
    centres = [(box.y0 + box.y1) / 2 for box in boxes]
    parted = apart(centres, max(box.height for box in boxes))
    for name, centre, place in zip(names, centres, parted, strict=True):
        name.xyann = (name.xyann[0], (place - centre) / pixels)
