"""What the experts say to one another."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from badger_graph.plots.record import Record, check, finite, liveliest_channels
from badger_graph.plots.style import expert_colours, styled

MAX_ROLLOUTS = 5
MAX_CHANNELS = 3


@styled
def communication(record: Record) -> Figure:
    """Messages over the inner steps as heat maps, experts as rows, one column a rollout.

    In the manner of figure 8 of the Badger paper: up to five rollouts, and of the messages the
    three channels that vary most. All have one scale of colours, which the largest percent of
    the messages exceeds.

    Raises:
        ValueError: when the messages have no channel.
    """
    check(record)
    if record["message"].shape[3] == 0:
        raise ValueError("messages need at least one channel to be drawn, got 0")
    channels = liveliest_channels(record["message"])[:MAX_CHANNELS]
    message = record["message"][:, :MAX_ROLLOUTS][..., channels]
    _, columns, num_experts, rows = message.shape
    limit = np.quantile(np.abs(finite(message)), 0.99) or 1.0
    colours = expert_colours(num_experts, record["action"].shape[2], free="none")

    height = float(np.clip(0.14 * num_experts, 1.1, 3.2))
    figure = Figure(figsize=(2.6 + 2.5 * columns, 1.4 + height * rows), layout="constrained")
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for (row, column), axes in np.ndenumerate(grid):
        _draw_messages(axes, message[:, column, :, row], limit)
    for column, axes in enumerate(grid[0]):
        axes.set_title(f"rollout {column + 1}", fontsize=12, fontweight="normal")
    for channel, axes in zip(channels, grid[:, 0], strict=True):
        axes.set_ylabel(f"channel {channel}\nexpert")
        _mark_experts(axes, colours)
    figure.suptitle("Messages of the experts", x=0.01, ha="left")
    figure.supxlabel("inner step", fontsize=12)
    image = grid[0, 0].get_images()[0]
    figure.colorbar(image, ax=grid, label="message", shrink=0.8, pad=0.015, extend="both")
    return figure


def _draw_messages(axes: Axes, message: Float[np.ndarray, "T N"], limit: float) -> None:
    num_steps, num_experts = message.shape
    axes.imshow(
        message.T,
        aspect="auto",
        cmap="PuOr",
        vmin=-limit,
        vmax=limit,
        interpolation="nearest",
        extent=(0.5, num_steps + 0.5, num_experts - 0.5, -0.5),
    )
    axes.grid(visible=False)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True, min_n_ticks=1))


def _mark_experts(axes: Axes, colours: list[str]) -> None:
    """A strip of colour along the rows of the experts that speak for an output."""
    axes.tick_params(axis="y", length=0, pad=9)
    rows = np.arange(len(colours))
    place = axes.get_yaxis_transform()
    axes.vlines(
        np.full(len(colours), -0.025),
        rows - 0.45,
        rows + 0.45,
        colors=colours,
        linewidth=3,
        transform=place,
        clip_on=False,
    )
