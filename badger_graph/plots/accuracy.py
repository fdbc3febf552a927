"""Accuracy over the examples of a life."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from badger_graph.plots.style import INK, MUTED, output_colours, styled

WINDOW = 9
"""Examples over which a curve is averaged."""


@styled
def accuracy_over_examples(result: Mapping[str, Any]) -> Figure:
    """One panel a table: the mean over policies with its range, and a line for each baseline.

    Args:
        result: of :class:`badger_graph.experiments.online.learn_tables.LearnTables`.
    """
    columns = min(3, len(result))
    rows = math.ceil(len(result) / columns)
    figure = Figure(figsize=(4.6 * columns, 3.6 * rows + 1.2), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).flatten()
    for axes, (name, kept) in zip(panels, result.items(), strict=False):
        baselines = kept["baselines"]
        colours = output_colours(max(1, len(baselines)))
        for (baseline, own), colour in zip(baselines.items(), colours, strict=False):
            style = "--" if baseline.startswith("refitted") else "-"
            step, accuracy = _smooth(own["accuracy"])
            axes.plot(step, accuracy, style, color=colour, linewidth=1, label=baseline)
        curves = [_smooth(own["accuracy"]) for own in kept["policies"].values()]
        values = np.stack([accuracy for _, accuracy in curves])
        axes.fill_between(curves[0][0], values.min(0), values.max(0), color=INK, alpha=0.2)
        axes.plot(curves[0][0], values.mean(0), color=INK, linewidth=2.2, label="Badger, frozen")
        axes.set_title(name.replace("_", " "))
        axes.set(xlabel="example", ylim=(None, 1))
    for axes in panels[len(result) :]:
        axes.set_axis_off()
    panels[0].set_ylabel(f"accuracy, mean of {WINDOW} examples", color=MUTED)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=8)
    return figure


def _smooth(accuracy: list[float]) -> tuple[np.ndarray, np.ndarray]:
    window = min(WINDOW, len(accuracy))
    mean = np.convolve(accuracy, np.ones(window) / window, mode="valid")
    return np.arange(len(mean)) + (window + 1) / 2, mean
