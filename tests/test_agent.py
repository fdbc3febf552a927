"""What holds for an agent on every topology, then its parts one by one."""

from __future__ import annotations

import copy
import typing
from typing import ClassVar

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from properties import (
    BUILDABLE,
    FOR_ANY_SIZE,
    MESSAGE_POLICIES,
    assert_agents_independent,
    assert_any_number_of_experts,
    assert_deterministic_by_seed,
    assert_free_experts_exchangeable,
    assert_gradients_reach_every_parameter,
    assert_pure,
    assert_refused,
    assert_round_trip,
    assert_split_lives_alone,
    build,
    double_precision,
    every_executor,
    every_policy_and_executor,
    seeded,
    some_edges,
    some_observation,
    uniform,
)
from torch import Tensor, nn

from badger_graph import (
    BadgerAgent,
    Edges,
    GRUPolicy,
    GuessingGame,
    HardwiredMembrane,
    Observation,
    split,
    unroll,
)
from badger_graph.executors.prepare import Executor, prepare
from topologies import (
    CompleteTopology,
    GivenGraph,
    IsolatedTopology,
    RandomTopology,
    RingTopology,
    Topology,
)

every_topology = pytest.mark.parametrize("name", BUILDABLE)


def make(
    topology: Topology | None = None, policy: str = "gru", **arguments: typing.Any
) -> BadgerAgent:
    torch.manual_seed(0)
    sizes = {"hidden_size": 6, "message_size": 5, "identifier_size": 3}
    membrane = HardwiredMembrane()
    weights = MESSAGE_POLICIES[policy](percept_size=membrane.percept_size, **sizes)
    return BadgerAgent(weights, topology or RingTopology(), membrane, **arguments)


class Nearest(Topology):
    """Dynamic: every expert hears the other whose state is nearest to its own."""

    dynamic: ClassVar[bool] = True

    def forward(self, hidden: Tensor, generator: torch.Generator | None = None) -> Edges:
        batch_size, num_experts, _ = hidden.shape
        far = torch.cdist(hidden, hidden) + 1e9 * torch.eye(num_experts)
        target = torch.arange(batch_size * num_experts)
        source = far.argmin(dim=-1).flatten() + target // num_experts * num_experts
        return Edges.unweighted(torch.stack([source, target]))


class LearnedRing(Topology):
    """A ring whose one weight is learned."""

    def __init__(self) -> None:
        super().__init__()
        self.strength = nn.Parameter(torch.tensor(0.5))

    def forward(self, hidden: Tensor, generator: torch.Generator | None = None) -> Edges:
        edges = RingTopology()(hidden)
        return Edges(edges.index, self.strength * edges.weight)


# ------------------------------------------------------------ what holds on every topology


@every_topology
@pytest.mark.parametrize("policy", MESSAGE_POLICIES)
def test_agents_of_a_batch_are_independent(name: str, policy: str) -> None:
    with double_precision():
        assert_agents_independent(make(build(name), policy, identifiers="random"), 12, 3)


def test_agents_with_a_dynamic_topology_are_independent() -> None:
    with double_precision():
        assert_agents_independent(make(Nearest()), 7, 3)


@pytest.mark.parametrize("name", FOR_ANY_SIZE)
def test_any_number_of_experts_and_outputs(name: str) -> None:
    sizes = [(9, 1), (9, 9), (12, 4), (30, 2), (70, 5)]
    assert_any_number_of_experts(make(build(name), identifiers="random"), sizes)


@every_topology
def test_a_step_is_pure(name: str) -> None:
    assert_pure(make(build(name)), 12, 3)


def test_a_step_with_a_dynamic_topology_is_pure() -> None:
    assert_pure(make(Nearest()), 7, 3)


@every_topology
def test_free_experts_are_exchangeable(name: str) -> None:
    with double_precision():
        assert_free_experts_exchangeable(make(build(name), identifiers="random"), 12, 3)


@every_topology
def test_split_gives_agents_that_live_on_alone(name: str) -> None:
    with double_precision():
        agent = make(build(name), identifiers="random", initial_state="random")
        assert_split_lives_alone(agent, agent.reset(3, 12, 3, seeded(0)))


