"""Graph files: round trips in every format, and every way in which a file can be wrong."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import networkx as nx
import pytest
import torch

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
def test_missing_file(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"must exist, got '.*{name}'"):
        graph_file(str(tmp_path / name))


@every_format
def test_folder(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(ValueError, match=f"must exist, got '.*{name}'"):
        graph_file(str(tmp_path / name))


@every_format
@pytest.mark.parametrize("content", ["", " \n\n"])
def test_empty_file(name: str, content: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"must not be empty, got '.*{name}'"):
        graph_file(written(tmp_path / name, content))


GRAPHML = '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">{}</graphml>'


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("graph.graphml", "0 1\n"),
        ("graph.graphml", "<graphml>"),
        ("graph.graphml", "<html></html>"),
        ("graph.graphml", GRAPHML.format("")),
        ("graph.graphml", GRAPHML.format('<graph edgedefault="directed"/>')),
        ("graph.json", "{"),
        ("graph.json", "[]"),
        ("graph.json", "3"),
        ("graph.json", "{}"),
        ("graph.json", '{"nodes": [], "edges": []}'),
        ("graph.json", '{"nodes": [{"id": 0}], "edges": [{"source": 0}]}'),
        ("graph.json", '{"nodes": [{"id": 0}]}'),
        ("graph.json", "[" * 100_000),
        ("graph.txt", "# only a comment\n"),
    ],
)
def test_malformed_file(name: str, content: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"must be well-formed, got '.*{name}': "):
        graph_file(written(tmp_path / name, content))


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("a", "graph.txt"),
        ("0,1", "graph.txt"),
        ("a b heavy", "graph.txt"),
        ("a b 1.0 2.0", "graph.edgelist"),
        ("a b {'weight': 'heavy'}", "graph.edgelist"),
        ("a b {'weight': ", "graph.edgelist"),
        ("a b {1, 2}", "graph.edgelist"),
        ("a b {'weight': None}", "graph.edgelist"),
    ],
)
def test_malformed_line(line: str, name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"line 2 must be 'source target \[weight\]', got "):
        graph_file(written(tmp_path / name, f"a b\n{line}\n"))


@pytest.mark.parametrize("weight", ["nan", "inf"])
def test_weight_that_is_not_finite(weight: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"must be finite, got {weight}"):
        graph_file(written(tmp_path / "graph.txt", f"a b {weight}\n"))


class Trap:
    """Leaves a trace where it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.trace,)


@every_format
def test_pickled_code_is_not_executed(name: str, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    (tmp_path / name).write_bytes(pickle.dumps(Trap(trace)))
    with pytest.raises(ValueError, match="must be well-formed"):
        graph_file(str(tmp_path / name))
    assert not trace.exists()


def test_code_in_an_edge_list_is_not_executed(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    line = f"a b {{'weight': open({str(trace)!r}, 'w').write('1')}}"
    with pytest.raises(ValueError, match="line 1 must be"):
        graph_file(written(tmp_path / "graph.edgelist", line))
    assert not trace.exists()
