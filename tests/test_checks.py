"""What the parts of an agent hand to each other is what they say, or refused by name."""

from __future__ import annotations

import copy
import typing
from collections.abc import Callable
from functools import partial
from random import Random

import networkx as nx
import pytest
import torch
from properties import (
    GAME,
    assert_refused,
    double_precision,
    edited,
    every_executor,
    every_torch_executor,
    seeded,
    some_observation,
    uniform,
)
from torch import Tensor
from torch_geometric.data import Batch, Data

from badger_graph import (
    BadgerAgent,
    Edges,
    GRUPolicy,
    GuessingGame,
    HardwiredMembrane,
    Life,
    Membrane,
    Observation,
    add_experts,
    from_pyg,
    rewire,
    split,
    to_pyg,
    unroll,
)
from badger_graph.executors.prepare import ExecutorName
from badger_graph.membranes import AttentionMembrane, WholeMembrane
from badger_graph.policies import AttentionPolicy, LSTMPolicy, MessagePolicy
from badger_graph.products import Ports
from badger_graph.tasks import GuessingTask
from topologies import CompleteTopology, RingTopology, Topology
from topologies.edges import check_graphs

B, N, D, H, IDS = 3, 6, 2, 8, 4


Change = Callable[[typing.Any], typing.Any]


def strange(
    usual: type[Membrane] = HardwiredMembrane, show: Change | None = None, do: Change | None = None
) -> type[Membrane]:
    """A membrane that shows and does what it is told to."""

    class Strange(usual):
        def perceive(self, life: Life, observation: Observation) -> typing.Any:
            percept = super().perceive(life, observation)
            return show(percept) if show else percept

        def act(self, life: Life, speech: Tensor, observation: Observation) -> typing.Any:
            action = super().act(life, speech, observation)
            return do(action) if do else action

    return Strange


class Drawn(Topology):
    """The edges that it is given."""

    def __init__(self, edges: typing.Any) -> None:
        super().__init__()
        self.edges = edges

    def forward(self, hidden: Tensor, generator: torch.Generator | None = None) -> Edges:
        return self.edges


class DrawnAnew(Drawn):
    dynamic = True


def make(
    executor: ExecutorName = "auto",
    membrane: Callable[..., Membrane] = HardwiredMembrane,
    topology: Topology | None = None,
    policy: Callable[..., MessagePolicy] = GRUPolicy,
) -> BadgerAgent:
    parts = (GAME, partial(policy, message_size=5), topology or RingTopology(), membrane)
    return BadgerAgent(*parts, identifier_size=IDS, hidden_size=H, executor=executor)


seen = partial(some_observation, B, D)


# ------------------------------------------------------------------------------- parts of an agent

WRONG: list[tuple[Callable[[Tensor], typing.Any], str]] = [
    (lambda value: value[:, :-1], r"got \[{0}, "),
    (lambda value: torch.cat([value, value], dim=1), r"got \[{0}, "),
    (lambda value: value[:-1], "got "),
    (lambda value: torch.cat([value, value]), "got "),
    (lambda value: value.flatten(), "got "),
    (lambda value: value.double(), "torch.float32 on cpu, got .* of torch.float64"),
    (lambda value: value.half(), "torch.float32 on cpu, got .* of torch.float16"),
    (lambda value: value.long(), "torch.float32 on cpu, got .* of torch.int64"),
    (lambda value: value.to("meta"), "on cpu, got .* on meta"),
    (lambda value: value.tolist(), "got list"),
    (lambda value: Ports(value, value, value), "got Ports"),
    (lambda value: None, "got NoneType"),
]


@every_executor
@pytest.mark.parametrize("wrong", [wrong for wrong, _ in WRONG])
def test_membranes_are_held_to_what_they_say(executor: ExecutorName, wrong: typing.Any) -> None:
    got = dict(WRONG)[wrong]
    shows = r"the percept \[V, P\] that a Strange shows by its percept_size=4 must be \[18, 4\] "
    agent = make(executor, strange(show=wrong))
    assert_refused(shows + ".*" + got.format(18), lambda: agent.step(agent.reset(B, N, D), seen()))
    does = r"the action \[B, d\] that a Strange makes of .* must be \[3, 2\] "
    agent = make(executor, strange(do=wrong))
    assert_refused(does + ".*" + got.format(3), lambda: agent.step(agent.reset(B, N, D), seen()))