@every_topology
def test_round_trip(name: str) -> None:
    def actions(agent: BadgerAgent) -> Tensor:
        graph = agent.reset(2, 12, 3, seeded(0))
        return agent(graph, some_observation(2, 3))[1]

    settings = {"rounds": 2, "identifiers": "random", "initial_state": "random", "seed": 5}
    assert_round_trip(make(build(name), **settings), actions)


@every_policy_and_executor
def test_gradients_reach_every_parameter(name: str, executor: Executor) -> None:
    agent = make(CompleteTopology(), name, executor=executor)
    graph, observation = agent.reset(2, 4, 2, seeded(0)), some_observation(2, 2)
    for _ in range(3):
        graph, action = agent(graph, observation)
    assert_gradients_reach_every_parameter(action.square().sum(), agent)


def test_gradients_do_not_reach_messages_that_nobody_hears() -> None:
    """The control of the test above: it can fail."""
    agent = make(IsolatedTopology())
    graph, observation = agent.reset(2, 4, 2, seeded(0)), some_observation(2, 2)
    for _ in range(3):
        graph, action = agent(graph, observation)
    with pytest.raises(AssertionError, match="message"):
        assert_gradients_reach_every_parameter(action.square().sum(), agent)


@pytest.mark.parametrize(
    "settings",
    [
        {"identifiers": "random"},
        {"initial_state": "random"},
        {"topology": RandomTopology(2, "agent")},
    ],
    ids=str,
)
def test_the_generator_decides(settings: typing.Any) -> None:
    def actions(seed: int) -> Tensor:
        agent = make(**settings)
        graph = agent.reset(3, 6, 2, seeded(seed))
        for step in range(2):
            graph, action = agent(graph, some_observation(3, 2, step))
        return action

    assert_deterministic_by_seed(actions)


def test_nothing_is_drawn_from_the_global_generator() -> None:
    """Or else a resumed run could not draw the same again."""
    topology = RandomTopology(2, "agent")
    agent = make(topology, identifiers="random", initial_state="random")
    before = torch.get_rng_state()
    graph = agent.reset(3, 6, 2, seeded(0))
    agent(graph, some_observation(3, 2), seeded(0))
    assert torch.equal(torch.get_rng_state(), before)


@every_executor
def test_lives_on_every_device(executor: Executor, device: torch.device) -> None:
    def actions(device: torch.device) -> Tensor:
        agent = make(RandomTopology(2), executor=executor).to(device)
        graph = agent.reset(3, 6, 2, seeded(0, device))
        assert graph.hidden.device.type == agent.device.type == device.type
        told = Observation(*(field.to(device) for field in some_observation(3, 2)))
        for _ in range(3):
            graph, action = agent(graph, told)
        for value in (action, graph.hidden, graph.edge_index, graph.batch, graph.ptr):
            assert value.device.type == device.type
        return action.cpu()

    torch.testing.assert_close(actions(device), actions(torch.device("cpu")), rtol=1e-4, atol=1e-5)


# ------------------------------------------------------------------------------------ a step


@every_executor
@pytest.mark.parametrize("rounds", [1, 2, 3])
def test_a_step_by_hand(executor: Executor, rounds: int) -> None:
    """Perceive, so many times the policy, speak."""
    with double_precision():
        agent = make(CompleteTopology(), rounds=rounds, executor=executor)
        graph, observation = agent.reset(2, 3, 2), some_observation(2, 2)
        graph.hidden = uniform(0, 6, 6)
        graph.action = uniform(1, 2, 2)
        after, action = agent(graph, observation)

        percept = torch.zeros(2, 3, 4)
        percept[:, :, 0] = observation.feedback[:, None]
        percept[:, :2, 1] = observation.output_feedback
        percept[:, :2, 2] = graph.action
        percept[:, :2, 3] = 1
        hear = torch.tensor([[1, 2, 0, 2, 0, 1], [0, 0, 1, 1, 2, 2]])
        edges = Edges.unweighted(torch.cat([hear, hear + 3], dim=1))
        hidden, wiring = graph.hidden, prepare(edges, 2, 3, "reference")
        for _ in range(rounds):
            hidden, _ = agent.policy(hidden, percept.view(6, 4), graph.identifier, wiring)
        torch.testing.assert_close(after.hidden, hidden, rtol=1e-12, atol=1e-12)
        said = agent.policy.speak(hidden).view(2, 3)[:, :2]
        torch.testing.assert_close(action, said, rtol=1e-12, atol=1e-12)
        assert after.action is action


