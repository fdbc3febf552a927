"""A graph read from a file."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from pathlib import Path

import networkx as nx

from topologies.checks import checked
from topologies.given import GivenGraph, from_networkx


@checked()
def graph_file(path: str) -> GivenGraph:
    """The graph in a file, for as many experts as it has nodes.

    The ending of the name says the format. Nothing in a file is ever executed.

    - ``.graphml``: GraphML, which says itself whether it is directed.
    - ``.edgelist``, ``.txt``: one edge a line, ``source target [weight]``; ``#`` starts a
      comment. An edge list cannot say whether it is directed and is **read as directed**: write
      both directions of an undirected edge. The attributes that ``nx.write_edgelist`` writes,
      ``{'weight': 2.0}``, are understood in the place of the weight.
    - ``.json``: node-link JSON, as ``nx.node_link_data`` gives it, with its edges under
      ``"edges"`` or, from older versions, ``"links"``.

    Node labels, weights, parallel edges and self-loops are treated as
    :func:`~topologies.given.from_networkx` says. The result holds the graph itself: what is
    saved with an agent does not need the file.

    Args:
        path: name of the file.

    Raises:
        ValueError: when the file is missing, empty or malformed, or has an unknown ending.
    """
    file = Path(path)
    if file.suffix not in _READERS:
        raise ValueError(f"a graph file must end in {', '.join(_READERS)}, got {path!r}")
    if not file.is_file():
        raise ValueError(f"a graph file must exist, got {path!r}")
    if not file.read_bytes().strip():
        raise ValueError(f"a graph file must not be empty, got {path!r}")
    try:
        return from_networkx(_READERS[file.suffix](file))
    except Exception as error:  # a malformed file makes the parsers raise nearly anything
        raise ValueError(
            f"a graph file must be well-formed, got {path!r}: {type(error).__name__}: {error}"
        ) from error


def _read_edge_list(file: Path) -> nx.MultiDiGraph:
    graph = nx.MultiDiGraph()
    for number, line in enumerate(file.read_text("utf-8-sig").splitlines(), start=1):
        fields = line.partition("#")[0].split(maxsplit=2)
        if not fields:
            continue
        try:
            tail, head = fields[:2]
            graph.add_edge(tail, head, weight=_parse_weight(*fields[2:]))
        except (ValueError, SyntaxError, TypeError, AttributeError) as error:
            raise ValueError(
                f"line {number} must be 'source target [weight]', got {line!r}"
            ) from error
    return graph


def _parse_weight(text: str = "1") -> float:
    if text.startswith("{"):
        return float(ast.literal_eval(text).get("weight", 1))
    return float(text)


def _read_node_link(file: Path) -> nx.Graph:
    data = json.loads(file.read_bytes())
    return nx.node_link_graph(data, edges="edges" if "edges" in data else "links")


_READERS: dict[str, Callable[[Path], nx.Graph]] = {
    ".graphml": nx.read_graphml,
    ".edgelist": _read_edge_list,
    ".txt": _read_edge_list,
    ".json": _read_node_link,
}
