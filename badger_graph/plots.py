"""Every figure, from saved results only: plain numbers and arrays in, a Matplotlib figure out.

Nothing here runs an agent or touches pyplot. A *record* is what ``rollouts.npz`` holds, R
rollouts of one agent of N experts over T inner steps:

==============  ================  ==================================================
``action``      ``[T, R, d]``     what the agent answered after each inner step
``target``      ``[R, d]``        what it should have answered
``loss``        ``[T, R]``        the error of each action
``message``     ``[T, R, N, M]``  what each expert sent
``hidden``      ``[T, R, N, H]``  the state of each expert
``edge_index``  ``[2, E]``        source and target of each edge
``edge_weight`` ``[E]``           its weight
==============  ================  ==================================================

Expert ``j < d`` speaks for output ``j`` and has its colour in every figure.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec, TypeVar

import networkx as nx
import numpy as np
from jaxtyping import Float, Int
from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import Collection, EllipseCollection, LineCollection, PolyCollection
from matplotlib.colors import to_hex, to_rgba_array
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray
from PIL import Image

Record = Mapping[str, NDArray[Any]]

P = ParamSpec("P")
R = TypeVar("R")

INK = "#22262d"
MUTED = "#858c96"
FAINT = "#e4e6ea"
PAPER = "#fcfcfa"
BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#e69f00",
    "#cc79a7",
    "#56b4e9",
)
"""The colours of Okabe and Ito, which colour-blind readers can tell apart."""

OUTPUT_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILLION)
FREE_EXPERT = "#a9b0ba"

EXACT_SOLVER = "exact solver"
METHOD_COLOURS = {
    "agent": VERMILLION,
    "always zero": MUTED,
    "random search": SKY,
    "CMA-ES": PURPLE,
    "Nelder-Mead": ORANGE,
    "COBYLA": GREEN,
    EXACT_SOLVER: INK,
}

ROLES = {"always zero": " (chance)", EXACT_SOLVER: " (limit)"}

STYLE: Any = {
    "font.size": 12,
    "axes.titlesize": 14,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.facecolor": PAPER,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 11,
    "lines.linewidth": 2.0,
    "lines.solid_capstyle": "round",
    "figure.facecolor": PAPER,
    "figure.dpi": 130,
    "savefig.facecolor": PAPER,
}

ERROR_FLOOR = 1e-12
"""Smaller errors are drawn here: a logarithmic axis has no zero."""

MAX_ROLLOUTS = 10
MAX_OUTPUTS = 6
"""More lines than this cannot be told apart."""


def styled(draw: Callable[P, R]) -> Callable[P, R]:
    """Draw in the style of this module, and leave Matplotlib's own settings as they were."""

    @wraps(draw)
    def in_style(*args: P.args, **kwargs: P.kwargs) -> R:
        with rc_context(STYLE):
            return draw(*args, **kwargs)

    return in_style


# Learning over outer steps.


def smooth(error: Float[np.ndarray, " n"], window: int) -> Float[np.ndarray, " n"]:
    """Moving geometric mean over about ``window`` points; what is not finite is left out."""
    log_error = np.log10(np.maximum(error, ERROR_FLOOR))
    valid = np.isfinite(log_error)
    half = window // 2
    middle = slice(half, half + len(error))
    kernel = np.ones(2 * half + 1)
    total = np.convolve(np.where(valid, log_error, 0.0), kernel)[middle]
    count = np.convolve(valid.astype(float), kernel)[middle]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.power(10.0, total / count)


def plateaus(
    step: Float[np.ndarray, " n"],
    error: Float[np.ndarray, " n"],
    share: float = 0.1,
    tolerance: float = 0.25,
) -> list[tuple[float, float]]:
    """Where a smoothed error changes little for long.

    A straight line is fitted to the logarithm of the error in every window of ``share`` of the
    run. A window is flat when the line falls or rises less than ``tolerance`` times as fast as
    the whole run does on average, and in any case when it changes the error by less than a
    factor of ``10 ** (0.1 * share)``. A plateau is a union of flat windows that touch.

    Args:
        step: outer steps, increasing.
        error: smoothed errors at these steps.
        share: shortest plateau, as a share of the run.
        tolerance: how much slower than the average run a plateau is.

    Returns:
        First and last step of each plateau, in order; none for a curve that falls steadily.
    """
    log_error = np.log10(np.maximum(error, ERROR_FLOOR))
    finite = np.isfinite(log_error)
    if finite.sum() < 3 or np.ptp(step[finite]) == 0:
        return []
    num_points = 400
    grid = np.linspace(step[finite][0], step[finite][-1], num_points)
    curve = np.interp(grid, step[finite], log_error[finite])

    width = max(int(share * num_points), 3)
    # Least-squares slope in decades over the whole run, one for each window.
    ramp = np.linspace(-0.5, 0.5, width)
    slopes = np.lib.stride_tricks.sliding_window_view(curve, width) @ ramp
    slopes = slopes / (ramp @ ramp) * (num_points - 1) / (width - 1)
    flat = np.abs(slopes) < max(tolerance * abs(curve[-1] - curve[0]), 0.1)

    covered = np.convolve(flat, np.ones(width)) > 0
    ends = np.flatnonzero(np.diff(np.concatenate([[0], covered.astype(int), [0]])))
    return [
        (float(grid[first]), float(grid[last - 1])) for first, last in ends.reshape(-1, 2).tolist()
    ]