def test_a_newborn_batch() -> None:
    graph = make(RandomTopology(2)).reset(3, 5, 2)
    assert graph.num_graphs == 3
    assert graph.num_nodes == 15
    assert graph.batch.tolist() == [0] * 5 + [1] * 5 + [2] * 5
    assert graph.ptr.tolist() == [0, 5, 10, 15]
    assert not graph.hidden.any()
    assert graph.action.tolist() == [[0.0, 0.0]] * 3
    assert graph.edge_index.shape == (2, 30)
    assert graph.edge_weight.shape == (30,)


def test_one_agent_lives_many_lives_at_once() -> None:
    """Two lives of different sizes, step by step in turn, are as one after the other."""

    def life(num_experts: int) -> typing.Iterator[Tensor]:
        graph = agent.reset(2, num_experts, 2, seeded(num_experts))
        for step in range(3):
            graph, action = agent(graph, some_observation(2, 2, step))
            yield action

    agent = make(RandomTopology(2, "agent"), identifiers="random")
    alone = [list(life(5)), list(life(8))]
    in_turn = zip(*zip(life(5), life(8), strict=True), strict=True)
    for actions, expected in zip(in_turn, alone, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(actions, expected, strict=True))


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, lambda graph: graph.clone()])
@torch.no_grad()
def test_a_copied_graph_lives_on_alike(how: typing.Any) -> None:
    agent = make(RandomTopology(2))
    graph, observation = agent.reset(2, 5, 2), some_observation(2, 2)
    graph, _ = agent(graph, observation)
    copied = how(graph)
    graph, action = agent(graph, observation)
    _, again = agent(copied, observation)
    assert torch.equal(action, again)


def test_without_edges_an_expert_does_not_notice_how_many_there_are() -> None:
    """Expert n of N lives as expert n of any other N: no weight and no input depends on N."""
    with double_precision():
        agent, observation = make(IsolatedTopology()), some_observation(2, 2)
        states = []
        for num_experts in (3, 4, 70):
            graph = agent.reset(2, num_experts, 2)
            for _ in range(2):
                graph, _ = agent(graph, observation)
            states.append(graph.hidden.view(2, num_experts, -1)[:, :3])
        for state in states[1:]:
            torch.testing.assert_close(state, states[0], rtol=0, atol=1e-12)


# --------------------------------------------------------------------- what tells experts apart


def identifiers(agent: BadgerAgent, num_experts: int, seed: int = 0) -> Tensor:
    """``[B, N, I]`` for two agents."""
    return agent.reset(2, num_experts, 1, seeded(seed)).identifier.view(2, num_experts, -1)


@given(few=st.integers(1, 20), more=st.integers(1, 20), seed=st.integers(0, 9))
def test_fixed_identifiers_stay_when_the_number_of_experts_changes(
    few: int, more: int, seed: int
) -> None:
    agent = make(IsolatedTopology(), seed=seed)
    small, large = identifiers(agent, few), identifiers(agent, few + more, seed=1)
    assert torch.equal(large[:, :few], small)
    assert torch.equal(small[0], small[1])
    assert torch.equal(identifiers(agent, few, seed=2), small)
    assert len(large[0].unique(dim=0)) == few + more  # each expert its own


def test_fixed_identifiers_follow_the_seed_of_the_agent() -> None:
    assert_deterministic_by_seed(lambda seed: identifiers(make(seed=seed), 5))


def test_random_identifiers_differ_between_agents_and_follow_the_generator() -> None:
    agent = make(identifiers="random")
    first = identifiers(agent, 5)
    assert len(first.flatten(0, 1).unique(dim=0)) == 10
    assert_deterministic_by_seed(lambda seed: identifiers(agent, 5, seed))


