"""Rollouts, one after the other."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from badger_graph.plots.record import Record, check, liveliest_channels
from badger_graph.plots.style import (
    DASHED,
    FAINT,
    FREE_EXPERT,
    INK,
    MAX_OUTPUTS,
    MUTED,
    action_axis,
    count,
    dot,
    drawable,
    expert_colours,
    floor_below,
    legend_below,
    output_colours,
    styled,
)

MAX_ROLLOUTS = 10


@styled
def rollouts(record: Record) -> Figure:
    """Up to ten rollouts, one after the other: actions against targets, error, messages.

    In the manner of figures 6 and 9 of the Badger paper. Of the messages, the channel that
    varies most is shown, one line an expert, thin for the free ones. Of many outputs, the first
    six are shown, and the messages of their experts.
    """
    check(record)
    num_steps, num_rollouts, num_outputs = record["action"][:, :MAX_ROLLOUTS].shape
    figure = Figure(figsize=(3.6 + 1.02 * num_rollouts, 7.2), layout="constrained")
    panels = figure.subplots(3, 1, sharex=True, height_ratios=[3, 1.6, 1.8])
    step = np.arange(num_rollouts)[:, None] * (num_steps + 1) + np.arange(num_steps)  # [R, T]
    _draw_actions(panels[0], record, step)
    _draw_error(panels[1], record["loss"][:, :num_rollouts], step)
    _draw_messages(panels[2], record, step)
    _separate(panels, step)
    figure.align_ylabels()
    more = f" (the first {MAX_OUTPUTS} of {num_outputs} outputs)"
    title = f"{count(num_rollouts, 'rollout')} of one agent"
    panels[0].set_title(title + (more if num_outputs > MAX_OUTPUTS else ""))
    legend_below(figure, _legend(num_outputs, record["hidden"].shape[2]))
    return figure


def _draw_actions(axes: Axes, record: Record, step: Int[np.ndarray, "R T"]) -> None:
    action, target = record["action"], record["target"]
    colours = output_colours(action.shape[2])[:MAX_OUTPUTS]
    for r, time in enumerate(step):
        for j, colour in enumerate(colours):
            ends, goal = [time[0] - 0.4, time[-1] + 0.4], [target[r, j]] * 2
            axes.plot(ends, goal, color=colour, linewidth=1.3, linestyle=DASHED)
            axes.plot(time, action[:, r, j], color=colour, linewidth=1.8, **dot(time))
    action_axis(axes, action[:, : len(step)], target[: len(step)])
    axes.set_ylabel("action and target")


def _draw_error(axes: Axes, loss: Float[np.ndarray, "T R"], step: Int[np.ndarray, "R T"]) -> None:
    error = drawable(loss, floor_below([loss]))
    for r, time in enumerate(step):
        axes.plot(time, error[:, r], color=INK, linewidth=1.8, **dot(time))
    axes.set(yscale="log", ylabel="error")


def _draw_messages(axes: Axes, record: Record, step: Int[np.ndarray, "R T"]) -> None:
    """The experts that speak for an output lie above the free ones."""
    message, num_outputs = record["message"], record["action"].shape[2]
    colours = list(enumerate(expert_colours(message.shape[2], num_outputs)))
    colours = colours[: min(MAX_OUTPUTS, num_outputs)] + colours[num_outputs:]
    for channel in liveliest_channels(message)[:1]:
        for r, time in enumerate(step):
            for expert, colour in reversed(colours):
                width = 1.3 if expert < num_outputs else 0.7
                line = message[:, r, expert, channel]
                axes.plot(time, line, color=colour, linewidth=width, alpha=0.8, **dot(time))
        axes.set_ylabel(f"message\n(channel {channel})")


def _separate(panels: Iterable[Axes], step: Int[np.ndarray, "R T"]) -> None:
    """Lines between the rollouts, and their numbers below the last panel."""
    for axes in panels:
        for first in step[1:, 0]:
            axes.axvline(first - 1, color=MUTED, linewidth=0.8, alpha=0.5)
        axes.grid(axis="x", visible=False)
        axes.tick_params(axis="x", length=0)
        axes.set_xlim(-1, step[-1, -1] + 1)
    axes.set_xticks(step.mean(axis=1), [str(r + 1) for r in range(len(step))])
    axes.set_xlabel(f"rollout, {count(step.shape[1], 'inner step')} each")


def _legend(num_outputs: int, num_experts: int) -> list[Line2D | Patch]:
    colours = output_colours(num_outputs)[:MAX_OUTPUTS]
    handles = [Line2D([], [], color=c, label=f"output {j}") for j, c in enumerate(colours)]
    handles.append(Line2D([], [], color=INK, linestyle=DASHED, linewidth=1.3, label="target"))
    if num_experts > num_outputs:
        handles.append(Line2D([], [], color=FREE_EXPERT, linewidth=1.2, label="free expert"))
    return [*handles, Patch(color=FAINT, label="log scale")]
