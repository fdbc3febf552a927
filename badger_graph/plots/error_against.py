"""Groups of policies against a size: figure 7 of Rosa et al. 2019, and the same against experts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, ScalarFormatter

from badger_graph.plots.style import (
    DASHED,
    INK,
    MUTED,
    drawable,
    floor_below,
    integer_ticks,
    legend_below,
    mark_zero,
    new_figure,
    output_colours,
    styled,
)

LIMIT_STYLES = ("-", DASHED, ":")
PUBLISHED_MARKERS = ("s", "^", "D")


@styled
def error_against_outputs(result: Mapping[str, Any]) -> Figure:
    """The error at the last step divided by chance, on a linear and on a logarithmic axis.

    Args:
        result: ``curves`` (of each group ``x``, ``error``, ``error_bar`` and the number of
            ``policies``), ``published`` and ``limits`` (of each line ``x`` and ``error``) and
            ``num_steps``.
    """
    figure = Figure(figsize=(12.5, 6.4), layout="constrained")
    linear, logarithmic = figure.subplots(1, 2)
    floor = _floor(result)
    for axes, lowest in ((linear, 0.0), (logarithmic, floor)):
        _draw(axes, result, lowest)
        axes.set_xlabel("number of outputs d")
        integer_ticks(axes)
    linear.set_ylim(0, 1.25)
    linear.set_ylabel(f"error after {result['num_steps']} steps (3 MSE, chance is 1)")
    logarithmic.set(yscale="log")
    logarithmic.set_ylim(floor * 0.7, 2)
    mark_zero(logarithmic, floor)
    linear.set_title("Error against the number of outputs")
    legend_below(figure, linear.get_lines())
    return figure


@styled
def error_against_experts(result: Mapping[str, Any]) -> Figure:
    """The error at the last step divided by chance, on logarithmic axes.

    Args:
        result: ``curves`` (of each group ``x``, ``error``, ``error_bar`` and the number of
            ``policies``), ``published`` and ``limits`` (of each line ``x`` and ``error``),
            ``num_steps`` and ``num_outputs``.
    """
    figure, axes = new_figure(9.0, 6.0)
    floor = _floor(result)
    _draw(axes, result, floor)
    axes.set(xscale="log", yscale="log", xlabel="number of experts N")
    axes.set_ylabel(f"error after {result['num_steps']} steps (3 MSE, chance is 1)")
    mark_zero(axes, floor)
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_title(f"Error against the number of experts, d={result['num_outputs']}")
    legend_below(figure, axes.get_lines())
    return figure


def _floor(result: Mapping[str, Any]) -> float:
    return floor_below([np.asarray(curve["error"]) for curve in result["curves"].values()])


def _draw(axes: Axes, result: Mapping[str, Any], floor: float) -> None:
    _draw_limits(axes, result["limits"], floor)
    _draw_published(axes, result["published"])
    _draw_groups(axes, result["curves"], floor)


def _draw_groups(axes: Axes, curves: Mapping[str, Mapping[str, Any]], floor: float) -> None:
    """The mean of each group with its error bars."""
    for colour, (name, curve) in zip(output_colours(len(curves)), curves.items(), strict=True):
        x, error, bar = (np.asarray(curve[key]) for key in ("x", "error", "error_bar"))
        axes.plot(
            x,
            drawable(error, floor),
            color=colour,
            linewidth=2.5,
            marker="o",
            markersize=4,
            zorder=4,
            label=f"{name} ({curve['policies']} seed{'s' * (curve['policies'] > 1)})",
        )
        low, high = drawable(error - bar, floor), drawable(error + bar, floor)
        axes.fill_between(x, low, high, color=colour, alpha=0.25, linewidth=0, zorder=3)
        axes.vlines(x, low, high, color=colour, linewidth=1.2, zorder=3)


def _draw_published(axes: Axes, published: Mapping[str, Mapping[str, Any]]) -> None:
    """What others published: thin, grey, with a marker a curve."""
    for marker, (name, curve) in zip(PUBLISHED_MARKERS, published.items(), strict=False):
        axes.plot(
            curve["x"],
            curve["error"],
            color=MUTED,
            linewidth=1,
            marker=marker,
            markersize=4.5,
            markerfacecolor="none",
            label=name,
        )


def _draw_limits(axes: Axes, limits: Mapping[str, Mapping[str, Any]], floor: float) -> None:
    """Lines without error bars that an agent is held against; zeros at the floor."""
    for style, (name, curve) in zip(LIMIT_STYLES, limits.items(), strict=False):
        error = drawable(curve["error"], floor)
        axes.plot(curve["x"], error, color=INK, linewidth=1.2, linestyle=style, label=name)
