"""Generators of edges: which expert hears which. Knows nothing of agents or tasks."""

from __future__ import annotations

from collections.abc import Callable

from topologies.base import FixedTopology, GraphTopology, Redraw, Topology
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
from topologies.networkx import NetworkXTopology
from topologies.random import ErdosRenyiTopology, RandomTopology
from topologies.spectrum import GraphSummary, is_strongly_connected, laplacian, summarise

__all__ = [
    "TOPOLOGIES",
    "CompleteTopology",
    "Edges",
    "ErdosRenyiTopology",
    "FixedTopology",
    "GivenGraph",
    "GraphSummary",
    "GraphTopology",
    "GridTopology",
    "IsolatedTopology",
    "LayeredTopology",
    "NetworkXTopology",
    "RandomTopology",
    "Redraw",
    "RingTopology",
    "StarTopology",
    "Topology",
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
    "networkx": NetworkXTopology,
    "file": graph_file,
}
"""What ``--topology NAME`` means: a class, or a function that returns one of its objects."""
