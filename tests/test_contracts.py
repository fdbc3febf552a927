"""What the parts of an agent hand to each other is what they say, or refused by name."""

from __future__ import annotations

import copy
import typing
from collections.abc import Callable
from random import Random

import networkx as nx
import pytest
import torch
from properties import assert_refused, double_precision, seeded, uniform
from torch import Tensor
from torch_geometric.data import Batch, Data

from badger_graph import (
    BadgerAgent,
    Edges,
    GRUPolicy,
    GuessingGame,
    HardwiredMembrane,
    Observation,
    Task,
    add_experts,
    clone_experts,
    rewire,
    split,
    unroll,
)
from badger_graph.products import Ports
from badger_graph.executors.prepare import Executor
from badger_graph.life import Life
from badger_graph.membranes import AttentionMembrane, WholeMembrane
from badger_graph.policies import AttentionPolicy, LSTMPolicy
from topologies import CompleteTopology, RandomTopology, RingTopology, Topology
from topologies.edges import check_graphs

B, N, D, H, IDS = 3, 6, 2, 8, 4
EXECUTORS: list[Executor] = ["reference", "dense", "sparse", "fused"]

every_executor = pytest.mark.parametrize(
    "executor",
    [*EXECUTORS[:3], pytest.param("fused", marks=pytest.mark.native)],
)


class Membrane(HardwiredMembrane):
    """Shows and does what it is told to."""

    def __init__(
        self,
        show: Callable[[Tensor], typing.Any] = lambda percept: percept,
        do: Callable[[Tensor], typing.Any] = lambda action: action,
    ) -> None:
        super().__init__()
        self.show = show
        self.do = do

    def perceive(self, life: Life, observation: Observation) -> typing.Any:
        return self.show(super().perceive(life, observation))

    def act(self, life: Life, speech: Tensor) -> typing.Any:
        return self.do(super().act(life, speech))


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
    executor: Executor = "auto",
    membrane: HardwiredMembrane | None = None,
    topology: Topology | None = None,
    policy: GRUPolicy | None = None,
    **settings: typing.Any,
) -> BadgerAgent:
    policy = policy or GRUPolicy(4, IDS, H, message_size=5)
    return BadgerAgent(
        policy, topology or RingTopology(), membrane or Membrane(), executor=executor, **settings
    )


def seen() -> Observation:
    return Observation(uniform(1, B).float(), uniform(2, B, D).float())


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
def test_membranes_are_held_to_what_they_say(executor: Executor, wrong: typing.Any) -> None:
    got = dict(WRONG)[wrong]
    shows = r"the percept \[V, P\] that a Membrane shows by its percept_size=4 must be \[18, 4\] "
    agent = make(executor, Membrane(show=wrong))
    assert_refused(shows + ".*" + got.format(18), lambda: agent(agent.reset(B, N, D), seen()))
    does = r"the action \[B, d\] that a Membrane makes of .* must be \[3, 2\] "
    agent = make(executor, Membrane(do=wrong))
    assert_refused(does + ".*" + got.format(3), lambda: agent(agent.reset(B, N, D), seen()))


PARTS = {
    "emit": r"the messages \[V, M\] that a Policy emits must be \[18, 5\]",
    "next_hidden": r"the next states \[V, H\] of a Policy must be \[18, 8\]",
    "speak": r"what a Policy speaks, \[V, 1\], must be \[18, 1\]",
}


@pytest.mark.parametrize("executor", EXECUTORS[:3])
@pytest.mark.parametrize("part", PARTS)
def test_policies_are_held_to_what_they_say(executor: Executor, part: str) -> None:
    for wrong, _ in WRONG:

        def changed(self: GRUPolicy, *inputs: Tensor, wrong: typing.Any = wrong) -> typing.Any:
            return wrong(getattr(GRUPolicy, part)(self, *inputs))

        policy = type("Policy", (GRUPolicy,), {part: changed})(4, IDS, H, message_size=5)
        agent = make(executor, policy=policy)
        assert_refused(PARTS[part], lambda agent=agent: agent(agent.reset(B, N, D), seen()))


def test_ports_and_vectors_of_several_kinds() -> None:
    class Narrow(AttentionMembrane):
        def perceive(self, life: Life, observation: Observation) -> Ports:
            ports = super().perceive(life, observation)
            return ports._replace(**{self.part: getattr(ports, self.part)[..., :-1]})

    for part, expected in (("keys", r"\[3, 3, 4\]"), ("values", "6"), ("queries", r"\[3, 2, 4\]")):
        membrane = Narrow(key_size=4, hidden_size=6)
        membrane.part = part
        policy = AttentionPolicy(hidden_size=6, key_size=4, identifier_size=2)
        agent = BadgerAgent(policy, CompleteTopology(), membrane)
        message = rf"the {part} \[B, ., .\] that a Narrow shows .*{expected}"
        assert_refused(message, lambda agent=agent: agent(agent.reset(B, N, D), seen()))

    class Wide(WholeMembrane):
        def perceive(self, life: Life, observation: Observation) -> Tensor:
            return super().perceive(life, observation).repeat(1, 2)

    whole = BadgerAgent(LSTMPolicy(D), CompleteTopology(), Wide(D))
    message = r"percept_size=\(1, 2\) must be \[3, 3\] .* got \[3, 6\]"
    assert_refused(message, lambda: whole(whole.reset(B, 1, D), seen()))


