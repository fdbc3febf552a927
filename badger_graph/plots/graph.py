"""The graph of the experts, for the figures in which it appears."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import networkx as nx
import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.collections import Collection, EllipseCollection
from matplotlib.colors import to_rgba_array
from matplotlib.text import Text

from badger_graph.plots.edges import draw_edges
from badger_graph.plots.record import Record, finite
from badger_graph.plots.style import ERROR_FLOOR, INK, PAPER, expert_colours

MAX_NUMBERED = 40
"""The numbers of more experts could not be read."""


class GraphArtists(NamedTuple):
    """What an animation of the graph changes."""

    nodes: EllipseCollection
    halos: EllipseCollection
    edges: Sequence[Collection]
    numbers: Sequence[Text]
    radius: float


def draw_graph(axes: Axes, record: Record) -> GraphArtists:
    """Experts as numbered discs, edges in the colour of the expert that speaks."""
    num_experts, num_outputs = record["hidden"].shape[2], record["action"].shape[2]
    index, weight = record["edge_index"], np.abs(finite(record["edge_weight"]))
    position = layout(index, num_experts)
    radius = _node_radius(position)
    colours = to_rgba_array(expert_colours(num_experts, num_outputs))

    edges = draw_edges(axes, position, radius, index, weight, colours[index[0]])
    halos = _draw_discs(axes, position, radius, alpha=0.25, linewidth=0, zorder=2)
    nodes = _draw_discs(axes, position, radius, edgecolors=PAPER, linewidth=1.5, zorder=3)
    for discs in (halos, nodes):
        discs.set_facecolor(list(colours))
    numbers = [
        axes.text(x, y, str(expert), ha="center", va="center_baseline", fontsize=9, zorder=4)
        for expert, (x, y) in enumerate(position if num_experts <= MAX_NUMBERED else [])
    ]
    contrast(numbers, colours)
    reach = np.maximum(np.abs(position).max(axis=0) + 2.6 * radius, 0.5)
    axes.set(xlim=(-reach[0], reach[0]), ylim=(-reach[1], reach[1]), aspect="equal")
    axes.axis("off")
    return GraphArtists(nodes, halos, edges, numbers, radius)


def contrast(numbers: Sequence[Text], background: Float[np.ndarray, "N 4"]) -> None:
    """Dark numbers on light experts, light numbers on dark ones."""
    lightness = background[:, :3] @ np.array([0.299, 0.587, 0.114])
    for number, value in zip(numbers, lightness, strict=False):
        number.set_color(INK if value > 0.5 else "white")


def layout(index: Int[np.ndarray, "2 E"], num_experts: int) -> Float[np.ndarray, "N 2"]:
    """A place for each expert, within the unit circle.

    Sparse connected graphs are laid out by path lengths (a ring becomes a ring, a grid a grid),
    others of up to 32 experts and dense ones on a circle, the rest by springs.
    """
    graph = nx.empty_graph(num_experts)
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


def _node_radius(position: Float[np.ndarray, "N 2"]) -> float:
    """Large enough to see, small enough to leave room between close neighbours."""
    if len(position) < 2:
        return 0.12
    distance = np.linalg.norm(position[:, None] - position[None], axis=-1)
    np.fill_diagonal(distance, np.inf)
    return float(np.clip(0.34 * np.quantile(distance.min(axis=1), 0.1), 0.012, 0.085))


def _draw_discs(
    axes: Axes, position: Float[np.ndarray, "N 2"], radius: float, **kwargs: Any
) -> EllipseCollection:
    diameter = np.full(len(position), 2 * radius)
    place: dict[str, Any] = {"offsets": position, "offset_transform": axes.transData}
    discs = EllipseCollection(diameter, diameter, 0 * diameter, units="xy", **place, **kwargs)
    axes.add_collection(discs)
    return discs
