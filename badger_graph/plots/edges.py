"""The edges between the experts: Bézier curves that end where an arrow head begins."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int
from matplotlib.axes import Axes
from matplotlib.collections import Collection, LineCollection, PolyCollection

from badger_graph.plots.style import ERROR_FLOOR


def adjacency(index: Int[np.ndarray, "2 E"], num_experts: int) -> Bool[np.ndarray, "N N"]:
    """Whether the expert of the row is heard by that of the column."""
    matrix = np.zeros((num_experts, num_experts), dtype=bool)
    matrix[index[0], index[1]] = True
    return matrix


def draw_edges(
    axes: Axes,
    position: Float[np.ndarray, "N 2"],
    radius: float,
    index: Int[np.ndarray, "2 E"],
    weight: Float[np.ndarray, " E"],
    colours: Float[np.ndarray, "E 4"],
) -> list[Collection]:
    """Arrows as wide as their weight; where every edge has its reverse, halves without heads."""
    matrix = adjacency(index, len(position))
    symmetric = np.array_equal(matrix, matrix.T)
    # The more edges, the fainter, so that many do not merge into one blot.
    colours[:, 3] = 0.8 * min(1.0, 50 / max(index.shape[1], 1)) ** 0.6
    widths = 0.5 + 1.5 * weight / max(weight.max(initial=0.0), ERROR_FLOOR)
    control = _control_points(position, index, radius, bend=0.0 if symmetric else 0.16)
    head = min(1.1 * radius, 0.065)
    tip, forward = _shorten(control, gap=1.15 * radius, head=0.0 if symmetric else head)
    curves = _bezier(control, end=0.5 if symmetric else 1.0)
    edges: list[Collection] = [LineCollection(list(curves), colors=colours, linewidths=widths)]
    if not symmetric:
        heads = _triangles(tip, forward, head)
        edges.append(PolyCollection(list(heads), facecolors=colours, linewidth=0))
    for collection in edges:
        axes.add_collection(collection)
    return edges


def _control_points(
    position: Float[np.ndarray, "N 2"], index: Int[np.ndarray, "2 E"], radius: float, bend: float
) -> Float[np.ndarray, "E 4 2"]:
    """From centre to centre; an edge to itself is a loop on the outside.

    Edges bend to the left, to lie apart from their reverse, and inwards, to pass other nodes.
    """
    start, end = position[index[0]], position[index[1]]
    middle, along = (start + end) / 2, end - start
    inwards = -np.linalg.norm(along, axis=1, keepdims=True) * middle
    middle = middle + bend * (_left(along) + inwards)
    control = np.stack([start, (start + 2 * middle) / 3, (end + 2 * middle) / 3, end], axis=1)
    loop = index[0] == index[1]
    outward = np.where(start[loop].any(axis=1, keepdims=True), _unit(start[loop]), [0.0, 1.0])
    control[loop, 1] = start[loop] + radius * (3 * outward + 2 * _left(outward))
    control[loop, 2] = start[loop] + radius * (3 * outward - 2 * _left(outward))
    return control


def _shorten(
    control: Float[np.ndarray, "E 4 2"], gap: float, head: float
) -> tuple[Float[np.ndarray, "E 2"], Float[np.ndarray, "E 2"]]:
    """Move the ends, in place, out of the nodes; the tips of the heads and their directions."""
    outward = _unit(control[:, 1] - control[:, 0])
    inward = _unit(control[:, 3] - control[:, 2])
    tip = control[:, 3] - gap * inward
    control[:, 0] += gap * outward
    control[:, 3] = tip - head * inward
    return tip, inward


def _bezier(control: Float[np.ndarray, "E 4 2"], end: float) -> Float[np.ndarray, "E K 2"]:
    t = np.linspace(0, end, 32)[:, None]
    basis = np.hstack([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3])  # [K, 4]
    return basis @ control


def _triangles(
    tip: Float[np.ndarray, "E 2"], forward: Float[np.ndarray, "E 2"], length: float
) -> Float[np.ndarray, "E 3 2"]:
    base, half = tip - length * forward, 0.4 * length * _left(forward)
    return np.stack([tip, base + half, base - half], axis=1)


def _left(vector: Float[np.ndarray, "E 2"]) -> Float[np.ndarray, "E 2"]:
    return np.stack([-vector[:, 1], vector[:, 0]], axis=-1)


def _unit(vector: Float[np.ndarray, "E 2"]) -> Float[np.ndarray, "E 2"]:
    return np.divide(vector, np.maximum(np.linalg.norm(vector, axis=1, keepdims=True), ERROR_FLOOR))
