"""What holds for every topology, then every topology on small graphs that are known exactly."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import typing
from collections.abc import Callable
from functools import partial
from inspect import signature

import networkx as nx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonargparse import ArgumentParser
from properties import assert_round_trip, seeded
from torch import Tensor

import topologies
from topologies import (
    TOPOLOGIES,
    AttentionTopology,
    CompleteTopology,
    Edges,
    ErdosRenyiTopology,
    GraphTopology,
    GridTopology,
    IsolatedTopology,
    LayeredTopology,
    LearnedGraphTopology,
    NetworkXTopology,
    RandomTopology,
    RingTopology,
    StarTopology,
    TopKTopology,
    Topology,
    from_networkx,
)
from topologies.recent import Recent

CPU = torch.device("cpu")

# ------------------------------------------------------------- what holds for every topology


def states(batch_size: int, num_experts: int, device: torch.device = CPU) -> torch.Tensor:
    return torch.zeros(batch_size, num_experts, 3, device=device)


def pairs(edges: Edges) -> list[tuple[int, int]]:
    """The edges as (source, target), in their order."""
    source, target = edges.index.tolist()
    return list(zip(source, target, strict=True))


def graphs_of_agents(edges: Edges, batch_size: int, num_experts: int) -> list[set[tuple[int, int]]]:
    """Every agent's edges, its experts numbered from 0."""
    graphs: list[set[tuple[int, int]]] = [set() for _ in range(batch_size)]
    for source, target in pairs(edges):
        graphs[target // num_experts].add((source % num_experts, target % num_experts))
    return graphs


def assert_edges_well_formed(
    topology: Topology, batch_size: int, num_experts: int, device: torch.device = CPU
) -> Edges:
    """Within agents, ordered by target, each edge once, with finite weights on the device.

    Where who hears whom is a graph, nobody hears itself.
    """
    topology = topology.to(device)
    index, weight = topology(states(batch_size, num_experts, device), seeded(0, device))
    assert index.dtype == torch.int64
    assert index.device.type == weight.device.type == device.type
    assert weight.dtype == torch.float32
    assert weight.shape == index.shape[1:]
    assert weight.isfinite().all()
    assert ((index >= 0) & (index < batch_size * num_experts)).all()
    assert (index[1].diff() >= 0).all()
    assert index.unique(dim=1).shape == index.shape
    assert (index // num_experts).diff(dim=0).eq(0).all()
    if isinstance(topology, GraphTopology):
        assert index.diff(dim=0).all()
    return Edges(index, weight)


GNP = partial(NetworkXTopology, "gnp_random_graph")

EXAMPLES: dict[str, Callable[[int], GraphTopology]] = {
    "random": lambda n: RandomTopology(k=3),
    "random, per rollout": lambda n: RandomTopology(k=3, redraw="rollout"),
    "random, per agent": lambda n: RandomTopology(k=3, redraw="agent"),
    "random, connected": lambda n: RandomTopology(k=3, redraw="agent", strongly_connected=True),
    "erdos_renyi": lambda n: ErdosRenyiTopology(p=0.5),
    "erdos_renyi, per rollout": lambda n: ErdosRenyiTopology(p=0.5, redraw="rollout"),
    "erdos_renyi, per agent": lambda n: ErdosRenyiTopology(p=0.5, redraw="agent"),
    "layered": lambda n: LayeredTopology(num_inputs=2, num_outputs=1),
    "layered, closed": lambda n: LayeredTopology(num_inputs=2, num_outputs=1, closed=True),
    "ring": lambda n: RingTopology(),
    "grid": lambda n: GridTopology(),
    "torus": lambda n: GridTopology(periodic=True),
    "star": lambda n: StarTopology(),
    "complete": lambda n: CompleteTopology(),
    "isolated": lambda n: IsolatedTopology(),
    "networkx": lambda n: GNP({"p": 0.5, "directed": True}),
    "networkx, per rollout": lambda n: GNP({"p": 0.5}, redraw="rollout"),
    "networkx, per agent": lambda n: GNP({"p": 0.5}, redraw="agent"),
    "given": lambda n: from_networkx(nx.path_graph(n)),
}
LEARNED: dict[str, Callable[[int], Topology]] = {
    "attention": lambda n: AttentionTopology(hidden_size=3),
    "top_k": lambda n: TopKTopology(k=3, hidden_size=3),
    "learned_graph": lambda n: LearnedGraphTopology(n),
    "learned_graph, frozen": lambda n: LearnedGraphTopology(n).eval(),
}
ALL: dict[str, Callable[[int], Topology]] = {**EXAMPLES, **LEARNED}
RANDOM = [name for name in EXAMPLES if name.startswith(("random", "erdos_renyi", "networkx"))]
SIZES = [(1, 4), (1, 12), (5, 9)]

every_topology = pytest.mark.parametrize("name", ALL)
every_graph_topology = pytest.mark.parametrize("name", EXAMPLES)
every_size = pytest.mark.parametrize(("batch_size", "num_experts"), SIZES)


@every_topology
@every_size
def test_edges_are_well_formed(name: str, batch_size: int, num_experts: int) -> None:
    assert_edges_well_formed(ALL[name](num_experts), batch_size, num_experts)


@every_topology
@every_size
def test_the_seed_decides(name: str, batch_size: int, num_experts: int) -> None:
    """The same generator gives the same edges, in this object and in one built like it."""

    def edges(topology: Topology) -> tuple[Tensor, ...]:
        topology.train(in_training)
        return tuple(topology(states(batch_size, num_experts), seeded(1)))

    topology = ALL[name](num_experts)
    in_training = topology.training
    assert_round_trip(topology, edges)


@pytest.mark.parametrize("name", RANDOM)
def test_graphs_are_redrawn_as_said(name: str) -> None:
    """Agents share their graph unless redraw = 'agent'; rollouts do if redraw = 'once'."""
    topology, generator = EXAMPLES[name](20), seeded(2)
    rollouts = [graphs_of_agents(topology(states(4, 20), generator), 4, 20) for _ in range(3)]
    different = {frozenset(graph) for rollout in rollouts for graph in rollout}
    # There are so many possible graphs that two draws are never the same.
    assert len(different) == {"once": 1, "rollout": 3, "agent": 3 * 4}[topology.redraw]
    for rollout in rollouts:
        agents = {frozenset(graph) for graph in rollout}
        assert len(agents) == (4 if topology.redraw == "agent" else 1)


@pytest.mark.parametrize("name", [*EXAMPLES, "attention", "top_k"])
def test_no_experts_is_an_error(name: str) -> None:
    with pytest.raises(ValueError, match="at least one expert, got 0"):
        ALL[name](4)(states(2, 0))


@every_graph_topology
def test_graph_and_summary_are_those_of_the_edges(name: str) -> None:
    topology = EXAMPLES[name](9)
    graph, summary = topology.graph(9), topology.summary(9)
    assert list(graph) == list(range(9))
    assert summary.num_experts == 9
    assert summary.num_edges == graph.number_of_edges()
    assert summary.strongly_connected == nx.is_strongly_connected(graph)
    if topology.redraw == "once":
        assert set(graph.edges) == set(pairs(topology(states(1, 9))))


@every_topology
def test_repr_shows_the_arguments(name: str) -> None:
    topology = ALL[name](4)
    for argument in signature(type(topology)).parameters:
        assert f"{argument}=" in repr(topology)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.cuda
@every_topology
def test_edges_on_a_gpu(name: str) -> None:
    topology, cuda = ALL[name](9), torch.device("cuda")
    on_gpu = assert_edges_well_formed(topology, batch_size=5, num_experts=9, device=cuda)
    if isinstance(topology, GraphTopology) and topology.redraw == "once":
        assert torch.equal(topology(states(5, 9)).index, on_gpu.index.cpu())


# ---------------------------------------------------------------------------- table of names


def test_every_public_topology_has_a_short_name() -> None:
    named = set()
    for entry in TOPOLOGIES.values():
        is_class = inspect.isclass(entry)
        named.add(entry if is_class else typing.get_type_hints(entry)["return"])
    for module_info in pkgutil.iter_modules(topologies.__path__):
        module = importlib.import_module(f"topologies.{module_info.name}")
        for cls in vars(module).values():
            if inspect.isclass(cls) and issubclass(cls, Topology) and not inspect.isabstract(cls):
                assert cls in named, f"{cls.__name__} has no short name"


def test_everything_named_is_public() -> None:
    for entry in TOPOLOGIES.values():
        assert getattr(topologies, entry.__name__) is entry
    assert all(hasattr(topologies, name) for name in topologies.__all__)


@every_topology
def test_command_line_builds_every_topology(name: str) -> None:
    topology = ALL[name](4)
    cls = type(topology)
    arguments = {argument: getattr(topology, argument) for argument in signature(cls).parameters}
    spec = {"class_path": f"topologies.{cls.__name__}", "init_args": arguments}
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--topology", type=Topology)
    built = parser.instantiate(parser.parse_object({"topology": spec})).topology
    assert type(built) is cls
    assert repr(built) == repr(topology)


# ------------------------------------------------------------------------------------ drawing


def test_a_graph_drawn_once_is_kept() -> None:
    topology = RandomTopology(k=2)
    training, validation = states(4, 8), states(7, 8)
    first = topology(training)
    topology(validation)
    topology.summary(8)
    assert topology(training).index is first.index


def test_a_sweep_over_sizes_keeps_few_graphs() -> None:
    topology = RandomTopology(k=2)
    for num_experts in range(3, 200):
        topology(states(2, num_experts))
    assert len(topology._graphs) == topology._graphs.entries


def test_the_sizes_of_a_curriculum_are_all_kept() -> None:
    topology = CompleteTopology()
    kept = {n: topology(states(2, n)) for n in range(3, 43)}
    assert all(topology(states(2, n)) is edges for n, edges in kept.items())


def test_what_was_used_least_recently_is_forgotten_first() -> None:
    recent = Recent[str](entries=5, total=100)
    for name in "abcde":
        recent.keep(name, name.upper(), 1)
    assert recent.get("a") == "A"
    recent.keep("f", "F", 1)
    assert [recent.get(name) for name in "abcdef"] == ["A", None, "C", "D", "E", "F"]
    recent.keep("large", "LARGE", 1000)  # four may be as large as they are
    assert len(recent) == 4
    recent.keep("g", "G", 1)
    assert [recent.get(name) for name in ("d", "e", "f", "large", "g")] == [
        *(None, "E", "F", "LARGE", "G")
    ]


def test_another_seed_is_noticed() -> None:
    """The seed of a graph that is drawn once is its own, whatever the generator."""
    topology, hidden = RandomTopology(seed=1), states(1, 12)
    first = topology(hidden, seeded(5))
    topology.seed = 2
    second = topology(hidden, seeded(5))
    assert pairs(second) == pairs(RandomTopology(seed=2)(hidden, seeded(6)))
    assert pairs(second) != pairs(first)
    topology.seed = 1
    assert topology(hidden) is first


def test_a_graph_drawn_once_leaves_the_generator_alone() -> None:
    generator = seeded(3)
    before = generator.get_state()
    RandomTopology()(states(2, 12), generator)
    assert torch.equal(generator.get_state(), before)


@pytest.mark.parametrize("redraw", ["once", "rollout", "agent"])
def test_strongly_connected_on_request(redraw: typing.Any) -> None:
    free = RandomTopology(k=2, redraw="agent")(states(30, 8), seeded(0))
    wanted = RandomTopology(k=2, redraw=redraw, strongly_connected=True)(states(30, 8), seeded(0))

    def connected(edges: Edges) -> list[bool]:
        graphs = graphs_of_agents(edges, 30, 8)
        return [nx.is_strongly_connected(nx.DiGraph(list(graph))) for graph in graphs]

    assert not all(connected(free))  # or the next line would show nothing
    assert all(connected(wanted))


# ------------------------------------------------------------------------------------- random


@settings(deadline=None, max_examples=60)
@given(data=st.data(), num_experts=st.integers(1, 40), batch_size=st.integers(1, 6))
def test_random_gives_k_distinct_others(
    data: st.DataObject, num_experts: int, batch_size: int
) -> None:
    k = data.draw(st.integers(0, num_experts - 1))
    edges = assert_edges_well_formed(RandomTopology(k, redraw="agent"), batch_size, num_experts)
    in_degree = edges.index[1].bincount(minlength=batch_size * num_experts)
    assert in_degree.tolist() == [k] * (batch_size * num_experts)


def test_random_is_uniform_over_sets() -> None:
    num_graphs, num_experts, k, num_sets = 4000, 6, 2, 10
    source = RandomTopology(k).draw(num_graphs, num_experts, seeded(0)).index[0]
    heard = (source % num_experts).view(num_graphs, num_experts, k).sort().values
    chi_square = 0.0
    for expert in range(num_experts):
        counts = torch.unique(heard[:, expert], dim=0, return_counts=True)[1]
        assert len(counts) == num_sets
        chi_square += float(((counts - num_graphs / num_sets) ** 2).sum()) * num_sets / num_graphs
    freedom = num_experts * (num_sets - 1)
    assert abs(chi_square - freedom) < 4 * (2 * freedom) ** 0.5


def test_many_experts() -> None:
    index = RandomTopology(k=8).draw(1, 100_000, seeded(0)).index
    source, target = index.view(2, 100_000, 8)
    assert (target == torch.arange(100_000)[:, None]).all()
    assert (source.sort().values.diff() > 0).all()
    assert (source != target).all()
    num_edges = ErdosRenyiTopology(p=8e-5).draw(1, 100_000, seeded(0)).index.size(1)
    assert abs(num_edges - 8e5) < 5 * 8e5**0.5
    assert RingTopology()(states(1, 100_000)).index.size(1) == 200_000


@settings(deadline=None, max_examples=60)
@given(
    p=st.floats(0, 1) | st.sampled_from([0.0, 1.0, 1e-300, 1e-9]),
    num_experts=st.integers(1, 25),
    batch_size=st.integers(1, 5),
)
def test_erdos_renyi_is_a_graph(p: float, num_experts: int, batch_size: int) -> None:
    assert_edges_well_formed(ErdosRenyiTopology(p, redraw="agent"), batch_size, num_experts)


@pytest.mark.parametrize("p", [0.05, 0.3, 0.9])
def test_erdos_renyi_joins_every_pair_with_p_independently(p: float) -> None:
    num_graphs, num_experts = 20_000, 4
    source, target = ErdosRenyiTopology(p).draw(num_graphs, num_experts, seeded(0)).index
    adjacency = torch.zeros(num_graphs, num_experts, num_experts, dtype=torch.float64)
    adjacency[target // num_experts, target % num_experts, source % num_experts] = 1
    joined = adjacency[:, ~torch.eye(num_experts, dtype=torch.bool)]  # [graphs, pairs]
    covariance = joined.T.cov()
    sigma = (p * (1 - p) / num_graphs) ** 0.5
    assert (joined.mean(dim=0) - p).abs().max() < 4.5 * sigma
    independent = torch.eye(covariance.size(0)) * p * (1 - p)
    assert (covariance - independent).abs().max() < 4.5 * sigma


def test_erdos_renyi_treats_the_first_and_last_pair_as_any() -> None:
    topology, generator = ErdosRenyiTopology(p=0.3), seeded(0)
    drawn = [set(pairs(topology.draw(1, 2, generator))) for _ in range(3000)]
    for pair in ((1, 0), (0, 1)):
        assert abs(sum(pair in graph for graph in drawn) - 900) < 4.5 * (3000 * 0.21) ** 0.5


def test_erdos_renyi_at_the_ends() -> None:
    hidden = states(3, 6)
    assert pairs(ErdosRenyiTopology(p=0.0)(hidden)) == []
    assert pairs(ErdosRenyiTopology(p=1.0)(hidden)) == pairs(CompleteTopology()(hidden))


# ---------------------------------------------------------------------------------- hardwired


def both_ways(*edges: tuple[int, int]) -> set[tuple[int, int]]:
    return {pair for source, target in edges for pair in ((source, target), (target, source))}


SMALL_GRAPHS = [
    (RingTopology(), 1, set()),
    (RingTopology(), 2, both_ways((0, 1))),
    (RingTopology(), 3, both_ways((0, 1), (1, 2), (2, 0))),
    (RingTopology(), 5, both_ways((0, 1), (1, 2), (2, 3), (3, 4), (4, 0))),
    (StarTopology(), 1, set()),
    (StarTopology(), 2, both_ways((0, 1))),
    (StarTopology(), 4, both_ways((0, 1), (0, 2), (0, 3))),
    (CompleteTopology(), 1, set()),
    (CompleteTopology(), 3, both_ways((0, 1), (1, 2), (2, 0))),
    (IsolatedTopology(), 1, set()),
    (IsolatedTopology(), 5, set()),
    # outputs 0 and 1, hidden 2 and 3, input 4
    (
        LayeredTopology(num_inputs=1, num_outputs=2),
        5,
        {(4, 2), (4, 3), (2, 3), (3, 2), (2, 0), (3, 0), (2, 1), (3, 1)},
    ),
    # output 0, hidden 1, inputs 2 and 3
    (
        LayeredTopology(num_inputs=2, num_outputs=1, closed=True),
        4,
        {(2, 1), (3, 1), (1, 0), (0, 2), (0, 3)},
    ),
]


@pytest.mark.parametrize(("topology", "num_experts", "expected"), SMALL_GRAPHS)
def test_small_graphs(
    topology: GraphTopology, num_experts: int, expected: set[tuple[int, int]]
) -> None:
    edges = topology(states(1, num_experts))
    assert set(pairs(edges)) == expected
    assert len(pairs(edges)) == len(expected)
    assert edges.weight.tolist() == [1.0] * len(expected)


@settings(deadline=None, max_examples=40)
@given(rows=st.integers(1, 6), columns=st.integers(1, 6), periodic=st.booleans())
def test_grid_is_that_of_networkx(rows: int, columns: int, periodic: bool) -> None:
    grid = GridTopology(rows=rows, periodic=periodic).graph(rows * columns)
    # NetworkX joins opposite sides of more than two rows or columns only: the rest is joined.
    expected = nx.grid_2d_graph(rows, columns, periodic=periodic)
    expected = nx.relabel_nodes(expected, {(r, c): r * columns + c for r, c in expected})
    assert set(grid.edges) == {(s, t) for s, t in expected.to_directed().edges if s != t}


@pytest.mark.parametrize(("num_experts", "rows"), [(16, 4), (12, 3), (7, 1), (18, 3), (100, 10)])
def test_grid_is_as_square_as_can_be(num_experts: int, rows: int) -> None:
    assert set(GridTopology().graph(num_experts).edges) == set(
        GridTopology(rows=rows).graph(num_experts).edges
    )


def test_layered_defaults_suit_16_experts_and_4_outputs() -> None:
    graph = LayeredTopology().graph(16)
    outputs, hidden, inputs = set(range(4)), set(range(4, 12)), set(range(12, 16))
    for node in graph:
        heard = set(graph.predecessors(node))
        if node in outputs:
            assert heard == hidden
        elif node in hidden:
            assert heard == (inputs | hidden) - {node}
        else:
            assert heard == set()


def test_layered_is_strongly_connected_when_closed() -> None:
    assert not LayeredTopology().summary(16).strongly_connected
    assert LayeredTopology(closed=True).summary(16).strongly_connected
