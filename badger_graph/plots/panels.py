"""Curves of several seeds, panel by panel: the figure of most experiments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from badger_graph.plots.style import MUTED, output_colours, styled

WIDTH, HEIGHT, COLUMNS = 6.4, 4.4, 2


@styled
def panels(drawn: Sequence[Mapping[str, Any]]) -> Figure:
    """One panel a question: the mean over seeds, and each seed as a thin line.

    Args:
        drawn: of each panel ``title``, ``x``, ``y`` (names of the axes), ``log`` (whether the
            second is logarithmic), ``curves`` (by name ``x``, ``[points]``, and ``y``,
            ``[seeds][points]``, none where a seed has no value) and ``lines`` (by name, one number
            to compare with).

    Raises:
        ValueError: when there is no panel.
    """
    if not drawn:
        raise ValueError("a figure needs at least one panel, got none")
    columns = min(COLUMNS, len(drawn))
    rows = -(-len(drawn) // columns)
    figure = Figure(figsize=(WIDTH * columns, HEIGHT * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).flatten()
    for axes, panel in zip(grid, drawn, strict=False):
        _draw(axes, panel)
    for axes in grid[len(drawn) :]:
        axes.remove()
    return figure


def _draw(axes: Axes, panel: Mapping[str, Any]) -> None:
    names = list(panel["curves"])
    for colour, name in zip(output_colours(len(names)), names, strict=True):
        x = np.asarray(panel["curves"][name]["x"], dtype=float)
        seeds = np.asarray(panel["curves"][name]["y"], dtype=float)  # none becomes nan: a gap
        marker = "o" if len(x) < 12 else None
        if len(seeds) > 1:
            axes.plot(x, seeds.T, color=colour, linewidth=0.7, alpha=0.45)
        known = np.isfinite(seeds).sum(axis=0)
        mean = np.where(known, np.nansum(seeds, axis=0) / np.maximum(known, 1), np.nan)
        axes.plot(x, mean, color=colour, linewidth=2.2, marker=marker, markersize=4, label=name)
    for name, value in panel["lines"].items():
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
    axes.set(title=panel["title"], xlabel=panel["x"], ylabel=panel["y"])
    if panel["log"]:
        axes.set_yscale("log")
    if len(names) > 1:
        axes.legend(fontsize=9, ncols=1 + (len(names) > 6))
