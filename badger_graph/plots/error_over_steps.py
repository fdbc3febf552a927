"""The error over the steps of a life, where there is no target to draw beside what was done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from badger_graph.plots.style import (
    MUTED,
    VERMILLION,
    count,
    dot,
    draw_level,
    integer_ticks,
    new_figure,
    styled,
)


@styled
def error_over_steps(evaluation: Mapping[str, Any]) -> Figure:
    """The mean error of each step of the agent's lives, in a band of one standard error.

    Args:
        evaluation: ``errors`` and ``standard_error`` of the ``agent``, T numbers each, ``chance``,
            ``num_outputs`` and ``num_experts``, as in ``evaluation.json``.
    """
    error, spread = (
        np.asarray(evaluation[name]["agent"], dtype=np.float64)
        for name in ("errors", "standard_error")
    )
    step = np.arange(1, len(error) + 1)
    figure, axes = new_figure(9.0, 5.4)
    axes.fill_between(
        step, error - spread, error + spread, color=VERMILLION, alpha=0.2, linewidth=0
    )
    axes.plot(step, error, color=VERMILLION, linewidth=2.2, **dot(step))
    axes.set(xlabel="step of a life", ylabel="error", ylim=(0, None))
    axes.set_xlim(1, max(len(step), 2))
    integer_ticks(axes)
    draw_level(axes, evaluation["chance"], "chance")
    outputs = count(evaluation["num_outputs"], "output")
    axes.set_title(f"{outputs} of {count(evaluation['num_experts'], 'expert')}", color=MUTED)
    return figure