PARTS = {
    "emit": r"the messages \[V, M\] that a Policy emits must be \[18, 5\]",
    "next_hidden": r"the next states \[V, H\] of a Policy must be \[18, 8\]",
    "speak": r"what a Policy speaks, \[V, 1\], must be \[18, 1\]",
}


@every_torch_executor
@pytest.mark.parametrize("part", PARTS)
def test_policies_are_held_to_what_they_say(executor: ExecutorName, part: str) -> None:
    for wrong, _ in WRONG:

        def changed(self: GRUPolicy, *inputs: Tensor, wrong: typing.Any = wrong) -> typing.Any:
            return wrong(getattr(GRUPolicy, part)(self, *inputs))

        agent = make(executor, policy=type("Policy", (GRUPolicy,), {part: changed}))
        assert_refused(PARTS[part], lambda agent=agent: agent.step(agent.reset(B, N, D), seen()))


def test_ports_and_vectors_of_several_kinds() -> None:
    def step_of(membrane: typing.Any, policy: typing.Any, num_experts: int) -> Callable[[], Life]:
        agent = BadgerAgent(GAME, policy, CompleteTopology(), membrane, hidden_size=6)
        return lambda: agent.step(agent.reset(B, num_experts, D), seen())

    for part, expected in (("keys", r"\[3, 3, 4\]"), ("values", "6"), ("queries", r"\[3, 2, 4\]")):

        def narrow(ports: Ports, part: str = part) -> Ports:
            return ports._replace(**{part: getattr(ports, part)[..., :-1]})

        membrane = partial(strange(AttentionMembrane, show=narrow), key_size=4)
        message = rf"the {part} \[B, ., .\] that a Strange shows .*{expected}"
        assert_refused(message, step_of(membrane, AttentionPolicy, N))

    twice = strange(WholeMembrane, show=lambda percept: percept.repeat(1, 2))
    message = r"percept_size=\(1, 2\) must be \[3, 3\] .* got \[3, 6\]"
    assert_refused(message, step_of(partial(twice, num_outputs=D), LSTMPolicy, 1))


@pytest.mark.parametrize(
    ("observation", "message"),
    [
        (
            lambda o: o._replace(feedback=o.feedback[:, 0]),
            r"the feedback \[B, F\] .* must be \[3, 1\] .* got \[3\]",
        ),
        (lambda o: o._replace(feedback=o.feedback[0, 0]), r"must be \[3, 1\] .* got \[\]"),
        (lambda o: o._replace(feedback=0.5), "got float"),
        (lambda o: o._replace(outputs=o.outputs[..., 0]), r"outputs \[B, d, Y\] .* got \[3, 2\]"),
        (lambda o: o._replace(outputs=uniform(1, B, D, 1)), "got .* of torch.float64"),
        (
            lambda o: o._replace(inputs=torch.zeros(B, 1, 0)),
            r"inputs \[B, n, X\] .* must be \[3, 0, 0\] .* got \[3, 1, 0\]",
        ),
        (lambda o: o._replace(feedback=o.feedback + 1j), "got .* of torch.complex64"),
        (tuple, "must show an Observation, got a tuple"),
    ],
)
def test_observations_of_another_shape(observation: typing.Any, message: str) -> None:
    agent = make()
    assert_refused(message, lambda: agent.step(agent.reset(B, N, D), observation(seen())))


def test_a_task_tells_one_error_of_every_agent() -> None:
    class Total(GuessingTask):
        def step(self, *arguments: typing.Any) -> tuple[None, Observation, Tensor]:
            state, observation, error = super().step(*arguments)
            return state, observation, error.mean()

    message = r"the error \[B\] of a Total must be \[3\] .* got \[\]"
    total = Total(torch.zeros(B, D), GuessingGame())
    assert_refused(message, lambda: unroll(make(), total, N, 2))


def test_what_is_no_topology() -> None:
    graph, agent = nx.path_graph(4), make()
    living = agent.reset(B, N, D)
    hint = r"got a Graph, of which from_networkx\(graph\) makes a topology"
    assert_refused(hint, lambda: rewire(agent, living, graph))
    assert_refused(hint, lambda: add_experts(agent, living, 1, topology=graph))


# ---------------------------------------------------------------------------------- living agents


@pytest.mark.parametrize(
    "kind", [torch.zeros(B * N), torch.ones(B * N).long(), -torch.ones(B * N).long()]
)
def test_kinds_are_those_of_the_policy(kind: Tensor) -> None:
    agent = make()
    graph = to_pyg(agent.reset(B, N, D))
    graph.kind = kind
    message = r"kind \[V\] of living agents must be whole numbers from 0 to 0 of torch.int64, got"
    assert_refused(message, lambda: from_pyg(agent, graph))


