"""Curves of several seeds, panel by panel: the figure of most experiments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.path import Path
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Bbox, BboxBase

from badger_graph.plots.style import BLUE, DASHED, MAX_OUTPUTS, MUTED, output_colours, styled

WIDTH, HEIGHT, COLUMNS = 6.4, 4.4, 2

LEGEND_LINE = 0.22
"""Height of a line of the legend, in inches."""

WAYS = np.array([(1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1)])
DISTANCES = (5, 12, 20, 30, 42, 56)
"""Ways from a point, and typographic points between it and its name, the best first."""

NAME: Any = {"ha": "center", "va": "center", "fontsize": 8.5}
LINE = {"arrowstyle": "-", "color": MUTED, "linewidth": 0.6, "shrinkA": 0, "shrinkB": 3}
"""A name beside a point, with a thin line between the two where they are far from each other."""


@styled
def panels(drawn: Sequence[Mapping[str, Any]]) -> Figure:
    """One panel a question: the mean over seeds, and each seed as a thin line.

    Where every curve is a single point, its name stands beside it. More curves than can be told
    apart by colour have their legend below the axes, and the later ones are dashed.

    Args:
        drawn: of each panel ``title``, ``x``, ``y`` (names of the axes), ``log`` (whether the
            second is logarithmic), ``curves`` (by name ``x``, ``[points]``, and ``y``,
            ``[seeds][points]``, none where a seed has no value), ``lines`` (by name, one number
            to compare with) and, if so, ``log_x`` (the first is logarithmic, too, and points at
            zero are left out).

    Raises:
        ValueError: when there is no panel.
    """
    if not drawn:
        raise ValueError("a figure needs at least one panel, got none")
    columns = min(COLUMNS, len(drawn))
    rows = [drawn[k : k + columns] for k in range(0, len(drawn), columns)]
    heights = [HEIGHT + LEGEND_LINE * max(map(_lines_below, row)) for row in rows]
    figure = Figure(figsize=(WIDTH * columns, sum(heights)), layout="constrained")
    grid = figure.subplots(len(rows), columns, squeeze=False).flatten()
    for axes, panel in zip(grid, drawn, strict=False):
        _draw(axes, panel)
    for axes in grid[len(drawn) :]:
        axes.remove()
    figure.draw_without_rendering()  # where names have room is known when all is in its place
    for axes, panel in zip(grid, drawn, strict=False):
        if _are_points(panel):
            _name_points(axes, figure.dpi / 72)
    return figure


def _are_points(panel: Mapping[str, Any]) -> bool:
    return all(len(curve["x"]) == 1 for curve in panel["curves"].values())


def _lines_below(panel: Mapping[str, Any]) -> int:
    """Of a legend below the axes."""
    names = len(panel["curves"])
    return 0 if names <= MAX_OUTPUTS or _are_points(panel) else -(-names // _columns_below(panel))


def _columns_below(panel: Mapping[str, Any]) -> int:
    """Two, or more where the names are short."""
    return max(2, 60 // (8 + max(map(len, panel["curves"]))))


def _draw(axes: Axes, panel: Mapping[str, Any]) -> None:
    curves = panel["curves"]
    many = len(curves) > MAX_OUTPUTS
    for k, (name, curve) in enumerate(curves.items()):
        x = np.asarray(curve["x"], dtype=float)
        seeds = np.asarray(curve["y"], dtype=float)  # none becomes nan: a gap
        if panel.get("log_x"):
            x, seeds = x[x > 0], seeds[:, x > 0]
        colour = BLUE if _are_points(panel) else output_colours(len(curves))[k]
        if len(seeds) > 1:
            axes.plot(x, seeds.T, color=colour, linewidth=0.7, alpha=0.2 if many else 0.45)
        known = np.isfinite(seeds).sum(axis=0)
        mean = np.where(known, np.nansum(seeds, axis=0) / np.maximum(known, 1), np.nan)
        marker = "o" if len(x) < 12 else None
        dashes = "-" if k < MAX_OUTPUTS else DASHED
        axes.plot(x, mean, color=colour, ls=dashes, lw=2.2, marker=marker, ms=4, label=name)
    _draw_lines(axes, panel["lines"])
    axes.set(title=panel["title"], xlabel=panel["x"], ylabel=panel["y"])
    axes.set(xscale="log" if panel.get("log_x") else "linear")
    if panel["x"].endswith("step") and not panel.get("log_x"):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(yscale="log" if panel["log"] else "linear")
    if _are_points(panel):
        axes.margins(0.12)
    elif many:
        columns = _columns_below(panel)
        below = (0.5, -0.16)
        axes.legend(fontsize=9, ncols=columns, loc="upper center", bbox_to_anchor=below)
    elif len(curves) > 1:
        axes.legend(fontsize=9)


def _draw_lines(axes: Axes, lines: Mapping[str, float]) -> None:
    for name, value in lines.items():
        axes.axhline(value, color=MUTED, linewidth=1, linestyle=":", zorder=1)
        axes.annotate(
            name,
            (1, value),
            xycoords=("axes fraction", "data"),
            color=MUTED,
            fontsize=9,
            ha="right",
            va="bottom",
        )


def _name_points(axes: Axes, pixels: float) -> None:
    """Each name at that place around its point where it covers least, inside of the axes; with
    so many pixels in a typographic point.
    """
    lines = [(str(line.get_label()), np.asarray(line.get_xydata())) for line in axes.get_lines()]
    points = {
        name: (float(xy[0, 0]), float(xy[0, 1]))
        for name, xy in lines
        if not name.startswith("_") and len(xy) and np.isfinite(xy).all()
    }
    centres = [axes.transData.transform(xy) for xy in points.values()]
    taken = [_box(centre, 8 * pixels) for centre in centres]
    for (name, xy), centre in zip(points.items(), centres, strict=True):
        text = axes.annotate(name, xy, **NAME)
        size = np.array(text.get_window_extent().size)
        shifts = [way * (size / 2 + far * pixels) for far in DISTANCES for way in WAYS]
        covered = [_covered(centre, shift, size, taken, axes.bbox) for shift in shifts]
        best = int(np.argmin(covered))  # the first of equals
        taken.append(_box(centre + shifts[best], size))
        text.remove()
        near_end = tuple((1 - WAYS[best % len(WAYS)]) / 2)
        arrow = {**LINE, "relpos": near_end}
        place = tuple(shifts[best] / pixels)
        axes.annotate(name, xy, place, textcoords="offset points", arrowprops=arrow, **NAME)


def _covered(centre: Any, shift: Any, size: Any, taken: list[Bbox], axes: BboxBase) -> int:
    """How bad a place is: names and points that it covers, above those that its line crosses."""
    box, line = _box(centre + shift, size), Path([centre, centre + shift])
    crossed = sum(line.intersects_bbox(other) for other in taken)
    outside = (np.array(Bbox.union([box, axes]).size) > axes.size).any()
    return 1000 * int(outside) + 20 * box.count_overlaps(taken) + crossed


def _box(centre: Any, size: Any) -> Bbox:
    return Bbox([centre - size / 2, centre + size / 2])
