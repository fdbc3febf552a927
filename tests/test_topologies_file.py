"""Graph files: round trips in every format, and every way in which a file can be wrong."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import networkx as nx
import pytest
import torch
from properties import Intruder

from topologies import GivenGraph, from_networkx, graph_file


def write_node_link(graph: nx.Graph, path: Path, edges: str = "edges") -> None:
    path.write_text(json.dumps(nx.node_link_data(graph, edges=edges)))


WRITERS: dict[str, Callable[[nx.Graph, Path], None]] = {
    "graph.graphml": nx.write_graphml,
    "graph.edgelist": nx.write_edgelist,
    "graph.txt": nx.write_weighted_edgelist,
    "graph.json": write_node_link,
    "links.json": lambda graph, path: write_node_link(graph, path, edges="links"),
}
every_format = pytest.mark.parametrize("name", WRITERS)


def assert_same_graph(one: GivenGraph, other: GivenGraph) -> None:
    assert one.num_experts == other.num_experts
    assert one.index == other.index
    assert one.weight == other.weight


def written(path: Path, content: str) -> str:
    path.write_text(content)
    return str(path)


@every_format
@pytest.mark.parametrize("weight", [1.0, 0.1])
def test_directed_round_trip(name: str, weight: float, tmp_path: Path) -> None:
    graph = nx.gnp_random_graph(12, 0.4, seed=1, directed=True)
    nx.set_edge_attributes(graph, weight, "weight")
    WRITERS[name](graph, tmp_path / name)
    assert_same_graph(graph_file(str(tmp_path / name)), from_networkx(graph))


@pytest.mark.parametrize("name", ["graph.graphml", "graph.json", "links.json"])
def test_undirected_round_trip(name: str, tmp_path: Path) -> None:
    graph = nx.watts_strogatz_graph(12, 4, 0.1, seed=1)
    graph.add_node(12)  # isolated
    WRITERS[name](graph, tmp_path / name)
    assert_same_graph(graph_file(str(tmp_path / name)), from_networkx(graph))


@every_format
def test_edges_are_made(name: str, tmp_path: Path) -> None:
    WRITERS[name](nx.DiGraph([(0, 1, {"weight": 1.0}), (1, 0, {"weight": 4.0})]), tmp_path / name)
    edges = graph_file(str(tmp_path / name))(torch.zeros(1, 2, 1))
    assert edges.index.tolist() == [[1, 0], [0, 1]]
    assert edges.weight.tolist() == [4, 1]


def test_edge_list(tmp_path: Path) -> None:
    """Read as directed; comments and empty lines are skipped; weights are optional."""
    text = "# who hears whom\na b\n\nb c 0.5  # weak\nc a {'weight': 2, 'colour': 'red'}\na c {}\n"
    given = graph_file(written(tmp_path / "graph.edgelist", text))
    expected = nx.DiGraph(["ab", "ac"])
    expected.add_weighted_edges_from([("b", "c", 0.5), ("c", "a", 2.0)])
    assert_same_graph(given, from_networkx(nx.DiGraph(expected)))


def test_the_file_is_not_needed_again(tmp_path: Path) -> None:
    path = tmp_path / "graph.txt"
    given = graph_file(written(path, "0 1\n1 2\n"))
    path.unlink()
    assert_same_graph(GivenGraph(given.num_experts, given.index, given.weight), given)


@every_format
@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (None, "exist, got '.*{}'"),
        ("", "not be empty, got '.*{}'"),
        (" \n\n", "not be empty, got '.*{}'"),
    ],
)
def test_files_of_nothing(name: str, content: str | None, rule: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_text(content)
    with pytest.raises(ValueError, match="must " + rule.format(name)):
        graph_file(str(path))
    if content is None:
        path.mkdir()
        with pytest.raises(ValueError, match="must " + rule.format(name)):
            graph_file(str(path))


GRAPHML = '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">{}</graphml>'


WELL_FORMED = "must be well-formed, got '.*': "
LINE = r"line 2 must be 'source target \[weight\]', got "


@pytest.mark.parametrize(
    ("name", "content", "rule"),
    [
        ("graph.graphml", "0 1\n", WELL_FORMED),
        ("graph.graphml", "<graphml>", WELL_FORMED),
        ("graph.graphml", "<html></html>", WELL_FORMED),
        ("graph.graphml", GRAPHML.format(""), WELL_FORMED),
        ("graph.graphml", GRAPHML.format('<graph edgedefault="directed"/>'), WELL_FORMED),
        ("graph.json", "{", WELL_FORMED),
        ("graph.json", "[]", WELL_FORMED),
        ("graph.json", "3", WELL_FORMED),
        ("graph.json", "{}", WELL_FORMED),
        ("graph.json", '{"nodes": [], "edges": []}', WELL_FORMED),
        ("graph.json", '{"nodes": [{"id": 0}], "edges": [{"source": 0}]}', WELL_FORMED),
        ("graph.json", '{"nodes": [{"id": 0}]}', WELL_FORMED),
        ("graph.json", "[" * 100_000, WELL_FORMED),
        ("graph.txt", "# only a comment\n", WELL_FORMED),
        ("graph.txt", "a b\na\n", LINE),
        ("graph.txt", "a b\n0,1\n", LINE),
        ("graph.txt", "a b\na b heavy\n", LINE),
        ("graph.edgelist", "a b\na b 1.0 2.0\n", LINE),
        ("graph.edgelist", "a b\na b {'weight': 'heavy'}\n", LINE),
        ("graph.edgelist", "a b\na b {'weight': \n", LINE),
        ("graph.edgelist", "a b\na b {1, 2}\n", LINE),
        ("graph.edgelist", "a b\na b {'weight': None}\n", LINE),
        ("graph.edgelist", "a b\na b {'weight': open('trace', 'w').write('1')}\n", LINE),
        ("graph.txt", "a b nan\n", "must be finite, got nan"),
        ("graph.txt", "a b inf\n", "must be finite, got inf"),
    ],
)
def test_malformed_files(
    name: str, content: str, rule: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no code in them is executed."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=rule):
        graph_file(written(tmp_path / name, content))
    assert [path.name for path in tmp_path.iterdir()] == [name]


@every_format
def test_pickled_code_is_not_executed(name: str, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    (tmp_path / name).write_bytes(pickle.dumps(Intruder(trace)))
    with pytest.raises(ValueError, match="must be well-formed"):
        graph_file(str(tmp_path / name))
    assert not trace.exists()
