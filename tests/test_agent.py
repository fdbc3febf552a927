"""What holds for an agent on every topology, then its parts one by one."""

from __future__ import annotations

import copy
import dataclasses
import itertools
import typing
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from properties import (
    BUILDABLE,
    FOR_ANY_SIZE,
    GAME,
    MESSAGE_POLICIES,
    Nearest,
    assert_any_number_of_experts,
    assert_deterministic_by_seed,
    assert_free_experts_exchangeable,
    assert_gradient_is_right,
    assert_gradients_reach_every_parameter,
    assert_lives_as_any,
    assert_round_trip,
    assert_split_lives_alone,
    build,
    double_precision,
    edited,
    every_executor,
    every_policy_and_executor,
    seeded,
    small_agent,
    some_edges,
    some_observation,
    some_task,
    tensors,
    uniform,
)
from torch import Tensor, nn

from badger_graph import (
    AddressedMembrane,
    BadgerAgent,
    Birth,
    Choice,
    Edges,
    FixedRounds,
    GRUPolicy,
    GuessingGame,
    HardwiredMembrane,
    Interface,
    Life,
    Observation,
    from_pyg,
    to_pyg,
)
from badger_graph.executors.prepare import ExecutorName, prepare
from badger_graph.rollout import live
from topologies import (
    CompleteTopology,
    GivenGraph,
    IsolatedTopology,
    RandomTopology,
    RingTopology,
    TopKTopology,
    Topology,
)

every_topology = pytest.mark.parametrize("name", BUILDABLE)


class Frozen(GRUPolicy):
    """Has nothing to learn, and nothing that says where it is."""

    def __init__(self, percept_size: int, identifier_size: int, hidden_size: int) -> None:
        super().__init__(percept_size, identifier_size, hidden_size)
        for module in self.modules():
            module._parameters.clear()


def test_a_policy_has_parameters() -> None:
    with pytest.raises(ValueError, match=r"policy must have parameters, .* got a Frozen without"):
        BadgerAgent(GuessingGame.interface, Frozen, CompleteTopology())


def make(
    topology: Topology | None = None, policy: str = "gru", **arguments: typing.Any
) -> BadgerAgent:
    build = partial(MESSAGE_POLICIES[policy], message_size=5)
    return small_agent(topology or RingTopology(), build, **arguments)


def lived(agent: BadgerAgent, life: Life, steps: int = 1) -> Life:
    """After so many steps, with another observation each."""
    for step in range(steps):
        life = agent.step(life, some_observation(life.batch_size, life.num_outputs, step))
    return life


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
def test_agents_live_as_any(name: str, policy: str) -> None:
    with double_precision():
        birth = Birth("random", initial_state="random")
        assert_lives_as_any(make(build(name), policy, birth=birth), 12, 3)


@pytest.mark.parametrize("name", FOR_ANY_SIZE)
def test_any_number_of_experts_and_outputs(name: str) -> None:
    sizes = [(9, 1), (9, 9), (12, 4), (30, 2), (70, 5)]
    assert_any_number_of_experts(make(build(name), birth=Birth("random")), sizes)


@every_topology
def test_free_experts_are_exchangeable(name: str) -> None:
    with double_precision():
        assert_free_experts_exchangeable(make(build(name), birth=Birth("random")), 12, 3, bound=3)


@every_topology
def test_round_trip(name: str) -> None:
    def actions(agent: BadgerAgent) -> Tensor:
        return lived(agent, agent.reset(2, 12, 3, seeded(0))).action

    birth = Birth("random", initial_state="random", seed=5)
    assert_round_trip(make(build(name), communication=FixedRounds(2), birth=birth), actions)


@every_policy_and_executor
def test_gradients_reach_every_parameter(name: str, executor: ExecutorName) -> None:
    agent = make(CompleteTopology(), name, executor=executor)
    life = lived(agent, agent.reset(2, 4, 2, seeded(0)), 3)
    assert_gradients_reach_every_parameter(life.action.square().sum(), agent)


def test_gradients_do_not_reach_messages_that_nobody_hears() -> None:
    """The control of the test above: it can fail."""
    agent = make(IsolatedTopology())
    life = lived(agent, agent.reset(2, 4, 2, seeded(0)), 3)
    with pytest.raises(AssertionError, match="message"):
        assert_gradients_reach_every_parameter(life.action.square().sum(), agent)


