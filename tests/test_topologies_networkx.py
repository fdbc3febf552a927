"""Graphs from NetworkX: its generators by name, and any graph object."""

from __future__ import annotations

from typing import Any

import networkx as nx
import numpy as np
import pytest
import torch

from topologies import Edges, GivenGraph, NetworkXTopology, from_networkx


def drawn(topology: NetworkXTopology | GivenGraph, num_experts: int) -> Edges:
    edges: Edges = topology(torch.zeros(1, num_experts, 1), torch.Generator().manual_seed(0))
    return edges


def weights(edges: Edges) -> dict[tuple[int, int], float]:
    source, target = edges.index.tolist()
    return dict(zip(zip(source, target, strict=True), edges.weight.tolist(), strict=True))


# --------------------------------------------------------------------------------- generators


@pytest.mark.parametrize(
    ("generator", "kwargs"),
    [
        ("watts_strogatz_graph", {"k": 4, "p": 0.1}),
        ("barabasi_albert_graph", {"m": 2}),
        ("random_regular_graph", {"d": 3}),
        ("scale_free_graph", None),  # a multigraph with self-loops
        ("complete_graph", None),
        ("hypercube_graph", {"n": 4}),
        ("grid_2d_graph", {"m": 4, "n": 4}),
        ("connected_caveman_graph", {"l": 4, "k": 4}),  # no parameter n
        ("stochastic_block_model", {"sizes": [8, 8], "p": [[0.9, 0.1], [0.1, 0.9]]}),
        ("random_geometric_graph", {"radius": 0.5}),
    ],
)
def test_any_generator(generator: str, kwargs: dict[str, Any] | None) -> None:
    first = drawn(NetworkXTopology(generator, kwargs), 16)
    again = drawn(NetworkXTopology(generator, kwargs), 16)
    assert weights(first) == weights(again)
    assert first.index.size(1) > 0


def test_generator_is_that_of_networkx() -> None:
    expected = nx.watts_strogatz_graph(12, 4, 0.3, seed=7)
    topology = NetworkXTopology("watts_strogatz_graph", {"k": 4, "p": 0.3, "seed": 7})
    assert set(topology.graph(12).edges) == set(expected.to_directed().edges)


def test_labels_of_a_grid_are_numbered_row_by_row() -> None:
    edges = drawn(NetworkXTopology("grid_2d_graph", {"m": 2, "n": 3}), 6)
    expected = [(0, 1), (1, 2), (3, 4), (4, 5), (0, 3), (1, 4), (2, 5)]
    assert set(weights(edges)) == {pair for s, t in expected for pair in ((s, t), (t, s))}


def test_a_given_seed_fixes_the_graph() -> None:
    topology = NetworkXTopology("gnp_random_graph", {"p": 0.5, "seed": 3}, redraw="agent")
    edges = topology(torch.zeros(3, 10, 1))
    graphs = edges.index.view(2, 3, -1) - 10 * torch.arange(3)[:, None]
    assert torch.equal(graphs[:, 0], graphs[:, 1])
    assert torch.equal(graphs[:, 0], graphs[:, 2])


def test_arguments_are_copied() -> None:
    kwargs = {"k": 4, "p": 0.1}
    topology = NetworkXTopology("watts_strogatz_graph", kwargs)
    kwargs["q"] = 1
    assert topology.kwargs == {"k": 4, "p": 0.1}


# -------------------------------------------------------------------------------------- graphs


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        (nx.Graph([(0, 1), (2, 1)]), {(0, 1): 1, (1, 0): 1, (1, 2): 1, (2, 1): 1}),
        (nx.DiGraph([(0, 1), (2, 1)]), {(0, 1): 1, (2, 1): 1}),
        (
            nx.DiGraph([(0, 1, {"weight": 0.25}), (0, 2, {"weight": np.float32(-3)})]),
            {(0, 1): 0.25, (0, 2): -3},
        ),
        (
            nx.MultiDiGraph([(0, 1, {"weight": 2.0}), (0, 1, {"weight": 0.5}), (1, 0)]),
            {(0, 1): 2.5, (1, 0): 1},
        ),
        (nx.Graph([(0, 0, {"weight": 3.0}), (0, 1)]), {(0, 0): 3, (0, 1): 1, (1, 0): 1}),
        (nx.DiGraph([(0, 0, {"weight": 3.0}), (0, 1)]), {(0, 0): 3, (0, 1): 1}),
        (nx.empty_graph(4), {}),
    ],
    ids=["undirected", "directed", "weighted", "parallel", "loop", "directed loop", "no edges"],
)
def test_any_graph(graph: nx.Graph, expected: dict[tuple[int, int], float]) -> None:
    """Undirected edges go both ways, parallel ones are summed, a loop is kept once."""
    assert weights(drawn(from_networkx(graph), len(graph))) == expected


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ([2, 0, 1], [0, 1, 2]),
        ([30, 10, 20], [10, 20, 30]),
        (["10", "9", "8"], ["8", "9", "10"]),
        (["b", "a", "c"], ["b", "a", "c"]),
        ([(1, 0), (0, 1), (0, 0)], [(1, 0), (0, 1), (0, 0)]),
        ([1, "a", 0], [1, "a", 0]),
        ([0.5, 0.25, 1.5], [0.5, 0.25, 1.5]),
    ],
)
def test_labels_become_numbers(nodes: list[Any], expected: list[Any]) -> None:
    graph = nx.DiGraph()
    graph.add_nodes_from(nodes)
    nx.add_path(graph, expected)
    assert set(weights(drawn(from_networkx(graph), 3))) == {(0, 1), (1, 2)}


def test_one_graph_for_every_agent() -> None:
    topology = from_networkx(nx.DiGraph([(1, 0, {"weight": 2.0}), (0, 1, {"weight": 3.0})]))
    edges = topology(torch.zeros(2, 2, 1))
    assert weights(edges) == {(1, 0): 2, (0, 1): 3, (3, 2): 2, (2, 3): 3}


def test_round_trip() -> None:
    topology = from_networkx(nx.gnp_random_graph(12, 0.3, seed=0, directed=True))
    again = from_networkx(topology.graph(12))
    assert (again.num_experts, again.index, again.weight) == (12, topology.index, topology.weight)


def test_edges_are_ordered_by_target_with_their_weights() -> None:
    edges = GivenGraph(3, [[2, 0, 1], [1, 1, 0]], [5.0, 6.0, 7.0]).edges(3)
    assert edges.index.tolist() == [[1, 0, 2], [0, 1, 1]]
    assert edges.weight.tolist() == [7.0, 6.0, 5.0]