@pytest.mark.parametrize("kind", ["fixed", "random"])
def test_identifiers_are_standard_normal(kind: typing.Any) -> None:
    drawn = identifiers(make(IsolatedTopology(), identifiers=kind), 20_000)[0]
    assert drawn.mean().abs() < 4 / drawn.numel() ** 0.5
    assert (drawn.var() - 1).abs() < 4 * (2 / drawn.numel()) ** 0.5


def test_no_identifiers_are_zeros_and_experts_in_the_same_place_are_the_same() -> None:
    agent = make(CompleteTopology(), identifiers="none")
    graph = agent.reset(2, 5, 2)
    assert graph.identifier.shape == (10, 3)
    assert not graph.identifier.any()
    graph, _ = agent(graph, some_observation(2, 2))
    free = graph.hidden.view(2, 5, -1)[:, 2:]
    torch.testing.assert_close(free, free[:, :1].expand_as(free))


def test_identifiers_make_experts_differ() -> None:
    agent = make(CompleteTopology(), identifiers="fixed")
    graph, _ = agent(agent.reset(1, 5, 2), some_observation(1, 2))
    assert len(graph.hidden.unique(dim=0)) == 5


def test_random_initial_states_are_uniform() -> None:
    agent = make(IsolatedTopology(), initial_state="random")
    hidden = agent.reset(50, 40, 1, seeded(0)).hidden
    assert hidden.abs().max() <= 1
    assert hidden.abs().max() > 0.99
    assert hidden.mean().abs() < 4 * (1 / 3 / hidden.numel()) ** 0.5
    assert (hidden.square().mean() - 1 / 3).abs() < 4 * (4 / 45 / hidden.numel()) ** 0.5
    assert len(hidden.unique(dim=0)) == 2000
    assert_deterministic_by_seed(lambda seed: agent.reset(2, 3, 1, seeded(seed)).hidden)


# ------------------------------------------------------------------------------------ rewiring


@every_executor
def test_a_rewired_graph_is_used(executor: Executor) -> None:
    """Assigning edges in mid-life is as having lived with that topology from then on."""
    with double_precision():
        agent = make(RingTopology(), executor=executor)
        observation = some_observation(2, 2)
        graph, _ = agent(agent.reset(2, 5, 2), observation)
        sources, targets, weights = [0, 1, 4], [2, 0, 3], [1.0, -2.0, 0.5]
        index = torch.tensor([sources, targets])
        graph.edge_index = torch.cat([index, index + 5], dim=1)
        graph.edge_weight = torch.tensor(weights).repeat(2)
        hidden, action = graph.hidden, graph.action

        other = make(GivenGraph(5, [sources, targets], weights), executor=executor)
        expected = other.reset(2, 5, 2)
        expected.hidden, expected.action = hidden, action
        for _ in range(3):
            graph, rewired = agent(graph, observation)
            expected, action = other(expected, observation)
            torch.testing.assert_close(rewired, action, rtol=0, atol=1e-12)
            assert graph.edge_index.shape == (2, 6)


@every_executor
@pytest.mark.parametrize("attribute", ["edge_index", "edge_weight"])
def test_a_graph_with_one_thing_rewired_is_noticed(executor: Executor, attribute: str) -> None:
    agent, observation = make(RingTopology(), executor=executor), some_observation(1, 2)
    graph, _ = agent(agent.reset(1, 5, 2), observation)
    _, before = agent(graph, observation)
    if attribute == "edge_index":  # everybody hears those one further on
        sources, targets = graph.edge_index
        graph.edge_index = torch.stack([(sources + 1) % 5, targets])
    else:
        graph.edge_weight = 2 * graph.edge_weight
    _, after = agent(graph, observation)
    assert not torch.allclose(before, after)


def test_rewiring_one_life_leaves_the_next_alone() -> None:
    agent, observation = make(RandomTopology(2)), some_observation(1, 2)
    newborn = agent.reset(1, 5, 2)
    _, expected = agent(agent(newborn, observation)[0], observation)
    rewired = agent.reset(1, 5, 2)
    rewired.edge_weight = torch.zeros_like(rewired.edge_weight)
    agent(agent(rewired, observation)[0], observation)
    again = agent.reset(1, 5, 2)
    assert torch.equal(agent(agent(again, observation)[0], observation)[1], expected)