@pytest.mark.parametrize(
    "settings",
    [
        {"birth": Birth("random")},
        {"birth": Birth(initial_state="random")},
        {"topology": RandomTopology(2, "agent")},
    ],
    ids=str,
)
def test_the_generator_decides(settings: typing.Any) -> None:
    def actions(seed: int) -> Tensor:
        agent = make(**settings)
        return lived(agent, agent.reset(3, 6, 2, seeded(seed)), 2).action

    assert_deterministic_by_seed(actions)


def test_nothing_is_drawn_from_the_global_generator() -> None:
    """Or else a resumed run could not draw the same again."""
    topology = RandomTopology(2, "agent")
    agent = make(topology, birth=Birth("random", initial_state="random"))
    before = torch.get_rng_state()
    agent.step(agent.reset(3, 6, 2, seeded(0)), some_observation(3, 2), seeded(0))
    assert torch.equal(torch.get_rng_state(), before)


@every_executor
def test_lives_on_every_device(executor: ExecutorName, device: torch.device) -> None:
    def actions(device: torch.device) -> Tensor:
        agent = make(RandomTopology(2), executor=executor).to(device)
        life = agent.reset(3, 6, 2, seeded(0, device))
        assert life.hidden.device.type == agent.device.type == device.type
        told = Observation(*(field.to(device) for field in some_observation(3, 2)))
        for _ in range(3):
            life = agent.step(life, told)
        graph = to_pyg(life)
        for value in (*tensors(life).values(), graph.batch, graph.ptr):
            assert value.device.type == device.type
        return life.action.cpu()

    torch.testing.assert_close(actions(device), actions(torch.device("cpu")), rtol=1e-4, atol=1e-5)


# ------------------------------------------------------------------------------------ a step


@every_executor
@pytest.mark.parametrize("rounds", [1, 2, 3])
def test_a_step_by_hand(executor: ExecutorName, rounds: int) -> None:
    """Perceive, so many times the policy, speak."""
    with double_precision():
        agent = make(CompleteTopology(), communication=FixedRounds(rounds), executor=executor)
        life, observation = agent.reset(2, 3, 2), some_observation(2, 2)
        life = life.with_hidden(uniform(0, 6, 6))._replace(action=uniform(1, 2, 2))
        after = agent.step(life, observation)

        percept = torch.zeros(2, 3, 4)
        percept[:, :, 0] = observation.feedback
        percept[:, :2, 1] = observation.outputs[..., 0]
        percept[:, :2, 2] = life.action
        percept[:, :2, 3] = 1
        hear = torch.tensor([[1, 2, 0, 2, 0, 1], [0, 0, 1, 1, 2, 2]])
        edges = Edges.unweighted(torch.cat([hear, hear + 3], dim=1))
        hidden, prepared = life.hidden, prepare(edges, 2, 3, "reference", agent.policy)
        for _ in range(rounds):
            hidden, _ = prepared.round(agent.policy, hidden, percept.view(6, 4), life.identifier)
        torch.testing.assert_close(after.hidden, hidden, rtol=1e-12, atol=1e-12)
        said = agent.policy.speak(hidden, life.identifier).view(2, 3)[:, :2]
        torch.testing.assert_close(after.action, said, rtol=1e-12, atol=1e-12)
        assert after.score is after.action


def test_a_newborn_batch() -> None:
    life = make(RandomTopology(2)).reset(3, 5, 2)
    assert (life.batch_size, life.num_experts, life.num_outputs, life.num_inputs) == (3, 5, 2, 0)
    graph = to_pyg(life)
    assert graph.num_graphs == 3
    assert graph.num_nodes == 15
    assert graph.batch.tolist() == [0] * 5 + [1] * 5 + [2] * 5
    assert graph.ptr.tolist() == [0, 5, 10, 15]
    assert not graph.hidden.any()
    assert graph.action.tolist() == graph.score.tolist() == [[0.0, 0.0]] * 3
    assert graph.kind.tolist() == [0] * 15
    assert graph.edge_index.shape == (2, 30)
    assert graph.edge_weight.shape == (30,)