ATTRIBUTES = {
    "hidden": r"hidden \[V, H\] of living agents must be \[18, 8\]",
    "identifier": r"identifier \[V, I\] of living agents must be \[18, 4\]",
    "action": r"action \[B, d\] of living agents must be \[3, ",
    "score": r"score \[B, d\] of living agents must be \[3, 2\]",
    "address": r"address \[B, d, A\] of living agents must be \[3, 2, 0\]",
    "input_address": r"input_address \[B, n, A\] of living agents must be \[3, .*, 0\]",
}


@every_executor
@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_living_agents_of_another_kind(executor: ExecutorName, attribute: str) -> None:
    agent = make(executor)
    life = agent.reset(B, N, D)
    own = to_pyg(life)[attribute]
    other = (torch.zeros(18, 4096), own[:-1], own.double(), own.long(), own.to("meta"), [1.0])
    for value in other:
        change = {attribute: value}
        assert_refused(ATTRIBUTES[attribute], lambda change=change: edited(agent, life, **change))


def test_graphs_that_are_no_living_agents() -> None:
    agent = make()
    graph = to_pyg(agent.reset(B, N, D))
    one = Batch.from_data_list([split(graph)[0]])
    assert from_pyg(agent, one).batch_size == 1
    uneven, missing = copy.copy(graph), copy.copy(graph)
    uneven.kind = uneven.kind[:-1]
    del missing.edge_weight
    for message, other in (
        ("as to_pyg makes it of a life, got a .* without hidden", Batch.from_data_list([Data()])),
        ("graph must be a Batch, got a Data", split(graph)[0]),
        ("of 3 .* as many experts, got 17 together", uneven),
        ("without edge_weight", missing),
    ):
        assert_refused(message, lambda other=other: from_pyg(agent, other))


@every_executor
def test_another_precision_is_prepared_for(executor: ExecutorName) -> None:
    """Agents of before are of another precision; those born since live as if always so."""
    agent = make(executor)
    before = agent.reset(B, N, D)
    agent.step(before, seen())
    graph, other = to_pyg(before), copy.deepcopy(agent).double()
    agent.double()
    assert_refused(
        r"living agents must be .* torch.float64 on cpu, got .* of torch.float32",
        lambda: from_pyg(agent, graph),
    )
    action = agent.step(agent.reset(B, N, D), seen()).action
    other._preparation = type(other._preparation)()
    expected = other.step(other.reset(B, N, D), seen()).action
    assert action.dtype == torch.float64
    assert torch.equal(action, expected)
    for name in ("hidden", "identifier", "address", "input_address", "action", "score"):
        graph[name] = graph[name].double()
    after = agent.step(from_pyg(agent, graph), seen())
    torch.testing.assert_close(after.action, expected, rtol=1e-6, atol=1e-6)
    assert agent.float().step(agent.reset(B, N, D), seen()).action.dtype == torch.float32


# ------------------------------------------------------------------------------------------- edges


def ring() -> Edges:
    return RingTopology()(torch.zeros(B, N, H))


def with_index(*columns: tuple[float, float], dtype: torch.dtype = torch.int64) -> Edges:
    index = torch.tensor(columns).t().contiguous().to(dtype)
    return Edges(index, torch.ones(index.size(1)))


BAD_EDGES: dict[str, tuple[typing.Any, str]] = {
    "nan": (Edges(ring().index, ring().weight * torch.nan), "must be finite in .*, got nan"),
    "infinite": (Edges(ring().index, ring().weight / 0), "must be finite in .*, got inf"),
    "too-large": (
        Edges(ring().index, torch.full((36,), 1e39, dtype=torch.float64)),
        "must be finite in torch.float32, got inf",
    ),
    "complex": (Edges(ring().index, ring().weight + 1j), "a real number, got torch.complex64"),
    "fewer-weights": (Edges(ring().index, torch.ones(35)), "one weight, got 35 for 36 edges"),
    "matrix": (Edges(ring().index, torch.ones(36, 1)), r"got weights of shape \[36, 1\]"),
    "float-index": (with_index((0, 1), dtype=torch.float32), r"int64, got \[2, 1\] of torch.float"),
    "int8-index": (with_index((0, 1), dtype=torch.int8), r"int64, got \[2, 1\] of torch.int8"),
    "rows": (Edges(ring().index.t(), torch.ones(2)), r"must be \[2, E\].* got \[36, 2\]"),
    "negative": (with_index((0, 1), (-1, 0)), "join nodes 0 to 17, got node -1"),
    "outside": (with_index((0, 18)), "join nodes 0 to 17, got node 18"),
    "between": (with_index((0, 1), (5, 6)), "join two agents, got one from node 5 to 6"),
    "twice-among-many": (
        Edges(torch.cat([ring().index, ring().index[:, :1]], dim=1), torch.ones(37)),
        "given once, got one from node [15] to 0 again",
    ),
    "twice": (with_index((3, 2), (0, 1), (3, 2)), "given once, got one from node 3 to 2 again"),
    "elsewhere": (Edges(ring().index, ring().weight.to("meta")), "on one device, got cpu and meta"),
    "meta": (Edges(*(part.to("meta") for part in ring())), "agent's device, cpu, got meta"),
}