@styled
def learning_curve(
    history: Mapping[str, ArrayLike], chance: float, solved: float | None = None
) -> Figure:
    """The error of the last inner step over the outer steps, with its plateaus shaded.

    Args:
        history: ``step`` and ``train`` of equal length, ``val_step`` and ``val`` of equal length.
        chance: error of always answering zero.
        solved: error at which the task counts as solved.

    Raises:
        ValueError: when the lengths differ or no training error is finite.
    """
    step, train, val_step, val = (
        np.asarray(history[key], dtype=np.float64) for key in ("step", "train", "val_step", "val")
    )
    if step.shape != train.shape or val_step.shape != val.shape:
        raise ValueError(
            "a history needs one error a step, got "
            f"{step.size} steps and {train.size} training errors, "
            f"{val_step.size} steps and {val.size} validation errors"
        )
    if not np.isfinite(train).any():
        raise ValueError(f"a learning curve needs a finite training error, got {train.size}, none")

    figure, axes = _figure(9.0, 5.0)
    smoothed = smooth(train, window=max(len(train) // 50, 1))
    flat = plateaus(step, smoothed)
    for first, last in flat:
        axes.axvspan(first, last, color=ORANGE, alpha=0.13, linewidth=0, gid="plateau")
    axes.plot(step, _drawable(train), color=BLUE, alpha=0.25, linewidth=0.8, label="one batch")
    axes.plot(step, _drawable(smoothed), color=BLUE, label="training, smoothed")
    axes.plot(
        val_step,
        _drawable(val),
        linestyle="none",
        marker="o",
        markersize=5,
        markeredgecolor=PAPER,
        color=VERMILLION,
        label="validation",
        zorder=3,
    )
    _level(axes, chance, "chance", x=1.0)
    if solved is not None:
        _level(axes, solved, "solved", x=0.0)
    axes.set(yscale="log", xlabel="outer step", ylabel="error (MSE) at the last inner step")
    axes.set_title("Learning curve")
    handles = axes.get_lines()[:3]
    shade = [Patch(color=ORANGE, alpha=0.25, linewidth=0, label="plateau")] if flat else []
    _legend_below(figure, [*handles, *shade])
    return figure


def read_history(folder: Path) -> dict[str, list[float]] | None:
    """The learning curve in the files of Lightning's ``CSVLogger``; none without such files.

    A resumed run writes a new ``version_*``. Each version replaces what earlier ones say from
    its own first training step on, so that steps which were run twice are drawn once. A version
    without a training error (a validation run) is no part of the curve.

    Args:
        folder: holds ``version_*/metrics.csv`` with columns step, train/error and val/error.
    """
    train: dict[float, float] = {}
    val: dict[float, float] = {}
    for path in sorted(folder.glob("version_*/metrics.csv"), key=_version):
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        new_train, new_val = _column(rows, "train/error"), _column(rows, "val/error")
        if new_train:
            first = min(new_train)
            train = {step: e for step, e in train.items() if step < first} | new_train
            val = {step: e for step, e in val.items() if step < first} | new_val
    if not train:
        return None
    return {
        "step": sorted(train),
        "train": [train[step] for step in sorted(train)],
        "val_step": sorted(val),
        "val": [val[step] for step in sorted(val)],
    }


def _version(path: Path) -> int:
    number = path.parent.name.removeprefix("version_")
    return int(number) if number.isdigit() else -1


def _column(rows: Sequence[Mapping[str, str | None]], name: str) -> dict[float, float]:
    # A killed run may leave half a line, in which the last cells are missing.
    cells = [(row.get("step"), row.get(name)) for row in rows]
    return {float(step): float(cell) for step, cell in cells if step and cell}


# The agent beside the baselines.


@styled
def error_after_queries(evaluation: Mapping[str, Any]) -> Figure:
    """The error after each number of queries: the agent, the baselines, and the limit.

    Args:
        evaluation: ``errors`` (one list of T numbers a method), ``standard_error`` (likewise),
            ``chance``, ``num_outputs`` and ``num_experts``.

    Raises:
        ValueError: when the methods have different numbers of queries.
    """
    errors = {name: np.asarray(e, dtype=np.float64) for name, e in evaluation["errors"].items()}
    if len({e.shape for e in errors.values()}) != 1:
        lengths = {name: e.size for name, e in errors.items()}
        raise ValueError(f"every method needs as many errors as queries, got {lengths}")
    num_outputs = int(evaluation["num_outputs"])
    floor = _floor_below([e for name, e in errors.items() if name != EXACT_SOLVER])

    figure, axes = _figure(9.0, 5.4)
    query = np.arange(1, len(next(iter(errors.values()))) + 1)
    spare = iter(OUTPUT_COLOURS * len(errors))
    for name, error in errors.items():
        colour = METHOD_COLOURS.get(name) or next(spare)
        drawn = np.maximum(error, floor)
        spread = np.asarray(evaluation.get("standard_error", {}).get(name, 0.0), dtype=np.float64)
        if name != EXACT_SOLVER:
            low, high = np.maximum(error - spread, floor), np.maximum(error + spread, floor)
            axes.fill_between(query, low, high, color=colour, alpha=0.18, linewidth=0)
        axes.plot(
            query,
            drawn,
            color=colour,
            label=name,
            linewidth=3.5 if name == "agent" else 1.6,
            linestyle=(0, (4, 2)) if name == EXACT_SOLVER else "-",
            marker="o" if len(query) == 1 else None,
            zorder=4 if name == "agent" else 3,
        )
    axes.set(yscale="log", xlabel="number of queries", ylabel="error (MSE) of the answer")
    axes.set_ylim(floor * 0.45, None)
    axes.set_xlim(query[0], max(query[-1], 2))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    _name_lines(axes)
    # Where it was left out the feedback is coarser than the error, and the limit does not hold.
    if EXACT_SOLVER in errors:
        _mark_limit(axes, num_outputs + 1)
    axes.axhline(float(evaluation["chance"]), color=MUTED, linewidth=1, label="chance", zorder=1)
    axes.set_title(
        f"{_count(num_outputs, 'number')} guessed by {_count(evaluation['num_experts'], 'expert')}"
    )
    return figure


def _floor_below(errors: Sequence[NDArray[np.float64]]) -> float:
    """A third of the smallest error above zero: where zeros are drawn."""
    values = np.concatenate([*(np.ravel(error) for error in errors), [1.0]])
    return float(max(values[np.isfinite(values) & (values > ERROR_FLOOR)].min() / 3, ERROR_FLOOR))


def _mark_limit(axes: Axes, query: int) -> None:
    if query > axes.get_xlim()[1]:
        return
    axes.axvline(query, color=MUTED, linewidth=1, linestyle=":", gid="limit", zorder=1)
    axes.annotate(
        f"d + 1 = {query} queries determine the target",
        (query, axes.get_ylim()[0]),
        xytext=(5, 6),
        textcoords="offset points",
        fontsize=10,
        color=MUTED,
    )


def _name_lines(axes: Axes) -> None:
    """Write the name of each line at its right end, moved apart where they would overlap."""
    lines = [line for line in axes.get_lines() if np.isfinite(_last_finite(line))]
    lines.sort(key=_last_finite)
    low, high = np.log10(axes.get_ylim())
    gap = 0.055
    heights = [(np.log10(_last_finite(line)) - low) / (high - low) for line in lines]
    for i in range(1, len(heights)):
        heights[i] = max(heights[i], heights[i - 1] + gap)
    for line, height in zip(lines, heights, strict=True):
        name = str(line.get_label())
        axes.annotate(
            name + ROLES.get(name, ""),
            (1.015, height),
            xycoords="axes fraction",
            verticalalignment="center",
            color=line.get_color(),
            fontweight="bold" if name == "agent" else "normal",
            fontsize=11,
            annotation_clip=False,
        )


def _last_finite(line: Line2D) -> float:
    y = np.asarray(line.get_ydata(), dtype=np.float64)
    y = y[np.isfinite(y)]
    return float(y[-1]) if len(y) else np.nan


# Rollouts.


@styled
def rollouts(record: Record) -> Figure:
    """Up to ten rollouts, one after the other: actions against targets, error, messages.

    In the manner of figures 6 and 9 of the Badger paper. Of the messages, the channel that
    varies most is shown, one thin line an expert.
    """
    _check(record)
    action, target, loss = record["action"], record["target"], record["loss"]
    num_steps, num_rollouts, num_outputs = action.shape
    num_rollouts = min(num_rollouts, MAX_ROLLOUTS)
    shown = min(num_outputs, MAX_OUTPUTS)
    colours = output_colours(num_outputs)
    channel = _liveliest_channels(record["message"])[:1]
    floor = _floor_below([loss[:, :num_rollouts]])

    figure = Figure(figsize=(4 + 1.2 * num_rollouts, 7.2), layout="constrained")
    top, middle, bottom = figure.subplots(3, 1, sharex=True, height_ratios=[3, 1.6, 1.8])
    for rollout in range(num_rollouts):
        step = rollout * (num_steps + 1) + np.arange(num_steps)
        for j in range(shown):
            edges = [step[0] - 0.4, step[-1] + 0.4]
            goal = [target[rollout, j]] * 2
            top.plot(edges, goal, color=colours[j], linewidth=1.3, linestyle=(0, (3, 1.5)))
            top.plot(step, action[:, rollout, j], color=colours[j], linewidth=1.7, **_dot(step))
        middle.plot(
            step, _drawable(loss[:, rollout], floor), color=INK, linewidth=1.7, **_dot(step)
        )
        for line, colour in _messages(record["message"][:, rollout][..., channel], colours):
            bottom.plot(step, line, color=colour, linewidth=0.8, alpha=0.75, **_dot(step))
        if rollout:
            for axes in (top, middle, bottom):
                axes.axvline(step[0] - 1, color=MUTED, linewidth=0.8, alpha=0.5)

    top.set(ylabel="action and target", ylim=_limits(action[:, :num_rollouts], target))
    middle.set(yscale="log", ylabel="error (MSE)")
    bottom.set_ylabel(f"message\n(channel {channel[0]})" if len(channel) else "message")
    bottom.set_xlabel(f"rollout, {_count(num_steps, 'inner step')} each")
    bottom.set_xticks(
        [r * (num_steps + 1) + (num_steps - 1) / 2 for r in range(num_rollouts)],
        [str(r + 1) for r in range(num_rollouts)],
    )
    for axes in (top, middle, bottom):
        axes.grid(axis="x", visible=False)
        axes.tick_params(axis="x", length=0)
        axes.set_xlim(-1, num_rollouts * (num_steps + 1) - 1)
    figure.align_ylabels()
    some = f" (the first {shown} of {num_outputs} outputs)" if shown < num_outputs else ""
    top.set_title(f"{_count(num_rollouts, 'rollout')} of one agent{some}")
    dashed = Line2D([], [], color=INK, linestyle=(0, (3, 1.5)), linewidth=1.3, label="target")
    outputs = [Line2D([], [], color=colours[j], label=f"output {j}") for j in range(shown)]
    free = [Line2D([], [], color=FREE_EXPERT, linewidth=1, label="message of a free expert")]
    has_free = record["message"].shape[2] > num_outputs and len(channel) > 0
    _legend_below(figure, [*outputs, dashed, *(free if has_free else [])])
    return figure


def _messages(
    message: Float[np.ndarray, "T N C"], colours: Sequence[str]
) -> Iterator[tuple[Float[np.ndarray, " T"], str]]:
    """The line and the colour of each expert, the free experts first so that they lie below."""
    num_experts = message.shape[1] if message.shape[2] else 0
    for expert in reversed(range(num_experts)):
        colour = colours[expert] if expert < len(colours) else FREE_EXPERT
        yield message[:, expert, 0], colour


@styled
def communication(record: Record) -> Figure:
    """Messages over the inner steps as heat maps, experts as rows, one column a rollout.

    In the manner of figure 8 of the Badger paper: up to five rollouts, and of the messages the
    three channels that vary most.

    Raises:
        ValueError: when the messages have no channel.
    """
    _check(record)
    message = record["message"]
    num_steps, num_rollouts, num_experts, num_channels = message.shape
    if num_channels == 0:
        raise ValueError("messages need at least one channel to be drawn, got 0")
    num_outputs = record["action"].shape[2]
    channels = _liveliest_channels(message)[:3]
    columns = min(num_rollouts, 5)
    height = float(np.clip(0.14 * num_experts, 1.1, 3.2))
    finite = message[:, :columns][..., channels]
    finite = np.abs(finite[np.isfinite(finite)])
    limit = float(np.quantile(finite, 0.99)) if finite.size and finite.max() > 0 else 1.0

    size = (2.6 + 2.5 * columns, 1.4 + height * len(channels))
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(channels), columns, sharex=True, sharey=True, squeeze=False)
    for (row, column), axes in np.ndenumerate(grid):
        image = axes.imshow(
            message[:, column, :, channels[row]].T,
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
        if row == 0:
            axes.set_title(f"rollout {column + 1}", fontsize=12, fontweight="normal")
        if column == 0:
            axes.set_ylabel(f"channel {channels[row]}\nexpert")
            axes.tick_params(axis="y", length=0, pad=9)
            _mark_outputs(axes, min(num_outputs, num_experts))
    figure.suptitle("Messages of the experts", fontweight="bold", x=0.01, ha="left", fontsize=14)
    figure.supxlabel("inner step", fontsize=12)
    figure.colorbar(image, ax=grid, label="message", shrink=0.8, pad=0.015)
    return figure


def _mark_outputs(axes: Axes, num_outputs: int) -> None:
    """A strip of colour along the rows of the experts that speak for an output."""
    for expert, colour in enumerate(output_colours(num_outputs)):
        axes.plot(
            [-0.025, -0.025],
            [expert - 0.45, expert + 0.45],
            transform=axes.get_yaxis_transform(),
            color=colour,
            linewidth=3,
            solid_capstyle="butt",
            clip_on=False,
        )


def _liveliest_channels(message: Float[np.ndarray, "T R N M"]) -> Int[np.ndarray, " M"]:
    """The channels of the messages, the one that varies most first."""
    spread = _finite(message).std(axis=(0, 1, 2))
    return np.argsort(-spread, kind="stable")


# The graph.


@styled
def topology(record: Record) -> Figure:
    """The graph of the experts: who is heard by whom.

    Edges have the colour of the expert that speaks and the width of their weight, and arrows
    unless every edge has its reverse.
    """
    _check(record)
    num_experts, num_outputs = record["hidden"].shape[2], record["action"].shape[2]
    index = record["edge_index"]
    figure, axes = _figure(7.2, 7.6)
    _draw_graph(axes, record)
    symmetric = _is_symmetric(index)
    kind = "connection" if symmetric else "edge"
    num_edges = _num_connections(index) if symmetric else index.shape[1]
    title = f"{_count(num_experts, 'expert')}, {_count(num_edges, kind)}"
    figure.suptitle(title, fontweight="bold", fontsize=14)
    outputs = min(num_outputs, num_experts)
    colours = output_colours(num_outputs)
    handles = [_disc(colours[j], f"speaks for output {j}") for j in range(min(outputs, 8))]
    if outputs > 8:
        handles = [_disc(colours[0], f"in colour: speaks for one of {outputs} outputs")]
    if num_experts > outputs:
        handles.append(_disc(FREE_EXPERT, "free expert"))
    _legend_below(figure, handles)
    return figure


def layout(index: Int[np.ndarray, "2 E"], num_experts: int) -> Float[np.ndarray, "N 2"]:
    """A place for each expert, within the unit circle.

    Sparse connected graphs are laid out by path lengths (a ring becomes a ring, a grid a grid),
    others of up to 32 experts and dense ones on a circle, the rest by springs.
    """
    graph = nx.Graph()
    graph.add_nodes_from(range(num_experts))
    graph.add_edges_from((s, t) for s, t in index.T.tolist() if s != t)
    num_edges = graph.number_of_edges()
    # From the top, clockwise.
    circle = {node: np.array([y, x]) for node, (x, y) in nx.circular_layout(graph).items()}
    if num_experts > 2 and num_edges <= 2 * num_experts and nx.is_connected(graph):
        place = nx.kamada_kawai_layout(graph, pos=circle)
    elif num_experts <= 32 or num_edges > num_experts**2 / 4:
        place = circle
    else:
        place = nx.spring_layout(graph, seed=0, k=2.5 / np.sqrt(num_experts), iterations=100)
    position = np.array([place[node] for node in range(num_experts)], dtype=np.float64)
    position -= (position.max(axis=0) + position.min(axis=0)) / 2
    reach = np.linalg.norm(position, axis=1).max()
    return np.divide(position, max(reach, ERROR_FLOOR))


class _GraphArtists(NamedTuple):
    """What an animation of the graph changes."""

    nodes: EllipseCollection
    halos: EllipseCollection
    edges: Sequence[Collection]
    numbers: Sequence[Text]
    radius: float


def _draw_graph(axes: Axes, record: Record) -> _GraphArtists:
    index = record["edge_index"]
    num_experts, num_outputs = record["hidden"].shape[2], record["action"].shape[2]
    position = layout(index, num_experts)
    radius = _node_radius(position)
    colours = [*output_colours(num_outputs)[:num_experts]]
    colours += [FREE_EXPERT] * (num_experts - len(colours))

    edges = _draw_edges(axes, record, position, radius, to_rgba_array(colours)[index[0]])
    halos = _draw_discs(axes, position, radius, alpha=0.25, linewidth=0, zorder=2)
    nodes = _draw_discs(axes, position, radius, edgecolors=PAPER, linewidth=1.5, zorder=3)
    for discs in (halos, nodes):
        discs.set_facecolor(colours)
    # The numbers of more experts than that could not be read.
    places = position if num_experts <= 40 else position[:0]
    numbers = [
        axes.text(x, y, str(expert), ha="center", va="center_baseline", fontsize=9, zorder=4)
        for expert, (x, y) in enumerate(places)
    ]
    _contrast(numbers, to_rgba_array(colours))
    reach = np.maximum(np.abs(position).max(axis=0) + 2.6 * radius, 0.5)
    axes.set(xlim=(-reach[0], reach[0]), ylim=(-reach[1], reach[1]), aspect="equal")
    axes.axis("off")
    return _GraphArtists(nodes, halos, edges, numbers, radius)


def _draw_edges(
    axes: Axes,
    record: Record,
    position: Float[np.ndarray, "N 2"],
    radius: float,
    colours: Float[np.ndarray, "E 4"],
) -> list[Collection]:
    index = record["edge_index"]
    weight = np.abs(_finite(record["edge_weight"]))
    symmetric = _is_symmetric(index)
    # The more edges, the fainter, so that many do not merge into one blot.
    colours[:, 3] = 0.8 * min(1.0, 50 / max(index.shape[1], 1)) ** 0.6
    curves = _curves(position, index, radius, bend=0.0 if symmetric else 0.16)  # [E, K, 2]
    widths = 0.5 + 1.5 * weight / max(weight.max(initial=0.0), ERROR_FLOOR)
    edges: list[Collection] = [LineCollection(list(curves), colors=colours, linewidths=widths)]
    if not symmetric:
        heads = _arrow_heads(curves, position[index[1]], radius)
        edges.append(PolyCollection(list(heads), facecolors=colours, linewidth=0))
    for collection in edges:
        axes.add_collection(collection)
    return edges


def _draw_discs(
    axes: Axes, position: Float[np.ndarray, "N 2"], radius: float, **kwargs: Any
) -> EllipseCollection:
    diameter = np.full(len(position), 2 * radius)
    discs = EllipseCollection(
        diameter,
        diameter,
        np.zeros(len(position)),
        units="xy",
        offsets=position,
        offset_transform=axes.transData,
        **kwargs,
    )
    axes.add_collection(discs)
    return discs


def _contrast(numbers: Sequence[Text], background: Float[np.ndarray, "N 4"]) -> None:
    """Dark numbers on light experts, light numbers on dark ones."""
    lightness = background[:, :3] @ np.array([0.299, 0.587, 0.114])
    for number, value in zip(numbers, lightness, strict=False):
        number.set_color(INK if value > 0.5 else "white")


def _node_radius(position: Float[np.ndarray, "N 2"]) -> float:
    """Large enough to see, small enough to leave room between close neighbours."""
    if len(position) < 2:
        return 0.12
    distance = np.linalg.norm(position[:, None] - position[None], axis=-1)
    np.fill_diagonal(distance, np.inf)
    return float(np.clip(0.36 * np.quantile(distance.min(axis=1), 0.1), 0.012, 0.085))


def _curves(
    position: Float[np.ndarray, "N 2"], index: Int[np.ndarray, "2 E"], radius: float, bend: float
) -> Float[np.ndarray, "E K 2"]:
    """A Bézier curve for each edge, bent to the left; an edge to itself is a loop."""
    start, end = position[index[0]], position[index[1]]
    loop = index[0] == index[1]
    along = end - start
    across = np.stack([-along[:, 1], along[:, 0]], axis=-1)
    middle = (start + end) / 2 + bend * across
    t = np.linspace(0, 1, 24)[None, :, None]
    curve: NDArray[np.float64]
    curve = (1 - t) ** 2 * start[:, None] + 2 * t * (1 - t) * middle[:, None] + t**2 * end[:, None]
    outward = np.where(np.any(start[loop], axis=1, keepdims=True), start[loop], [0.0, 1.0])
    outward = outward / np.linalg.norm(outward, axis=1, keepdims=True)
    turn = 2 * np.pi * np.linspace(0, 1, 24)
    circle = 1.1 * radius * np.stack([np.cos(turn), np.sin(turn)], axis=-1)
    curve[loop] = (start[loop] + 1.4 * radius * outward)[:, None] + circle
    return curve


def _arrow_heads(
    curve: Float[np.ndarray, "E K 2"], centre: Float[np.ndarray, "E 2"], radius: float
) -> Float[np.ndarray, "E 3 2"]:
    """A triangle on each curve, its tip just outside the node that hears."""
    fine = np.linspace(0, curve.shape[1] - 1, 200)
    low = np.minimum(fine.astype(int), curve.shape[1] - 2)
    share = (fine - low)[None, :, None]
    dense = curve[:, low] * (1 - share) + curve[:, low + 1] * share
    outside = np.linalg.norm(dense - centre[:, None], axis=-1) > 1.15 * radius  # [E, 200]
    last = outside.shape[1] - 1 - np.argmax(outside[:, ::-1], axis=1)
    edge = np.arange(len(curve))
    tip, behind = dense[edge, last], dense[edge, np.maximum(last - 8, 0)]
    forward = tip - behind
    forward /= np.maximum(np.linalg.norm(forward, axis=1, keepdims=True), 1e-9)
    side = np.stack([-forward[:, 1], forward[:, 0]], axis=-1)
    size = min(0.75 * radius, 0.045)
    base = tip - 1.5 * size * forward
    return np.stack([tip, base + 0.6 * size * side, base - 0.6 * size * side], axis=1)


def _is_symmetric(index: Int[np.ndarray, "2 E"]) -> bool:
    pairs = set(map(tuple, index.T.tolist()))
    return all((target, source) in pairs for source, target in pairs)


def _num_connections(index: Int[np.ndarray, "2 E"]) -> int:
    return len({(min(pair), max(pair)) for pair in index.T.tolist()})


@styled
def animate(record: Record, path: str | Path, rollout: int = 0) -> Path:
    """A GIF of the graph over one rollout, beside it the actions approaching the targets.

    The colour of an expert is its state, projected on the direction in which the states of this
    rollout vary most; its halo is the size of the message that it sends.

    Args:
        record: the rollouts.
        path: the file to write.
        rollout: which rollout.

    Raises:
        ValueError: when there is no such rollout.
    """
    _check(record)
    action, target, loss = record["action"], record["target"], record["loss"]
    num_steps, num_rollouts, num_outputs = action.shape
    if not 0 <= rollout < num_rollouts:
        raise ValueError(f"rollout must be between 0 and {num_rollouts - 1}, got {rollout}")
    state = _principal_component(record["hidden"][:, rollout])  # [T, N]
    size = np.linalg.norm(_finite(record["message"][:, rollout]), axis=-1)  # [T, N]
    size = size / max(size.max(initial=0.0), ERROR_FLOOR)
    rims = [*output_colours(num_outputs)[: state.shape[1]]]
    rims += [PAPER] * (state.shape[1] - len(rims))

    figure = Figure(figsize=(9.6, 5.2), dpi=80)
    canvas: Any = FigureCanvasAgg(figure)  # its methods have no types
    grid = figure.add_gridspec(
        2, 2, width_ratios=[1.2, 1], left=0.01, right=0.97, top=0.89, bottom=0.115, wspace=0.2
    )
    graph = figure.add_subplot(grid[:, 0])
    artists = _draw_graph(graph, record)
    artists.nodes.set(edgecolors=rims, linewidths=2.5)
    artists.halos.set(facecolors=MUTED)
    edge_colours = to_rgba_array(artists.edges[0].get_edgecolor())
    edge_alpha = edge_colours[:, 3].copy()
    note = "colour: state    rim: its output    halo: size of its message"
    figure.text(0.28, 0.03, note, color=MUTED, fontsize=11, ha="center")
    title = figure.suptitle("", fontweight="bold", x=0.03, ha="left", fontsize=14)
    reveal = _draw_progress(figure, grid, action[:, rollout], target[rollout], loss[:, rollout])

    images = []
    for t in range(num_steps):
        node_colours = colormaps["PuOr"](0.5 + 0.42 * state[t])
        artists.nodes.set_facecolor(node_colours)
        _contrast(artists.numbers, node_colours)
        halo = 2 * artists.radius * (1.1 + 1.1 * size[t])
        artists.halos.set(widths=halo, heights=halo)
        edge_colours[:, 3] = edge_alpha * (0.15 + 0.85 * size[t][record["edge_index"][0]])
        for collection in artists.edges:
            collection.set_color(list(edge_colours))
        reveal(t)
        title.set_text(f"inner step {t + 1} of {num_steps}, error {loss[t, rollout]:.2g}")
        canvas.draw()
        pixels = np.asarray(canvas.buffer_rgba())
        image = Image.fromarray(pixels).convert("RGB")
        # The octree keeps thin coloured rims, where a median cut would merge blue and green;
        # without dithering the flat colours stay flat and the file stays small.
        images.append(
            image.quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
        )
    path = Path(path)
    wait = [250] * (num_steps - 1) + [2500]  # milliseconds
    images[0].save(path, save_all=True, append_images=images[1:], duration=wait, loop=0)
    return path


def _draw_progress(
    figure: Figure,
    grid: GridSpec,
    action: Float[np.ndarray, "T d"],
    target: Float[np.ndarray, " d"],
    loss: Float[np.ndarray, " T"],
) -> Callable[[int], None]:
    """The panels beside the graph; returns what draws their lines up to an inner step."""
    top, bottom = figure.add_subplot(grid[0, 1]), figure.add_subplot(grid[1, 1])
    shown = list(enumerate(output_colours(len(target))))[:MAX_OUTPUTS]
    step, error = np.arange(1, len(action) + 1), _drawable(loss, _floor_below([loss]))
    for j, colour in shown:
        top.axhline(target[j], color=colour, linewidth=1.3, linestyle=(0, (3, 1.5)))
    lines = [top.plot([], [], color=colour, marker="o", markersize=3)[0] for _, colour in shown]
    (error_line,) = bottom.plot([], [], color=INK, marker="o", markersize=3)
    top.set(ylabel="action and target", ylim=_limits(action, target))
    top.tick_params(labelbottom=False)
    bottom.set(yscale="log", ylabel="error (MSE)", xlabel="inner step", ylim=_log_limits(error))
    for axes in (top, bottom):
        axes.set_xlim(0.5, len(step) + 0.5)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    figure.align_ylabels([top, bottom])

    def reveal(t: int) -> None:
        for j, line in enumerate(lines):
            line.set_data(step[: t + 1], action[: t + 1, j])
        error_line.set_data(step[: t + 1], error[: t + 1])

    return reveal


def _principal_component(hidden: Float[np.ndarray, "T N H"]) -> Float[np.ndarray, "T N"]:
    """The states on the direction in which they vary most, scaled to [-1, 1]."""
    states = _finite(hidden)
    states = states - states.mean(axis=(0, 1))
    _, directions = np.linalg.eigh(np.einsum("tni,tnj->ij", states, states))
    projected: NDArray[np.float64] = states @ directions[:, -1]  # [T, N]
    scale = np.quantile(np.abs(projected), 0.98)
    return np.clip(np.divide(projected, max(scale, ERROR_FLOOR)), -1, 1)


def _limits(*values: NDArray[Any]) -> tuple[float, float]:
    finite = np.concatenate([v[np.isfinite(v)] for v in values] + [np.array([-1.0, 1.0])])
    return float(finite.min()) - 0.1, float(finite.max()) + 0.1


def _log_limits(error: NDArray[np.float64]) -> tuple[float, float]:
    finite = error[np.isfinite(error)]
    return (finite.min() / 2, finite.max() * 2) if len(finite) else (0.1, 1.0)


# What the figures share.


def output_colours(num_outputs: int) -> list[str]:
    """One colour an output; a colour map takes over where the palette ends."""
    num_shades = max(num_outputs - len(OUTPUT_COLOURS), 0)
    shades = colormaps["viridis"](np.linspace(0.05, 0.92, num_shades))
    return [*OUTPUT_COLOURS[:num_outputs], *(to_hex(shade) for shade in shades)]


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def _drawable(
    error: Float[np.ndarray, " n"], floor: float = ERROR_FLOOR
) -> Float[np.ndarray, " n"]:
    """The error as a logarithmic axis can show it: zeros at the floor, gaps where not finite."""
    error = np.asarray(error, dtype=np.float64)
    return np.where(np.isfinite(error), np.maximum(error, floor), np.nan)


def _finite(values: NDArray[Any]) -> NDArray[np.float64]:
    """The values with zeros where they are not finite."""
    return np.nan_to_num(values.astype(np.float64), posinf=0.0, neginf=0.0)


def _dot(step: NDArray[Any]) -> dict[str, Any]:
    """A single point is no line: mark it."""
    return {"marker": "o", "markersize": 4} if len(step) == 1 else {}


def _level(axes: Axes, error: float, name: str, x: float) -> None:
    """A dashed line at one error, named at its left (``x = 0``) or right end (``x = 1``)."""
    axes.axhline(error, color=MUTED, linewidth=1.3, linestyle=(0, (5, 3)), label=name, zorder=2)
    axes.annotate(
        f"{name} {error:.3g}",
        (x, error),
        xycoords=axes.get_yaxis_transform(),
        xytext=(4 - 8 * x, 4),
        textcoords="offset points",
        ha="right" if x else "left",
        fontsize=11,
        color=MUTED,
    )


def _disc(colour: str, label: str) -> Line2D:
    return Line2D([], [], linestyle="none", marker="o", markersize=9, color=colour, label=label)


def _legend_below(figure: Figure, handles: Sequence[Line2D | Patch]) -> None:
    columns = max(min(len(handles), int(figure.get_figwidth() / 2.2)), 1)
    figure.legend(handles=handles, loc="outside lower center", ncols=columns)


def _count(number: int, name: str) -> str:
    return f"{number} {name}" if number == 1 else f"{number} {name}s"


RECORD_SHAPES = {
    "action": "T R d",
    "target": "R d",
    "loss": "T R",
    "message": "T R N M",
    "hidden": "T R N H",
    "edge_index": "2 E",
    "edge_weight": "E",
}


def _check(record: Record) -> None:
    """Raise a ValueError when the record is not what the head of this file says."""
    missing = [name for name in RECORD_SHAPES if name not in record]
    if missing:
        raise ValueError(f"a record needs {list(RECORD_SHAPES)}, missing {missing}")
    sizes: dict[str, int] = {"2": 2}
    for name, letters in RECORD_SHAPES.items():
        shape, axes = record[name].shape, letters.split()
        fits = len(shape) == len(axes) and all(
            sizes.setdefault(letter, size) == size for letter, size in zip(axes, shape, strict=True)
        )
        if not fits:
            known = {letter: size for letter, size in sizes.items() if letter in axes}
            raise ValueError(
                f"{name} must have the shape [{', '.join(axes)}] with {known}, got {shape}"
            )
    for letter in "TRdN":
        if sizes[letter] == 0:
            raise ValueError(f"a record needs {letter} of at least 1, got 0")
    index = record["edge_index"]
    if index.size and not 0 <= index.min() <= index.max() < sizes["N"]:
        raise ValueError(
            f"edges must join the experts 0 to {sizes['N'] - 1} of one agent, "
            f"got {index.min()} to {index.max()}"
        )


# All of them.


def save_all(folder: str | Path) -> list[Path]:
    """Draw every figure of a run into its folder.

    Args:
        folder: holds ``evaluation.json``, ``rollouts.npz`` and, after a fit,
            ``logs/version_*/metrics.csv``. An optional number ``solved`` in the first is the
            error at which the task counts as solved.

    Returns:
        The files written: five pictures and an animation, without ``learning_curve.png`` where
        there are no logs.

    Raises:
        FileNotFoundError: when one of the first two files is missing.
        ValueError: when a file does not hold what it should; pickled objects are never loaded.
    """
    folder = Path(folder)
    evaluation = json.loads((folder / "evaluation.json").read_text())
    with np.load(folder / "rollouts.npz", allow_pickle=False) as arrays:
        record = {name: arrays[name] for name in arrays.files}
    history = read_history(folder / "logs")

    figures = {
        "error_after_queries": error_after_queries(evaluation),
        "rollouts": rollouts(record),
        "communication": communication(record),
        "topology": topology(record),
    }
    if history is not None:
        chance, solved = evaluation["chance"], evaluation.get("solved")
        figures = {"learning_curve": learning_curve(history, chance, solved)} | figures
    paths = []
    for name, figure in figures.items():
        paths.append(folder / f"{name}.png")
        figure.savefig(paths[-1])
    return [*paths, animate(record, folder / "rollout.gif")]