def test_one_agent_lives_many_lives_at_once() -> None:
    """Two lives of different sizes, step by step in turn, are as one after the other."""
    agent = make(RandomTopology(2, "agent"), birth=Birth("random"))

    def actions(num_experts: int) -> typing.Iterator[Tensor]:
        life = live(agent, some_task(), num_experts, seeded(num_experts))
        return (moment.life.action for moment in itertools.islice(life, 3))

    alone = [*actions(5), *actions(8)]
    few, many = zip(*zip(actions(5), actions(8), strict=True), strict=True)
    assert all(map(torch.equal, [*few, *many], alone))


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy])
@torch.no_grad()
def test_a_copied_life_goes_on_alike(how: typing.Any) -> None:
    agent = make(RandomTopology(2))
    life = lived(agent, agent.reset(2, 5, 2))
    assert torch.equal(lived(agent, how(life)).action, lived(agent, life).action)


def test_without_edges_an_expert_does_not_notice_how_many_there_are() -> None:
    """Expert n of N lives as expert n of any other N: no weight and no input depends on N."""
    with double_precision():
        agent, states = make(IsolatedTopology()), []
        for num_experts in (3, 4, 70):
            life = lived(agent, agent.reset(2, num_experts, 2), 2)
            states.append(life.hidden.view(2, num_experts, -1)[:, :3])
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
    agent = make(IsolatedTopology(), birth=Birth(seed=seed))
    small, large = identifiers(agent, few), identifiers(agent, few + more, seed=1)
    assert torch.equal(large[:, :few], small)
    assert torch.equal(small[0], small[1])
    assert torch.equal(identifiers(agent, few, seed=2), small)
    assert len(large[0].unique(dim=0)) == few + more  # each expert its own


def test_random_identifiers_differ_between_agents_and_follow_the_generator() -> None:
    agent = make(birth=Birth("random"))
    first = identifiers(agent, 5)
    assert len(first.flatten(0, 1).unique(dim=0)) == 10
    assert_deterministic_by_seed(lambda seed: identifiers(agent, 5, seed))


@pytest.mark.parametrize("kind", ["fixed", "random"])
def test_identifiers_are_standard_normal(kind: typing.Any) -> None:
    drawn = identifiers(make(IsolatedTopology(), birth=Birth(kind)), 20_000)[0]
    assert drawn.mean().abs() < 4 / drawn.numel() ** 0.5
    assert (drawn.var() - 1).abs() < 4 * (2 / drawn.numel()) ** 0.5


def test_no_identifiers_are_zeros_and_experts_in_the_same_place_are_the_same() -> None:
    agent = make(CompleteTopology(), birth=Birth("none"))
    life = agent.reset(2, 5, 2)
    assert life.identifier.shape == (10, 3)
    assert not life.identifier.any()
    free = lived(agent, life).hidden.view(2, 5, -1)[:, 2:]
    torch.testing.assert_close(free, free[:, :1].expand_as(free))


def test_identifiers_make_experts_differ() -> None:
    agent = make(CompleteTopology())
    assert len(lived(agent, agent.reset(1, 5, 2)).hidden.unique(dim=0)) == 5


def test_random_initial_states_are_uniform() -> None:
    agent = make(IsolatedTopology(), birth=Birth(initial_state="random"))
    hidden = agent.reset(50, 40, 1, seeded(0)).hidden
    assert hidden.abs().max() <= 1
    assert hidden.abs().max() > 0.99
    assert hidden.mean().abs() < 4 * (1 / 3 / hidden.numel()) ** 0.5
    assert (hidden.square().mean() - 1 / 3).abs() < 4 * (4 / 45 / hidden.numel()) ** 0.5
    assert len(hidden.unique(dim=0)) == 2000
    assert_deterministic_by_seed(lambda seed: agent.reset(2, 3, 1, seeded(seed)).hidden)


# ------------------------------------------------------------------------------------ rewiring


