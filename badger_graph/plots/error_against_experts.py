"""Groups of policies against the number of experts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, ScalarFormatter

from badger_graph.plots.error_against_outputs import draw_groups, draw_limits, draw_published
from badger_graph.plots.style import floor_below, legend_below, mark_zero, new_figure, styled


@styled
def error_against_experts(result: Mapping[str, Any]) -> Figure:
    """The error at the last step divided by chance, on logarithmic axes.

    Args:
        result: ``curves`` (of each group ``x``, ``error``, ``error_bar`` and the number of
            ``policies``), ``published`` and ``limits`` (of each line ``x`` and ``error``),
            ``num_steps`` and ``num_outputs``.
    """
    figure, axes = new_figure(9.0, 6.0)
    floor = floor_below([np.asarray(curve["error"]) for curve in result["curves"].values()])
    draw_limits(axes, result["limits"], floor)
    draw_published(axes, result["published"])
    draw_groups(axes, result["curves"], floor)
    axes.set(xscale="log", yscale="log", xlabel="number of experts N")
    axes.set_ylabel(f"error after {result['num_steps']} steps (3 MSE, chance is 1)")
    mark_zero(axes, floor)
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_title(f"Error against the number of experts, d={result['num_outputs']}")
    legend_below(figure, axes.get_lines())
    return figure