def test_another_topology_is_used_from_the_next_reset_on() -> None:
    agent, observation = make(RingTopology()), some_observation(1, 2)
    agent(agent.reset(1, 5, 2), observation)
    agent.topology = CompleteTopology()
    graph, _ = agent(agent.reset(1, 5, 2), observation)
    assert graph.edge_index.size(1) == 20
    assert not graph.edge_index[0].eq(graph.edge_index[1]).any()


@every_executor
def test_a_dynamic_topology_is_asked_at_every_step(executor: Executor) -> None:
    with double_precision():
        agent = make(Nearest(), executor=executor)
        graph = agent.reset(2, 6, 2)
        seen = []
        for step in range(4):
            observation = some_observation(2, 2, step)
            expected = Nearest()(graph.hidden.view(2, 6, -1))
            static = make(RingTopology(), executor=executor)
            rewired = copy.copy(graph)
            rewired.edge_index, rewired.edge_weight = expected
            _, action = static(rewired, observation)
            graph, dynamic_action = agent(graph, observation)
            torch.testing.assert_close(dynamic_action, action, rtol=0, atol=1e-12)
            assert torch.equal(graph.edge_index, expected.index)
            seen.append(graph.edge_index)
        assert any(not torch.equal(seen[0], later) for later in seen[1:])


@every_executor
def test_learned_weights_learn_in_every_life(executor: Executor) -> None:
    """The gradient is right (finite differences), again after an update, and in float64."""
    with double_precision():
        agent, observation = make(LearnedRing(), executor=executor), some_observation(2, 2)

        def loss() -> Tensor:
            graph = agent.reset(2, 5, 2)
            for _ in range(3):
                graph, action = agent(graph, observation)
            return action.square().sum()

        strength = agent.topology.strength
        for value in (0.5, 0.8):
            with torch.no_grad():
                strength.fill_(value)
            (gradient,) = torch.autograd.grad(loss(), strength)
            with torch.no_grad():
                strength.fill_(value + 1e-5)
                above = loss()
                strength.fill_(value - 1e-5)
                below = loss()
                strength.fill_(value)
            difference = (above - below) / 2e-5
            torch.testing.assert_close(gradient, difference, rtol=1e-6, atol=1e-10)


# --------------------------------------------------------------------------------------- split


def test_split_by_hand() -> None:
    """Agent 0: 0 -> 1 twice as strong. Agent 1: nothing. Agent 2: 1 -> 0 and 2 -> 0."""
    agent = make(IsolatedTopology())
    graph = agent.reset(3, 3, 2)
    graph.edge_index = torch.tensor([[7, 0, 8], [6, 1, 6]])  # in no order
    graph.edge_weight = torch.tensor([3.0, 2.0, 4.0])
    parts = split(graph)
    assert [part.edge_index.tolist() for part in parts] == [
        [[0], [1]],
        [[], []],
        [[1, 2], [0, 0]],
    ]
    assert [part.edge_weight.tolist() for part in parts] == [[2.0], [], [3.0, 4.0]]
    assert [part.num_nodes for part in parts] == [3, 3, 3]


@given(
    batch_size=st.integers(1, 4),
    num_experts=st.integers(2, 6),
    num_edges=st.integers(0, 20),
    seed=st.integers(0, 9),
)
def test_split_of_any_rewired_graph(
    batch_size: int, num_experts: int, num_edges: int, seed: int
) -> None:
    with double_precision():
        agent = make(IsolatedTopology(), identifiers="random")
        graph = agent.reset(batch_size, num_experts, 2, seeded(seed))
        graph.hidden = uniform(seed, *graph.hidden.shape)
        index, weight = some_edges(batch_size, num_experts, num_edges, seed)
        graph.edge_index = index.unique(dim=1)[:, torch.randperm(index.unique(dim=1).size(1))]
        graph.edge_weight = weight[: graph.edge_index.size(1)]
        assert_split_lives_alone(agent, graph)


