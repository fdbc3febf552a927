"""Who is heard by whom."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from badger_graph.plots.edges import adjacency
from badger_graph.plots.graph import draw_graph
from badger_graph.plots.record import Record, check
from badger_graph.plots.style import (
    FREE_EXPERT,
    count,
    disc,
    legend_below,
    new_figure,
    output_colours,
    styled,
)

MAX_NAMED = 8
"""The legend does not name more outputs than this one by one."""


@styled
def topology(record: Record) -> Figure:
    """The graph of the experts: who is heard by whom.

    Edges have the colour of the expert that speaks and the width of their weight. They are
    arrows, unless every edge has its reverse: then each is drawn as the half of a connection
    that is nearer to the expert that speaks.
    """
    check(record)
    num_experts, num_outputs = record["hidden"].shape[2], record["action"].shape[2]
    figure, axes = new_figure(7.2, 7.6)
    artists = draw_graph(axes, record)
    for number in artists.numbers:
        number.set_fontsize(min(320 * artists.radius, 13))
    edges = _edges(record["edge_index"], num_experts)
    figure.suptitle(f"{count(num_experts, 'expert')}, {edges}", x=0.02, ha="left")
    legend_below(figure, _legend(min(num_outputs, num_experts), num_experts))
    return figure


def _edges(index: np.ndarray, num_experts: int) -> str:
    matrix = adjacency(index, num_experts)
    if np.array_equal(matrix, matrix.T):
        return count(int(np.triu(matrix).sum()), "connection")
    return count(index.shape[1], "edge")


def _legend(num_outputs: int, num_experts: int) -> list[Line2D]:
    colours = output_colours(num_outputs)
    handles = [disc(colour, f"output {j}") for j, colour in enumerate(colours)]
    if num_outputs > MAX_NAMED:
        handles = [disc(colours[0], f"in colour: speaks for one of {num_outputs} outputs")]
    if num_experts > num_outputs:
        handles.append(disc(FREE_EXPERT, "free expert"))
    return handles