@pytest.mark.parametrize(
    ("observation", "message"),
    [
        (lambda o: o._replace(feedback=o.feedback[:, None]), r"the feedback \[B\] .* got \[3, 1\]"),
        (lambda o: o._replace(feedback=o.feedback[0]), r"must be \[3\] .* got \[\]"),
        (lambda o: o._replace(feedback=0.5), "got float"),
        (lambda o: o._replace(output_feedback=o.feedback), r"output_feedback \[B, d\] .* \[3\]"),
        (lambda o: o._replace(output_feedback=uniform(1, B, D)), "got .* of torch.float64"),
        (lambda o: o._replace(feedback=o.feedback + 1j), "got .* of torch.complex64"),
        (tuple, "must show an Observation, got a tuple"),
    ],
)
def test_observations_of_another_shape(observation: typing.Any, message: str) -> None:
    agent = make()
    assert_refused(message, lambda: agent(agent.reset(B, N, D), observation(seen())))


def test_a_task_tells_one_error_of_every_agent() -> None:
    class Total(Task):
        def reset(self) -> tuple[None, Observation]:
            return None, seen()

        def step(self, state: None, action: Tensor) -> tuple[None, Observation, Tensor]:
            return None, seen(), (action - self.target).square().mean()

    message = r"the error \[B\] of a Total must be \[3\] .* got \[\]"
    assert_refused(message, lambda: unroll(make(), Total(torch.zeros(B, D)), N, 2))


def test_what_is_no_part_of_an_agent() -> None:
    policy, membrane = GRUPolicy(), HardwiredMembrane()
    graph = nx.path_graph(4)
    hint = r"got a Graph, of which from_networkx\(graph\) makes a topology"
    assert_refused(hint, lambda: BadgerAgent(policy, graph, membrane))
    assert_refused(
        "topology must be a Topology, got 'ring'", lambda: BadgerAgent(policy, "ring", membrane)
    )
    assert_refused(
        "policy must be an ExpertPolicy, got a Hardwired",
        lambda: BadgerAgent(membrane, RingTopology(), membrane),
    )
    assert_refused(
        "membrane must be a Membrane, got a GRU",
        lambda: BadgerAgent(policy, RingTopology(), policy),
    )
    agent = make()
    living = agent.reset(B, N, D)
    assert_refused(hint, lambda: rewire(agent, living, graph))
    assert_refused(hint, lambda: add_experts(agent, living, 1, topology=graph))


# ---------------------------------------------------------------------------------- living agents

ATTRIBUTES = {
    "hidden": r"hidden \[V, H\] of living agents must be \[18, 8\]",
    "identifier": r"identifier \[V, I\] of living agents must be \[18, 4\]",
    "action": r"action \[B, d\] of living agents must be \[3, ",
    "address": r"address \[B, d, A\] of living agents must be \[3, 2, 0\]",
}


@every_executor
@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_living_agents_of_another_kind(executor: Executor, attribute: str) -> None:
    agent = make(executor)
    living, task = agent.reset(B, N, D), GuessingGame().sample(B, D, seeded(0))
    values = [
        torch.zeros(18, 4096),
        getattr(living, attribute)[:-1],
        getattr(living, attribute).double(),
        getattr(living, attribute).long(),
        getattr(living, attribute).to("meta"),
        [1.0],
    ]
    for value in values:
        wrong = copy.copy(living)
        setattr(wrong, attribute, value)
        for use in (
            lambda wrong=wrong: agent(wrong, seen()),
            lambda wrong=wrong: unroll(agent, task, N, 2, graph=wrong),
            lambda wrong=wrong: add_experts(agent, wrong, 1),
        ):
            assert_refused(ATTRIBUTES[attribute], use)


def test_graphs_that_are_no_living_agents() -> None:
    agent = make()
    one = split(agent.reset(B, N, D))[0]
    assert_refused(
        "as BadgerAgent.reset makes it, got a Data without wiring", lambda: agent.life(one)
    )
    assert_refused(
        "got a DataBatch without hidden", lambda: agent.life(Batch.from_data_list([Data()]))
    )
    cut = agent.reset(B, N, D)
    del cut.edge_weight
    assert_refused("without edge_weight", lambda: agent(cut, seen()))