@every_executor
def test_a_rewired_graph_is_used(executor: ExecutorName) -> None:
    """Assigning edges in mid-life is as having lived with that topology from then on."""
    with double_precision():
        agent = make(RingTopology(), executor=executor)
        life = lived(agent, agent.reset(2, 5, 2))
        sources, targets, weights = [0, 1, 4], [2, 0, 3], [1.0, -2.0, 0.5]
        index = torch.tensor([sources, targets])
        both = torch.cat([index, index + 5], dim=1)
        rewired = edited(agent, life, edge_index=both, edge_weight=torch.tensor(weights).repeat(2))

        other = make(GivenGraph(5, [sources, targets], weights), executor=executor)
        expected = other.reset(2, 5, 2).with_hidden(life.hidden)._replace(action=life.action)
        for step in range(3):
            observation = some_observation(2, 2, step)
            rewired, expected = agent.step(rewired, observation), other.step(expected, observation)
            torch.testing.assert_close(rewired.action, expected.action, rtol=0, atol=1e-12)
            assert rewired.edges.index.shape == (2, 6)


@every_executor
@pytest.mark.parametrize("attribute", ["edge_index", "edge_weight"])
@pytest.mark.parametrize("in_place", [False, True])
def test_a_graph_with_one_thing_rewired_is_noticed(
    executor: ExecutorName, attribute: str, in_place: bool
) -> None:
    agent = make(RingTopology(), executor=executor)
    graph = to_pyg(lived(agent, agent.reset(1, 5, 2)))
    before = lived(agent, from_pyg(agent, graph)).action
    changed = {  # everybody hears those one further on; hears twice as much
        "edge_index": torch.stack([(graph.edge_index[0] + 1) % 5, graph.edge_index[1]]),
        "edge_weight": 2 * graph.edge_weight,
    }
    if in_place:
        graph[attribute].copy_(changed[attribute])
    else:
        graph[attribute] = changed[attribute]
    assert not torch.allclose(lived(agent, from_pyg(agent, graph)).action, before)


@every_executor
def test_rewiring_one_life_leaves_the_topology_and_other_lives_alone(
    executor: ExecutorName,
) -> None:
    agent = make(RandomTopology(2), executor=executor)
    untouched = agent.reset(2, 5, 1)
    expected = lived(agent, untouched, 2)
    graph = to_pyg(untouched)
    graph.edge_weight.zero_()
    cut, alone = from_pyg(agent, graph), make(IsolatedTopology(), executor=executor)
    isolated = lived(alone, alone.reset(2, 5, 1), 2)
    torch.testing.assert_close(lived(agent, cut, 2).hidden, isolated.hidden, rtol=0, atol=1e-6)
    assert not torch.allclose(expected.hidden, isolated.hidden, atol=1e-6)
    for life in (untouched, agent.reset(2, 5, 1)):
        assert life.edges.weight.all()
        assert torch.equal(lived(agent, life, 2).action, expected.action)


def test_another_topology_is_used_from_the_next_reset_on() -> None:
    agent = make(RingTopology())
    lived(agent, agent.reset(1, 5, 2))
    agent.topology = CompleteTopology()
    index = lived(agent, agent.reset(1, 5, 2)).edges.index
    assert index.size(1) == 20
    assert not index[0].eq(index[1]).any()


@every_executor
def test_a_dynamic_topology_is_asked_at_every_step(executor: ExecutorName) -> None:
    with double_precision():
        agent, static = (make(topology, executor=executor) for topology in (Nearest(), None))
        life, seen = agent.reset(2, 6, 2), []
        for step in range(4):
            observation = some_observation(2, 2, step)
            index, weight = Nearest()(life.hidden.view(2, 6, -1))
            rewired = edited(static, life, edge_index=index, edge_weight=weight)
            life = agent.step(life, observation)
            action = static.step(rewired, observation).action
            torch.testing.assert_close(life.action, action, rtol=0, atol=1e-12)
            assert torch.equal(life.edges.index, index)
            seen.append(index)
        assert any(not torch.equal(seen[0], later) for later in seen[1:])


@every_executor
def test_learned_weights_learn_in_every_life(executor: ExecutorName) -> None:
    """The gradient is right, again after an update, and in float64."""
    with double_precision():
        agent = make(LearnedRing(), executor=executor)
        for value in (0.5, 0.8):
            torch.nn.init.constant_(agent.topology.strength, value)
            assert_gradient_is_right(
                agent.topology,
                lambda: lived(agent, agent.reset(2, 5, 2), 3).action.square().sum(),
            )


# ------------------------------------------------------------------------------- graphs of PyG


