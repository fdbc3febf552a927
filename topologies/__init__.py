"""Generators of edges: which expert hears which. Knows nothing of agents or tasks."""

from __future__ import annotations

from collections.abc import Callable

from topologies.base import FixedTopology, GraphTopology, Redraw, Topology
from topologies.crossbar import CrossbarTopology
from topologies.edges import Edges
from topologies.file import graph_file
from topologies.given import GivenGraph, from_networkx
from topologies.hardwired import (
    CompleteTopology,
    GridTopology,
    IsolatedTopology,
    LayeredTopology,
    RingTopology,
    StarTopology,
)
from topologies.learned import LearnedGraphTopology
from topologies.mixture import MixtureTopology
from topologies.networkx import NetworkXTopology
from topologies.random import ErdosRenyiTopology, RandomTopology
from topologies.scored import AttentionTopology, TopKTopology
from topologies.spectrum import GraphSummary, is_strongly_connected, laplacian, summarise
from topologies.wires import Wires

__all__ = [
    "TOPOLOGIES",
    "AttentionTopology",
    "CompleteTopology",
    "CrossbarTopology",
    "Edges",
    "ErdosRenyiTopology",
    "FixedTopology",
    "GivenGraph",
    "GraphSummary",
    "GraphTopology",
    "GridTopology",
    "IsolatedTopology",
    "LayeredTopology",
    "LearnedGraphTopology",
    "MixtureTopology",
    "NetworkXTopology",
    "RandomTopology",
    "Redraw",
    "RingTopology",
    "StarTopology",
    "TopKTopology",
    "Topology",
    "Wires",
    "from_networkx",
    "graph_file",
    "is_strongly_connected",
    "laplacian",
    "summarise",
]

TOPOLOGIES: dict[str, Callable[..., Topology]] = {
    "random": RandomTopology,
    "erdos_renyi": ErdosRenyiTopology,
    "layered": LayeredTopology,
    "ring": RingTopology,
    "grid": GridTopology,
    "star": StarTopology,
    "complete": CompleteTopology,
    "isolated": IsolatedTopology,
    "crossbar": CrossbarTopology,
    "attention": AttentionTopology,
    "top_k": TopKTopology,
    "learned_graph": LearnedGraphTopology,
    "mixture": MixtureTopology,
    "networkx": NetworkXTopology,
    "file": graph_file,
}
"""What ``--topology NAME`` means: a class, or a function that returns one of its objects."""
