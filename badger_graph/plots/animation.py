"""A rollout as it happens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba_array
from matplotlib.figure import Figure
from PIL import Image

from badger_graph.plots.gif import Reveal, frame, write_gif
from badger_graph.plots.graph import contrast, draw_graph
from badger_graph.plots.record import Record, check, finite
from badger_graph.plots.style import (
    DASHED,
    ERROR_FLOOR,
    INK,
    MAX_OUTPUTS,
    MUTED,
    PAPER,
    action_axis,
    drawable,
    expert_colours,
    floor_below,
    integer_ticks,
    output_colours,
    styled,
)

MILLISECONDS = 250


@styled
def animate(record: Record, path: str | Path, rollout: int = 0) -> Path:
    """A GIF of the graph over one rollout, beside it the actions approaching the targets.

    The colour of an expert is its state, projected on the direction in which the states of this
    rollout vary most; its halo is the size of the message that it sends, and so is the strength
    of its edges.

    Args:
        record: the rollouts.
        path: the file to write.
        rollout: which rollout.

    Raises:
        ValueError: when there is no such rollout.
    """
    check(record)
    num_rollouts = record["loss"].shape[1]
    if not 0 <= rollout < num_rollouts:
        raise ValueError(f"rollout must be between 0 and {num_rollouts - 1}, got {rollout}")
    return write_gif(_frames(record, rollout), path, MILLISECONDS)


def _frames(record: Record, rollout: int) -> Iterator[Image.Image]:
    figure = Figure(figsize=(9.6, 5.2), dpi=80)
    ratios = {"width_ratios": [1.2, 1], "height_ratios": [1.35, 1]}
    margins = {"left": 0.01, "right": 0.97, "top": 0.89, "bottom": 0.115, "wspace": 0.2}
    grid = figure.add_gridspec(2, 2, **ratios, **margins)
    panels = [figure.add_subplot(place) for place in (grid[:, 0], grid[0, 1], grid[1, 1])]
    note = "colour: state    rim: its output    halo: size of its message"
    figure.text(0.28, 0.03, note, color=MUTED, fontsize=11, ha="center")
    title = figure.suptitle("", x=0.03, ha="left")
    loss = record["loss"][:, rollout]
    reveals = (
        _graph(panels[0], record, rollout),
        _actions(panels[1], record["action"][:, rollout], record["target"][rollout]),
        _error(panels[2], loss),
    )
    figure.align_ylabels(panels[1:])
    for t in range(len(loss)):
        title.set_text(f"inner step {t + 1} of {len(loss)}, error {loss[t]:.2g}")
        for reveal in reveals:
            reveal(t)
        yield frame(figure)


def _graph(axes: Axes, record: Record, rollout: int) -> Reveal:
    artists = draw_graph(axes, record)
    state = principal_component(record["hidden"][:, rollout])  # [T, N]
    size = np.linalg.norm(finite(record["message"][:, rollout]), axis=-1)  # [T, N]
    size = size / max(size.max(initial=0.0), ERROR_FLOOR)
    rims = expert_colours(state.shape[1], record["action"].shape[2], free=PAPER)
    artists.nodes.set(edgecolors=rims, linewidths=2.5)
    artists.halos.set(facecolors=MUTED)
    edge_colours = to_rgba_array(artists.edges[0].get_edgecolor())
    edge_alpha = edge_colours[:, 3].copy()

    def reveal(t: int) -> None:
        node_colours = colormaps["PuOr"](0.5 + 0.42 * state[t])
        artists.nodes.set_facecolor(node_colours)
        contrast(artists.numbers, node_colours)
        halo = 2 * artists.radius * (1.1 + 1.1 * size[t])
        artists.halos.set(widths=halo, heights=halo)
        edge_colours[:, 3] = edge_alpha * (0.15 + 0.85 * size[t][record["edge_index"][0]])
        for collection in artists.edges:
            collection.set_color(list(edge_colours))

    return reveal


def _actions(
    axes: Axes, action: Float[np.ndarray, "T d"], target: Float[np.ndarray, " d"]
) -> Reveal:
    colours = output_colours(len(target))[:MAX_OUTPUTS]
    for goal, colour in zip(target, colours, strict=False):
        axes.axhline(goal, color=colour, linewidth=1.3, linestyle=DASHED)
    action_axis(axes, action, target)
    axes.set_ylabel("action\n(dashed: target)")
    axes.tick_params(labelbottom=False)
    return _lines(axes, action, colours)


def _error(axes: Axes, loss: Float[np.ndarray, " T"]) -> Reveal:
    error = drawable(loss, floor_below([loss]))
    highest, lowest = np.nanmax([*error, error[0]]), np.nanmin(error)
    axes.set(yscale="log", ylabel="error", xlabel="inner step", ylim=(lowest / 2, highest * 2))
    return _lines(axes, error[:, None], [INK])


def _lines(axes: Axes, values: Float[np.ndarray, "T n"], colours: list[str]) -> Reveal:
    """One line a colour, drawn up to an inner step."""
    step = np.arange(1, len(values) + 1)
    lines = [axes.plot([], [], color=colour, marker="o", markersize=3)[0] for colour in colours]
    axes.set_xlim(0.5, len(step) + 0.5)
    integer_ticks(axes)

    def reveal(t: int) -> None:
        for j, line in enumerate(lines):
            line.set_data(step[: t + 1], values[: t + 1, j])

    return reveal


def principal_component(hidden: Float[np.ndarray, "T N H"]) -> Float[np.ndarray, "T N"]:
    """The states on the direction in which they vary most, scaled to [-1, 1]."""
    states = finite(hidden)
    states = states - states.mean(axis=(0, 1))
    _, directions = np.linalg.eigh(np.einsum("tni,tnj->ij", states, states))
    projected = states @ directions[:, -1]  # [T, N]
    scale = np.quantile(np.abs(projected), 0.98)
    return np.clip(np.divide(projected, max(scale, ERROR_FLOOR)), -1, 1)