@every_topology
@pytest.mark.parametrize("num_inputs", [0, 2])
def test_a_life_that_was_a_graph_goes_on_to_the_same_bits(name: str, num_inputs: int) -> None:
    torch.manual_seed(0)
    interface = Interface(feedback=2, input=3, output=1)
    build_membrane = partial(AddressedMembrane, address_size=4)
    topology, birth = build(name, hidden_size=32), Birth("random")
    agent = BadgerAgent(interface, GRUPolicy, topology, build_membrane, birth=birth)
    life = agent.reset(2, 12, 3, seeded(0), num_inputs)
    for step in range(3):
        told = some_observation(2, 3, step, interface, num_inputs)
        graph = to_pyg(life)
        again = from_pyg(agent, graph)
        for key, tensor in tensors(life).items():
            assert torch.equal(graph[key], tensor), key
            assert torch.equal(tensors(again)[key], tensor), key
        life, again = agent.step(life, told, seeded(1)), agent.step(again, told, seeded(1))
        assert torch.equal(again.hidden, life.hidden)
        assert torch.equal(again.action, life.action)


def test_a_graph_knows_the_score_of_a_choice() -> None:
    agent = make()
    agent.interface = dataclasses.replace(GAME, action=Choice())
    life = agent.step(agent.reset(2, 5, 3), some_observation(2, 3), seeded(0))
    again = from_pyg(agent, to_pyg(life))
    assert torch.equal(again.score, life.score)
    assert torch.equal(again.action, life.action)
    assert not torch.equal(life.score, life.action)


def test_an_edited_graph_goes_on_edited() -> None:
    """With the states, identifiers or actions that it was given."""
    agent = make(CompleteTopology())
    life = lived(agent, agent.reset(1, 5, 2))
    changed = {"hidden": (5, 6), "identifier": (5, 3), "action": (1, 2)}
    usual = lived(agent, life)
    for name, shape in changed.items():
        value = uniform(0, *shape).float()
        other = edited(agent, life, **{name: value})
        assert torch.equal(tensors(other)[name], value)
        assert not torch.allclose(lived(agent, other).action, usual.action), name


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
        agent = make(IsolatedTopology(), birth=Birth("random"))
        life = agent.reset(batch_size, num_experts, 2, seeded(seed))
        life = life.with_hidden(uniform(seed, *life.hidden.shape))
        index, weight = some_edges(batch_size, num_experts, num_edges, seed)
        index = index.unique(dim=1)
        index = index[:, torch.randperm(index.size(1))]
        life = edited(agent, life, edge_index=index, edge_weight=weight[: index.size(1)])
        assert_split_lives_alone(agent, life)


# --------------------------------------------------------------------------------- wrong input


def test_parts_are_built_by_the_agent_for_its_sizes() -> None:
    """Sizes flow from the interface to the membrane, and from there to the policy."""
    for interface in (GAME, Interface(feedback=3, input=2, output=4)):
        sizes = {"identifier_size": 5, "hidden_size": 7}
        membrane = partial(HardwiredMembrane, readers="one")
        topology = partial(TopKTopology, k=2)
        agent = BadgerAgent(interface, GRUPolicy, topology, membrane, **sizes)
        channels = interface.feedback + interface.output + interface.input + 2
        assert agent.membrane.readers == "one"
        assert agent.policy.percept_size == agent.membrane.percept_size == channels
        for part in (agent.policy, agent.membrane):
            assert (part.identifier_size, part.hidden_size) == (5, 7)
        assert (agent.topology.hidden_size, agent.topology.k) == (7, 2)


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
    agent = BadgerAgent(GAME, GRUPolicy, topology, executor="sparse")
    with torch.inference_mode():
        edges = topology(torch.zeros(1, 2, 3))
        prepared = agent.reset(1, 2, 1).executor
    assert not any(part.is_inference() for part in (*prepared.edges, *prepared.adjacency))
    assert edges.index.is_inference() == isinstance(topology, Keeper)


def test_another_executor_is_heeded_at_the_next_reset() -> None:
    agent = BadgerAgent(GAME, GRUPolicy, RandomTopology(k=2))
    for executor in ("dense", "reference", "sparse"):
        agent.executor = executor
        assert agent.reset(2, 5, 1).executor.name == executor