KNOWN_BY_ENDS = ("negative", "outside", "between")
"""What is seen of edges that change in every step: their values are not looked at."""


@every_executor
@pytest.mark.parametrize("what", BAD_EDGES)
def test_edges_that_cannot_be(executor: ExecutorName, what: str) -> None:
    edges, message = BAD_EDGES[what]
    agent = make(executor)
    living = agent.reset(B, N, D)
    given = {"edge_index": edges.index, "edge_weight": edges.weight}
    assert_refused(message, lambda: edited(agent, living, **given))
    assert_refused(message, lambda: rewire(agent, living, edges))
    assert_refused(message, lambda: rewire(agent, living, Drawn(edges)))
    assert_refused(message, lambda: make(executor, topology=Drawn(edges)).reset(B, N, D))
    if what in KNOWN_BY_ENDS or edges.index.shape[1:] != edges.weight.shape:
        agent.topology = DrawnAnew(edges)
        assert_refused(message, lambda: agent.step(living, seen()))


def test_edges_that_are_none() -> None:
    agent = make()
    for none in (None, [[0], [1]], (torch.zeros(2, 1), torch.ones(1)), Edges([[0], [1]], [1.0])):
        assert_refused("must be Edges", lambda none=none: make(topology=Drawn(none)).reset(B, N, D))
    living, message = agent.reset(B, N, D), r"must be Edges\(index, weight\), two tensors"
    assert_refused(message, lambda: edited(agent, living, edge_weight=[1.0] * 36))


def test_few_edges_among_many_experts_are_given_once() -> None:
    check_graphs(with_index((3, 2), (2, 3), (3, 3)), 1, 1000)
    message = "given once, got one from node 3 to 2 again"
    assert_refused(message, lambda: check_graphs(with_index((3, 2), (0, 1), (3, 2)), 1, 1000))


def test_edges_in_any_order_and_none_at_all() -> None:
    with double_precision():
        agent = make("reference")
        living = agent.reset(B, N, D)
        expected = agent.step(living, seen()).action
        for order in (torch.randperm(36, generator=seeded(0)), slice(0)):
            index, weight = living.edges.index[:, order], living.edges.weight[order]
            other = agent.step(edited(agent, living, edge_index=index, edge_weight=weight), seen())
            assert torch.allclose(other.action, expected) == isinstance(order, Tensor)


@pytest.mark.native
def test_whatever_a_membrane_and_a_graph_hold_it_is_refused_or_right() -> None:
    """Some hundreds of lives with one tensor of another size: an error, or the reference's bits."""
    random, answered = Random(0), 0
    membrane = strange(show=lambda percept: show(percept))
    agents = [make(executor, membrane) for executor in ("reference", "fused")]
    agents[1].load_state_dict(agents[0].state_dict())
    for _ in range(200):
        sizes = [random.choice([2, 4, 18, 36]), random.choice([0, 1, 3, 4, 7, 8, 16])]
        show = random.choice([lambda p, s=sizes: torch.ones(s), lambda p: p.clone()])
        state = torch.ones(random.choice([[18, 8], sizes, sizes[:1]]))
        outcome = []
        for agent in agents:
            living = agent.reset(B, N, D)
            try:
                living = edited(agent, living, hidden=state)
                outcome.append(agent.step(living, seen()).action)
            except ValueError as error:
                outcome.append(str(error))
        if isinstance(outcome[0], str):
            assert outcome[0] == outcome[1]
        else:
            torch.testing.assert_close(*outcome, rtol=1e-5, atol=1e-5)
            answered += 1
    assert 0 < answered < 200