# --------------------------------------------------------------------------------- wrong input


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((0, 5, 2), "batch_size must be at least 1, got 0"),
        ((2, 0, 2), "num_experts must be at least 1, got 0"),
        ((2, -3, 2), "num_experts must be at least 1, got -3"),
        ((2, 5, 6), "an expert for every output, .* got num_outputs=6 and num_experts=5"),
        ((2, 5, 0), "1 <= num_outputs .* got num_outputs=0"),
    ],
)
def test_agents_that_cannot_be_born(sizes: tuple[int, int, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make().reset(*sizes)


def test_too_few_experts_for_the_topology() -> None:
    with pytest.raises(ValueError, match="got k=4 and 4 experts"):
        make(RandomTopology(4)).reset(2, 4, 1)


def test_a_policy_for_another_membrane() -> None:
    policy = GRUPolicy(percept_size=7)
    with pytest.raises(
        ValueError, match=r"got policy\.percept_size=7 for a HardwiredMembrane, .* 4"
    ):
        BadgerAgent(policy, RingTopology(), HardwiredMembrane())


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"rounds": 0}, "rounds must be at least 1, got 0"),
        ({"identifiers": "names"}, "identifiers must be one of fixed, random, none, got 'names'"),
        ({"initial_state": "one"}, "initial_state must be one of zero, random, learned, got 'one'"),
        ({"executor": "fast"}, "executor must be one of auto, .* got 'fast'"),
    ],
)
def test_settings_that_do_not_exist(setting: typing.Any, message: str) -> None:
    assert_refused(message, lambda: make(**setting))


def test_editing_a_graph_in_place_is_noticed_and_leaves_the_topology_alone() -> None:
    agent = BadgerAgent(GRUPolicy(), RandomTopology(k=2), HardwiredMembrane())
    untouched = agent.reset(2, 5, 1)
    cut = agent.reset(2, 5, 1)
    cut.edge_weight.zero_()
    alone = BadgerAgent(agent.policy, IsolatedTopology(), agent.membrane).reset(2, 5, 1)
    observation = Observation(torch.rand(2), torch.rand(2, 1))
    for _ in range(2):
        cut, _ = agent(cut, observation)
        alone, _ = agent(alone, observation)
        untouched, _ = agent(untouched, observation)
    assert torch.allclose(cut.hidden, alone.hidden, atol=1e-6)
    assert not torch.allclose(untouched.hidden, alone.hidden, atol=1e-6)
    assert agent.reset(2, 5, 1).edge_weight.all()


def test_training_goes_on_after_inference_mode() -> None:
    agent = BadgerAgent(GRUPolicy(), RandomTopology(k=2), HardwiredMembrane())
    task = GuessingGame().sample(2, 1)
    with torch.inference_mode():
        unroll(agent, task, 5, 2)
    unroll(agent, task, 5, 2).loss.mean().backward()


class Keeper(Topology):
    """The edges that it made first, in whatever mode that was."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: Edges | None = None

    def forward(self, hidden: Tensor, generator: torch.Generator | None = None) -> Edges:
        self.kept = self.kept or Edges.unweighted(torch.tensor([[0, 1], [1, 0]]))
        return self.kept


@pytest.mark.parametrize("topology", [Keeper(), RandomTopology(k=1)], ids=["own", "shipped"])
def test_edges_first_made_in_inference_mode_serve_training(topology: Topology) -> None:
    agent = BadgerAgent(GRUPolicy(), topology, HardwiredMembrane(), executor="sparse")
    with torch.inference_mode():
        edges = topology(torch.zeros(1, 2, 3))
        wiring = agent._prepare(edges, 1, 2)
    assert not any(part.is_inference() for part in (*wiring.edges, *wiring.adjacency))
    assert edges.index.is_inference() == isinstance(topology, Keeper)


def test_another_executor_is_heeded_at_the_next_reset() -> None:
    agent = BadgerAgent(GRUPolicy(), RandomTopology(k=2), HardwiredMembrane())
    for executor in ("dense", "reference", "sparse"):
        agent.executor = executor
        assert agent.reset(2, 5, 1).wiring.executor == executor


def test_an_agent_can_be_turned_to_double_precision() -> None:
    agent = BadgerAgent(GRUPolicy(), RandomTopology(k=2), HardwiredMembrane()).double()
    rollout = unroll(agent, GuessingGame().sample(2, 1), 5, 2)
    assert rollout.action.dtype == rollout.graph.hidden.dtype == torch.float64
