"""What is won of bandits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from badger_graph.plots.style import INK, MUTED, output_colours, styled

REFERENCE = "Gittins"

SHOWN = ("100x10", "500x10", "100x200")
"""The cells whose regret is drawn; the last one where none of them is there."""


@styled
def reward_and_regret(result: Mapping[str, Any]) -> Figure:
    """What is won in each cell, and below it the regret over the pulls of some cells.

    Of policies the mean over training seeds, with the least and the most. What has no curve of its
    regret, such as the optimum, is in the first panel alone.

    Args:
        result: of :class:`badger_graph.experiments.online.play_bandits.PlayBandits`.
    """
    noted = [cell for cell, kept in result.items() if _curves(kept["policies"])]
    cells = [cell for cell in noted if cell in SHOWN] or noted[-1:]
    figure = Figure(figsize=(10, 8.2 if cells else 4.6), layout="constrained")
    above, *below = figure.subfigures(2 if cells else 1, 1, squeeze=False)[:, 0]
    names = {name: None for kept in result.values() for name in kept["players"]}
    others = [name for name in names if name != REFERENCE]
    colours = dict(zip(others, output_colours(len(others)), strict=True)) | {REFERENCE: MUTED}
    _reward(above.subplots(), result, colours)
    if cells:
        panels = below[0].subplots(1, len(cells), squeeze=False)[0]
        for axes, cell in zip(panels, cells, strict=True):
            _regret(axes, result[cell], colours)
            axes.set_title(cell.replace("x", " x "))
        panels[0].set_ylabel("regret so far")
    handles, labels = above.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=9)
    return figure


def _reward(axes: Axes, result: Mapping[str, Any], colours: Mapping[str, str]) -> None:
    """For each number of pulls and arms, what is won as a part of what the reference wins."""
    place, players = np.arange(len(result)), [kept["players"] for kept in result.values()]
    reference = np.array([one[REFERENCE]["mean"] for one in players])
    axes.axhline(1, color=MUTED, linewidth=1, label=REFERENCE)
    for name, colour in colours.items():
        if name != REFERENCE:
            means = [one.get(name, {"mean": np.nan})["mean"] for one in players]
            axes.plot(place, means / reference, "o", color=colour, label=name)
    own = [[one["mean"] for one in kept["policies"].values()] for kept in result.values()]
    mean = np.array([np.mean(one) for one in own]) / reference
    low, high = (np.array([end(one) for one in own]) / reference for end in (min, max))
    bars = np.stack([mean - low, high - mean])
    axes.errorbar(place, mean, bars, fmt="D", color=INK, label="Badger, one frozen policy")
    axes.set_xticks(place, [cell.replace("x", " x ") for cell in result])
    axes.set(xlabel="pulls x arms", ylabel="reward over that of Gittins' index", ylim=(None, 1.03))


def _regret(axes: Axes, kept: Mapping[str, Any], colours: Mapping[str, str]) -> None:
    """What was lost so far, over the pulls of a life."""
    pulls = [0, *kept["pulls"]]
    for name, curve in _curves(kept["players"]).items():
        axes.plot(pulls, [0, *curve], color=colours[name], linewidth=1.4)
    own = np.array([[0, *curve] for curve in _curves(kept["policies"]).values()])
    axes.fill_between(pulls, own.min(axis=0), own.max(axis=0), color=INK, alpha=0.2, linewidth=0)
    axes.plot(pulls, own.mean(axis=0), color=INK, linewidth=2.2)
    axes.set(xlabel="pull", xlim=(0, pulls[-1]), ylim=(0, None))


def _curves(outcomes: Mapping[str, Any]) -> dict[str, list[float]]:
    """Regrets of those whose were kept."""
    return {name: one["regret"] for name, one in outcomes.items() if "regret" in one}
