"""The error around the moment in which living agents are changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from badger_graph.analysis.seeds import mean_and_bar
from badger_graph.plots.style import (
    INK,
    MUTED,
    drawable,
    integer_ticks,
    output_colours,
    styled,
)


@styled
def growth(result: Mapping[str, Any]) -> Figure:
    """One panel a situation, one line a change; the band is one standard error.

    Over agents, where there are more than one; of a single one over its tasks.

    Args:
        result: what :func:`badger_graph.experiments.paper.growth.growth` returns.
    """
    situations = result["situations"]
    figure = Figure(figsize=(6.4 * len(situations), 6.4), layout="constrained")
    panels = figure.subplots(1, len(situations), squeeze=False)[0]
    for axes, situation in zip(panels, situations, strict=True):
        _draw(axes, situation)
    panels[0].set_ylabel("error (MSE), mean over tasks")
    return figure


def error_after(change: Mapping[str, Any]) -> tuple[list[float], list[float]]:
    """The mean error at every step, and its standard error over agents; of a single one, tasks."""
    errors = zip(*change["error"], strict=True)
    steps = zip(errors, change["standard_error"][0], strict=True)
    mean, bar = zip(*(mean_and_bar(error, alone) for error, alone in steps), strict=True)
    return list(mean), list(bar)


def _draw(axes: Axes, situation: Mapping[str, Any]) -> None:
    before, changes = situation["before"], situation["changes"]
    for colour, (name, change) in zip(
        [INK, *output_colours(len(changes) - 1)], changes.items(), strict=True
    ):
        mean, bar = map(np.asarray, error_after(change))
        # Until the change all are the same lives: drawn once.
        window = slice(0 if colour == INK else before - 1, None)
        step = np.arange(1, len(mean) + 1)[window]
        floor = float(mean.min()) / 3  # where a band would leave a logarithmic axis
        low, high = (drawable(edge, floor)[window] for edge in (mean - bar, mean + bar))
        axes.fill_between(step, low, high, color=colour, alpha=0.18, linewidth=0)
        axes.plot(step, mean[window], color=colour, label=name, zorder=4 if colour == INK else 3)
    axes.axvline(before + 0.5, color=MUTED, linewidth=1, linestyle=":", gid="change", zorder=1)
    axes.set(yscale="log", xlabel="inner step", xlim=(1, None))
    integer_ticks(axes)
    numbers, experts = situation["numbers"], situation["num_experts"]
    axes.set_title(f"{situation['name']}\n{numbers} numbers, {experts} experts at first")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), fontsize=10)
