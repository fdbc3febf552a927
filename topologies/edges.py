"""The edges of a batch of agents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import networkx as nx
import torch
from jaxtyping import Float, Int
from torch import Tensor

from topologies.checks import check_edges

CELLS_PER_EDGE = 64
"""A mark in each of so many places takes less time than to sort the edges."""


class Edges(NamedTuple):
    """Who is heard by whom: one column ``(source, target)`` and one weight an edge.

    Experts of a batch of agents are numbered through: expert ``n`` of agent ``b`` is node
    ``b * N + n``, and no edge joins two agents.

    Shapes:
        - **index:** ``[2, E]``, integers
        - **weight:** ``[E]``, ones where the graph is unweighted
    """

    index: Int[Tensor, "2 E"]  # type: ignore[assignment]  # hides tuple.index
    weight: Float[Tensor, " E"]

    @classmethod
    def unweighted(cls, index: Int[Tensor, "2 E"]) -> Edges:
        """Edges of weight one."""
        return cls(index, torch.ones(index.size(1), device=index.device))

    @classmethod
    def join(cls, graphs: Sequence[Edges], num_experts: int) -> Edges:
        """Graphs of ``num_experts`` nodes each, side by side and numbered through."""
        index = [graph.index + i * num_experts for i, graph in enumerate(graphs)]
        return cls(torch.cat(index, dim=1), torch.cat([graph.weight for graph in graphs]))

    def repeat(self, batch_size: int, num_experts: int) -> Edges:
        """The same graph of ``num_experts`` nodes once for every agent of a batch."""
        check_edges(batch_size * self.index.size(1), f"a batch of {batch_size} agents")
        offsets = torch.arange(batch_size, device=self.index.device) * num_experts
        index = (self.index[:, None, :] + offsets[None, :, None]).reshape(2, -1)
        return Edges(index, self.weight.repeat(batch_size))

    def to(self, device: torch.device) -> Edges:
        """The same edges on ``device``."""
        return Edges(self.index.to(device), self.weight.to(device))

    def to_networkx(self, num_experts: int) -> nx.DiGraph:
        """One graph of ``num_experts`` nodes as a NetworkX graph.

        Raises:
            ValueError: when an edge ends at a node that is not one of ``num_experts``.
        """
        graph = nx.DiGraph()
        graph.add_nodes_from(range(num_experts))
        source, target = self.index.tolist()
        graph.add_weighted_edges_from(zip(source, target, self.weight.tolist(), strict=True))
        if len(graph) != num_experts:
            raise ValueError(
                f"the edges of one graph must join nodes 0 to {num_experts - 1}, "
                f"got node {max(graph)}"
            )
        return graph


def check_graphs(edges: Edges, batch_size: int, num_experts: int) -> None:
    """Refuse what is not a simple weighted graph for each agent of a batch.

    Nobody hears the same expert twice in one round: a second edge between the same two is a larger
    weight, and a mean would count it among those who are heard.

    Raises:
        ValueError: as :func:`check_form` and :func:`check_ends`, for an edge given twice, or for a
            weight that is not finite. Weights that learn may become so, and are not looked at.
    """
    check_form(edges)
    check_ends(edges.index, batch_size, num_experts)
    index, weight = edges
    cell = index[1] * num_experts + index[0] % num_experts
    if not _all_differ(cell, batch_size * num_experts**2):
        cell, order = cell.sort()
        again = order[1:][cell.diff() == 0]
        source, target = index[:, int(again[0])].tolist()
        raise ValueError(
            f"every edge must be given once, got one from node {source} to {target} again"
        )
    if not weight.requires_grad and not (finite := weight.isfinite()).all():
        raise ValueError(
            f"the weight of an edge must be finite in {weight.dtype}, got {weight[~finite][0]:g}"
        )


def _all_differ(cell: Int[Tensor, " E"], cells: int) -> bool:
    if cells > CELLS_PER_EDGE * len(cell):
        return bool((cell.sort().values.diff() > 0).all())
    occupancy = torch.zeros(cells, dtype=torch.bool, device=cell.device).index_fill_(0, cell, True)
    return int(occupancy.count_nonzero()) == len(cell)


def check_form(edges: Edges) -> None:
    """Refuse what is not a list of ends and one of weights, whatever they hold.

    Raises:
        ValueError: when the two are not tensors, of another type, or not equally many.
    """
    if not isinstance(edges, Edges) or not all(isinstance(part, Tensor) for part in edges):
        raise ValueError(
            f"edges must be Edges(index, weight), two tensors, got {type(edges).__name__}"
        )
    index, weight = edges
    if index.dim() != 2 or len(index) != 2 or index.dtype != torch.int64:
        raise ValueError(
            "the index of edges must be [2, E], sources and targets of torch.int64, "
            f"got {list(index.shape)} of {index.dtype}"
        )
    if weight.shape != index.shape[1:]:
        got = len(weight) if weight.dim() == 1 else f"weights of shape {list(weight.shape)}"
        raise ValueError(f"every edge must have one weight, got {got} for {index.size(1)} edges")
    if weight.is_complex():
        raise ValueError(f"the weight of an edge must be a real number, got {weight.dtype}")
    if weight.device != index.device:
        raise ValueError(
            "the index and the weight of edges must be on one device, "
            f"got {index.device} and {weight.device}"
        )


def check_ends(index: Int[Tensor, "2 E"], batch_size: int, num_experts: int) -> None:
    """Refuse edges that are not between two experts of one agent.

    Raises:
        ValueError: when one ends at no node, or joins two agents.
    """
    if not index.numel():
        return
    nodes = batch_size * num_experts
    least, most = (int(end) for end in index.aminmax())
    if least < 0 or most >= nodes:
        raise ValueError(
            f"the edges of {batch_size} agents of {num_experts} experts must join nodes 0 to "
            f"{nodes - 1}, got node {least if least < 0 else most}"
        )
    agent = index // num_experts if batch_size > 1 else index.new_zeros(2, 1)
    if not agent[0].equal(agent[1]):
        between = int((agent[0] != agent[1]).nonzero()[0])
        source, target = index[:, between].tolist()
        raise ValueError(f"no edge may join two agents, got one from node {source} to {target}")
