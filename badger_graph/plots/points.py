"""Points of several seeds: how far each got, and how many never did."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.path import Path
from matplotlib.transforms import Bbox, BboxBase

from badger_graph.plots.style import BLUE, MUTED, draw_level

WAYS = np.array([(1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1)])
DISTANCES = (5, 12, 20, 30, 42, 56)
"""Ways from a point, and typographic points between it and its name, the best first."""

NAME: Any = {"ha": "center", "va": "center", "fontsize": 8.5}
LINE = {"arrowstyle": "-", "color": MUTED, "linewidth": 0.6, "shrinkA": 0, "shrinkB": 3}
"""A name beside a point, with a thin line between the two where they are far from each other."""

ABOVE = 1.1
"""What never got there is drawn above the last height that could be reached by this factor."""


def are_points(panel: Mapping[str, Any]) -> bool:
    """Whether a panel is of points."""
    return panel.get("never") is not None


def draw_points(axes: Axes, panel: Mapping[str, Any]) -> None:
    """A small point for each seed, hollow where it never got there, and a large one at the median
    of all, to which each is tied; hollow where most never did.

    A median needs no value of those that never got there, only that it were higher.
    """
    never = ABOVE * panel["never"]
    draw_level(axes, never, f"not within {panel['never']:,}")
    tie: dict[str, Any] = {"color": BLUE, "linewidth": 0.8, "alpha": 0.35, "zorder": 2}
    for curve in panel["curves"].values():
        x, (heights,) = curve["x"], curve["y"]
        centre, middle = _middle(curve)
        for place, height in zip(x, heights, strict=True):
            to = never if height is None else height
            axes.plot([centre, place], [min(middle, never), to], **tie)
            axes.plot(place, to, markersize=4, zorder=3, **_marker(height is None))
        axes.plot(centre, min(middle, never), markersize=7.5, zorder=4, **_marker(middle > never))
    axes.margins(0.12)


def name_points(axes: Axes, panel: Mapping[str, Any], pixels: float) -> None:
    """Each name at that place around its median where it covers least, inside of the axes; with so
    many pixels in a typographic point.
    """
    axes.set_yticks([tick for tick in axes.get_yticks() if 0 <= tick <= panel["never"]])
    never = ABOVE * panel["never"]
    middles = {name: _middle(curve) for name, curve in panel["curves"].items()}
    points = {name: (x, min(y, never)) for name, (x, y) in middles.items()}
    lines = [np.asarray(line.get_xydata()) for line in axes.get_lines()]
    dots = [line[0] for line in lines if len(line) == 1]
    centres = [axes.transData.transform(xy) for xy in points.values()]
    boxes = [_box(axes.transData.transform(xy), 8 * pixels) for xy in dots]
    for (name, xy), centre in zip(points.items(), centres, strict=True):
        text = axes.annotate(name, xy, **NAME)
        size = np.array(text.get_window_extent().size)
        shifts = [way * (size / 2 + far * pixels) for far in DISTANCES for way in WAYS]
        covered = [_covered(centre, shift, size, boxes, axes.bbox) for shift in shifts]
        best = int(np.argmin(covered))  # the first of equals
        boxes.append(_box(centre + shifts[best], size))
        text.remove()
        near_end = tuple((1 - WAYS[best % len(WAYS)]) / 2)
        arrow = {**LINE, "relpos": near_end}
        place = tuple(shifts[best] / pixels)
        axes.annotate(name, xy, place, textcoords="offset points", arrowprops=arrow, **NAME)


def _middle(curve: Mapping[str, Any]) -> tuple[float, float]:
    """Medians of places and of heights; infinitely high where most never got there."""
    heights = [math.inf if height is None else height for height in curve["y"][0]]
    return statistics.median(curve["x"]), statistics.median(heights)


def _marker(hollow: bool) -> dict[str, Any]:
    return {"marker": "o", "color": BLUE, "markerfacecolor": "white" if hollow else BLUE}


def _covered(centre: Any, shift: Any, size: Any, boxes: list[Bbox], axes: BboxBase) -> int:
    """How bad a place is: names and points that it covers, above those that its line crosses."""
    box, line = _box(centre + shift, size), Path([centre, centre + shift])
    crossed = sum(line.intersects_bbox(other) for other in boxes)
    outside = (np.array(Bbox.union([box, axes]).size) > axes.size).any()
    return 1000 * int(outside) + 20 * box.count_overlaps(boxes) + crossed


def _box(centre: Any, size: Any) -> Bbox:
    return Bbox([centre - size / 2, centre + size / 2])
