"""One graph that the user gives."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable
from numbers import Real

import networkx as nx
import torch

from topologies.base import FixedTopology
from topologies.checks import EXPERTS, brief, checked
from topologies.edges import Edges

LARGEST = torch.finfo(torch.float32).max
"""A larger weight is infinite where it is used."""


class GivenGraph(FixedTopology):
    """The graph that is given, for as many experts as it has nodes.

    Args:
        num_experts: number of nodes N.
        index: two lists of equal length, the sources and the targets of the edges, as numbers
            from 0 to N - 1. Self-loops are allowed, a second edge between the same two is not.
        weight: weight of every edge, finite; ones by default.

    Raises:
        ValueError: when these are not a graph; when drawn for another number of experts.
    """

    @checked(num_experts=EXPERTS)
    def __init__(
        self, num_experts: int, index: list[list[int]], weight: list[float] | None = None
    ) -> None:
        super().__init__()
        _check(num_experts, index, weight)
        self.num_experts = num_experts
        self.index = index
        self.weight = weight

    def edges(self, num_experts: int) -> Edges:
        if num_experts != self.num_experts:
            raise ValueError(
                "a given graph needs one expert for every node, "
                f"got {self.num_experts} nodes and {num_experts} experts"
            )
        index = torch.tensor(self.index, dtype=torch.int64)
        edges = Edges.unweighted(index)
        if self.weight is not None:
            edges = Edges(index, torch.tensor(self.weight, dtype=edges.weight.dtype))
        order = torch.argsort(index[1] * num_experts + index[0])
        return Edges(edges.index[:, order], edges.weight[order])


def from_networkx(graph: nx.Graph) -> GivenGraph:
    """A topology from any NetworkX graph, directed or not.

    - An undirected edge becomes an edge in both directions.
    - The edge attribute ``weight`` is kept, 1 where there is none.
    - Parallel edges of a multigraph become one edge, whose weight is their sum, as in
      NetworkX's adjacency matrix.
    - Self-loops are kept: the graph is taken as it is.
    - Nodes whose labels are all whole numbers (also written as text, as files have them) become
      experts in numerical order, so labels 0 to N - 1 stay as they are; nodes with any other
      labels in the order in which the graph lists them.

    Args:
        graph: a ``nx.Graph``, ``nx.DiGraph``, ``nx.MultiGraph`` or ``nx.MultiDiGraph``.

    Raises:
        ValueError: when it is not a graph, has no nodes, or has a weight that is not a finite
            number.
    """
    if not isinstance(graph, nx.Graph):
        raise ValueError(f"a topology is made from a NetworkX graph, got {brief(graph)}")
    number = {label: expert for expert, label in enumerate(_in_order(graph))}
    weights: defaultdict[tuple[int, int], float] = defaultdict(float)  # of (target, source)
    for tail, head, weight in graph.edges(data="weight", default=1.0):
        source, target = number[tail], number[head]
        value = _as_float(weight, tail, head)
        weights[target, source] += value
        if not graph.is_directed() and source != target:
            weights[source, target] += value
    edges = sorted(weights)
    weight_list = [weights[edge] for edge in edges]
    return GivenGraph(
        num_experts=len(graph),
        index=[[source for _, source in edges], [target for target, _ in edges]],
        weight=None if all(weight == 1 for weight in weight_list) else weight_list,
    )


def _in_order(graph: nx.Graph) -> list[Hashable]:
    try:
        return sorted(graph, key=lambda label: int(str(label)))
    except ValueError:
        return list(graph)


def _as_float(weight: object, tail: Hashable, head: Hashable) -> float:
    if isinstance(weight, Real):
        return float(weight)
    raise ValueError(
        f"the weight of an edge must be a number, got {weight!r} from {tail!r} to {head!r}"
    )


def _check(num_experts: int, index: list[list[int]], weight: list[float] | None) -> None:
    if len(index) != 2 or len(index[0]) != len(index[1]):
        raise ValueError(
            "index must be two lists of equal length, sources and targets, "
            f"got lengths {[len(part) for part in index]}"
        )
    outside = [node for part in index for node in part if not 0 <= node < num_experts]
    if outside:
        raise ValueError(f"nodes must be 0 to {num_experts - 1}, got {outside[0]}")
    edge, count = next(iter(Counter(zip(*index, strict=True)).most_common(1)), ((), 1))
    if count > 1:
        raise ValueError(f"every edge must be given once, got {edge} {count} times")
    if weight is None:
        return
    if len(weight) != len(index[0]):
        raise ValueError(
            f"every edge must have one weight, got {len(weight)} for {len(index[0])} edges"
        )
    odd = [value for value in weight if not abs(value) <= LARGEST]
    if odd:
        raise ValueError(f"the weight of an edge must be finite, got {odd[0]}")