@every_executor
def test_another_precision_is_prepared_for(executor: Executor) -> None:
    """Agents of before are of another precision; those born since live as if always so."""
    agent = make(executor)
    before = agent.reset(B, N, D)
    agent(before, seen())
    other = copy.deepcopy(agent).double()
    agent.double()
    assert_refused(
        r"living agents must be .* torch.float64 on cpu, got .* of torch.float32",
        lambda: agent.life(before),
    )
    _, action = agent(agent.reset(B, N, D), seen())
    other._prepared = type(other._prepared)()
    _, expected = other(other.reset(B, N, D), seen())
    assert action.dtype == torch.float64
    assert torch.equal(action, expected)
    for name in ("hidden", "identifier", "address", "action"):
        setattr(before, name, getattr(before, name).double())
    torch.testing.assert_close(agent(before, seen())[1], expected, rtol=1e-6, atol=1e-6)
    assert agent.float()(agent.reset(B, N, D), seen())[1].dtype == torch.float32


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
def test_edges_that_cannot_be(executor: Executor, what: str) -> None:
    edges, message = BAD_EDGES[what]
    agent = make(executor)
    living = agent.reset(B, N, D)
    assigned = copy.copy(living)
    assigned.edge_index, assigned.edge_weight = edges
    assert_refused(message, lambda: agent(assigned, seen()))
    assert_refused(message, lambda: clone_experts(agent, assigned, [0]))
    assert_refused(message, lambda: rewire(agent, living, edges))
    assert_refused(message, lambda: rewire(agent, living, Drawn(edges)))
    assert_refused(message, lambda: make(executor, topology=Drawn(edges)).reset(B, N, D))
    if what in KNOWN_BY_ENDS or edges.index.shape[1:] != edges.weight.shape:
        agent.topology = DrawnAnew(edges)
        assert_refused(message, lambda: agent(living, seen()))


def test_edges_that_are_none() -> None:
    agent = make()
    for none in (None, [[0], [1]], (torch.zeros(2, 1), torch.ones(1)), Edges([[0], [1]], [1.0])):
        assert_refused("must be Edges", lambda none=none: make(topology=Drawn(none)).reset(B, N, D))
    living = agent.reset(B, N, D)
    living.edge_weight = [1.0] * 36
    assert_refused(r"must be Edges\(index, weight\), two tensors", lambda: agent(living, seen()))


def test_few_edges_among_many_experts_are_given_once() -> None:
    check_graphs(with_index((3, 2), (2, 3), (3, 3)), 1, 1000)
    message = "given once, got one from node 3 to 2 again"
    assert_refused(message, lambda: check_graphs(with_index((3, 2), (0, 1), (3, 2)), 1, 1000))


def test_edges_in_any_order_and_none_at_all() -> None:
    with double_precision():
        agent = make("reference")
        living = agent.reset(B, N, D)
        expected = agent(living, seen())[1]
        order = torch.randperm(36, generator=seeded(0))
        living.edge_index = living.edge_index[:, order]
        living.edge_weight = living.edge_weight[order]
        torch.testing.assert_close(agent(living, seen())[1], expected)
        living.edge_index, living.edge_weight = living.edge_index[:, :0], living.edge_weight[:0]
        agent(living, seen())


@pytest.mark.native
def test_whatever_a_membrane_and_a_graph_hold_it_is_refused_or_right() -> None:
    """Some hundreds of lives with one tensor of another size: an error, or the reference's bits."""
    random = Random(0)
    agents = [make(executor) for executor in ("reference", "fused")]
    agents[1].load_state_dict(agents[0].state_dict())
    answered = 0
    for _ in range(200):
        sizes = [random.choice([2, 4, 18, 36]), random.choice([0, 1, 3, 4, 7, 8, 16])]
        show = random.choice([lambda p, s=sizes: torch.ones(s), lambda p: p.clone()])
        state = torch.ones(random.choice([[18, 8], sizes, sizes[:1]]))
        outcome = []
        for agent in agents:
            agent.membrane.show = show
            living = agent.reset(B, N, D)
            living.hidden = state
            try:
                outcome.append(agent(living, seen())[1])
            except ValueError as error:
                outcome.append(str(error))
        if isinstance(outcome[0], str):
            assert outcome[0] == outcome[1]
        else:
            torch.testing.assert_close(*outcome, rtol=1e-5, atol=1e-5)
            answered += 1
    assert 0 < answered < 200


def test_topologies_that_are_drawn_anew_are_simple_graphs() -> None:
    for redraw in ("rollout", "agent"):
        make(topology=RandomTopology(3, redraw=redraw)).reset(B, N, D, seeded(0))
