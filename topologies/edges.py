"""The edges of a batch of agents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import networkx as nx
import torch
from jaxtyping import Float, Int
from torch import Tensor

from topologies.checks import check_edges


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
