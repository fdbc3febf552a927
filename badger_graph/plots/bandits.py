"""What is won of bandits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from badger_graph.plots.style import INK, MUTED, output_colours, styled


@styled
def reward_against_players(result: Mapping[str, Any]) -> Figure:
    """For each number of pulls and arms, what is won as a part of what Gittins' index wins.

    Of policies the mean over training seeds, with the least and the most as bars.

    Args:
        result: of :class:`badger_graph.experiments.online.play_bandits.PlayBandits`.
    """
    figure = Figure(figsize=(9, 4.6), layout="constrained")
    axes = figure.subplots()
    place = np.arange(len(result))
    reference = np.array([kept["players"]["Gittins"]["mean"] for kept in result.values()])
    players = [name for name in next(iter(result.values()))["players"] if name != "Gittins"]
    axes.axhline(1, color=MUTED, linewidth=1)
    for name, colour in zip(players, output_colours(len(players)), strict=True):
        means = [kept["players"].get(name, {"mean": np.nan})["mean"] for kept in result.values()]
        axes.plot(place, means / reference, "o", color=colour, label=name)
    own = [[one["mean"] for one in kept["policies"].values()] for kept in result.values()]
    mean = np.array([np.mean(one) for one in own]) / reference
    low, high = (np.array([end(one) for one in own]) / reference for end in (min, max))
    bars = np.stack([mean - low, high - mean])
    axes.errorbar(place, mean, bars, fmt="D", color=INK, label="Badger, one frozen policy")
    axes.set_xticks(place, [cell.replace("x", " x ") for cell in result])
    axes.set(xlabel="pulls x arms", ylabel="reward over that of Gittins' index", ylim=(0.7, 1.03))
    figure.legend(loc="outside lower center", ncols=3, fontsize=9)
    return figure
