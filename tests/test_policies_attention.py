"""The attentional agent: its policy and its membrane, one receiver at a time and by hand."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from authors_stand_in import deviation, heard
from command_line import succeed
from properties import (
    assert_any_number_of_experts,
    assert_free_experts_exchangeable,
    assert_like_any_agent,
    assert_refused,
    build_policy,
    double_precision,
    edited,
    in_double,
    seeded,
    small_agent,
    some_observation,
    some_task,
    uniform,
)
from torch import Tensor

from badger_graph import (
    AttentionMembrane,
    AttentionPolicy,
    BadgerAgent,
    Edges,
    unroll,
)
from badger_graph.birth import Birth
from badger_graph.cli import fit_main
from badger_graph.communication import FixedRounds
from badger_graph.executors.masked import MaskedExecutor
from badger_graph.executors.prepare import prepare
from badger_graph.policies.attention import Traits
from badger_graph.products import Ports
from topologies import (
    CompleteTopology,
    IsolatedTopology,
    RandomTopology,
    RingTopology,
    Topology,
)

SIZES = {"identifier_size": 3, "hidden_size": 6}

SMALL = partial(AttentionMembrane, key_size=4)

LEARNED, RANDOM = (Birth("random", initial_state=state) for state in ("learned", "random"))


def make(topology: Topology | None = None, birth: Birth = LEARNED, **rest: object) -> BadgerAgent:
    return small_agent(
        topology or CompleteTopology(), AttentionPolicy, membrane=SMALL, birth=birth, **rest
    )


def make_policy(**arguments: object) -> AttentionPolicy:
    torch.manual_seed(0)
    return build_policy(AttentionPolicy, (4, 6), **{**SIZES, **arguments})


def some_round(
    num_experts: int, edges: Edges | None = None, batch_size: int = 2
) -> tuple[AttentionPolicy, Tensor, Ports, Tensor, MaskedExecutor]:
    """A policy in float64, states, two ports and one output, identifiers and who hears whom."""
    policy = make_policy().double()
    nodes = batch_size * num_experts
    ports = Ports(
        uniform(1, batch_size, 2, 4), uniform(2, batch_size, 2, 6), uniform(3, batch_size, 1, 4)
    )
    edges = edges or CompleteTopology()(torch.zeros(batch_size, num_experts, 1))
    executor = prepare(edges, batch_size, num_experts, "auto", policy)
    return policy, uniform(4, nodes, 6), ports, uniform(5, nodes, 3), executor


def traits_of(policy: AttentionPolicy, identifier: Tensor) -> Traits:
    return policy.traits(identifier, torch.zeros(len(identifier), dtype=torch.int64))


# ------------------------------------------------------------------------ the maths, by hand


@pytest.mark.parametrize("everybody", [True, False])
def test_one_receiver_at_a_time(everybody: bool) -> None:
    """The equations of the docstring; on a graph, experts hear in-neighbours and themselves."""
    pairs = [(0, 1), (2, 1), (1, 3)]
    edges = None if everybody else Edges.unweighted(torch.tensor(pairs).T)
    policy, hidden, ports, identifier, executor = some_round(4, edges, batch_size=1)
    after, said = executor.round(policy, hidden, ports, traits_of(policy, identifier))

    known = [torch.cat(pair) for pair in zip(hidden, identifier, strict=True)]
    port_senders = [*zip(ports.keys[0], ports.values[0], strict=True)]
    senders = []
    for z in known:
        inner, values = F.leaky_relu(policy.inner(z)).split(6), policy.value(z).split(6)
        keys = [key(own) for key, own in zip(policy.key, inner, strict=True)]
        senders.append([*zip(keys, values, strict=True)])

    def hears(target: int | None) -> list[tuple[Tensor, Tensor]]:
        everyone = everybody or target is None
        told = [j for j in range(4) if everyone or j == target or (j, target) in pairs]
        return port_senders + [head for j in told for head in senders[j]]

    torch.testing.assert_close(said[0, 0], heard(hears(None), ports.queries[0, 0]))
    for i, z in enumerate(known):
        received = [heard(hears(i), query) for query in policy.query(z).split(4)]
        merged = F.leaky_relu(policy.receive(torch.cat([*received, z])))
        merged = deviation(F.leaky_relu(policy.merge(merged)))
        gate, candidate = policy.update(torch.cat([merged, hidden[i]])).split(6)
        expected = gate.sigmoid() * candidate + (1 - gate.sigmoid()) * hidden[i]
        torch.testing.assert_close(after[i], expected, rtol=1e-6, atol=1e-6)


def test_ports_and_experts_share_one_softmax() -> None:
    """Keys of zero but one: that sender weighs 3 among five alike, so 3/7, the others 1/7."""
    policy, hidden, _, identifier, executor = some_round(1, batch_size=1)
    with torch.no_grad():
        for key in policy.key:
            key.weight.zero_()
            key.bias.zero_()
        policy.value.weight.zero_()
        policy.value.bias.copy_(torch.arange(12.0))
    keys = torch.zeros(1, 3, 4, dtype=torch.float64)
    keys[0, 0, 0] = math.log(3) * math.sqrt(4) / policy.beta
    queries = torch.tensor([[[1.0, 0, 0, 0]]], dtype=torch.float64)
    ports = Ports(keys, uniform(1, 1, 3, 6), queries)
    _, said = executor.round(policy, hidden, ports, traits_of(policy, identifier))
    heads = torch.arange(12.0, dtype=torch.float64).view(2, 6)
    mean = (3 * ports.values[0, 0] + ports.values[0, 1:].sum(0) + heads.sum(0)) / 7
    torch.testing.assert_close(said[0, 0], deviation(mean))


@in_double
def test_the_last_round_speaks() -> None:
    """Outputs read the experts before the update of the same round."""
    agent, told = make(communication=FixedRounds(2)), some_observation(3, 2)
    life = agent.reset(3, 5, 2, seeded(0))
    percept = agent.membrane.perceive(life, told)
    between, _ = life.executor.round(agent.policy, life.hidden, percept, life.traits)
    after, said = life.executor.round(agent.policy, between, percept, life.traits)
    lived = agent.step(life, told)
    torch.testing.assert_close(lived.hidden, after)
    torch.testing.assert_close(lived.action, agent.membrane.act(life, said, told))


# ---------------------------------------------------------------------- properties of agents


@pytest.mark.parametrize("topology", [CompleteTopology(), RandomTopology(2)], ids=repr)
def test_experts_are_exchangeable(topology: Topology) -> None:
    with double_precision():
        assert_free_experts_exchangeable(make(topology, RANDOM), 5, 2, bound=0)


def test_any_number_of_experts_and_outputs() -> None:
    assert_any_number_of_experts(make(), [(1, 1), (1, 5), (4, 2), (9, 3), (70, 1)])


@in_double
def test_actions_follow_their_addresses() -> None:
    """Exchanging the addresses of two outputs exchanges what they do."""
    agent, told, exchanged = make(), some_observation(2, 3), [2, 1, 0]
    life = agent.reset(2, 4, 3, seeded(0))
    other = edited(agent, life, address=life.addresses.outputs[:, exchanged])
    for _ in range(3):
        life, other = agent.step(life, told), agent.step(other, told)
    torch.testing.assert_close(other.action, life.action[:, exchanged], rtol=0, atol=1e-12)
    assert not torch.allclose(life.action[:, 0], life.action[:, 2])


@in_double
@pytest.mark.parametrize(
    "topology", [CompleteTopology(), RandomTopology(2), RingTopology()], ids=repr
)
def test_it_is_like_any_agent(topology: Topology) -> None:
    assert_like_any_agent(make(topology), 5, 2)


# ------------------------------------------------------------------- topologies and executors


def test_every_expert_heard_by_every_other_is_no_restriction() -> None:
    agent = make()
    assert agent.reset(2, 4, 1, seeded(0)).executor.visible is None
    assert agent.reset(2, 1, 1, seeded(0)).executor.visible is None
    visible = make(RingTopology()).reset(2, 4, 1).executor.visible
    ring = [[1, 1, 0, 1], [1, 1, 1, 0], [0, 1, 1, 1], [1, 0, 1, 1]]
    assert visible.int().tolist() == [ring, ring]
    isolated = make(IsolatedTopology()).reset(1, 3, 1).executor.visible
    assert isolated[0].int().tolist() == torch.eye(3).int().tolist()


@in_double
def test_a_rewired_graph_is_noticed() -> None:
    agent, told = make(), some_observation(2, 2)
    life = agent.reset(2, 5, 2, seeded(0))
    index, weight = life.edges
    cut = edited(agent, life, edge_index=index[:, :0], edge_weight=weight[:0])
    after, alone = (agent.step(one, told).hidden for one in (life, cut))
    assert not torch.allclose(after, alone)


def test_weighted_edges_are_refused() -> None:
    index = torch.tensor([[0], [1]])
    for weight, found in (
        (torch.tensor([0.5]), r"one of 0\.5"),
        (torch.ones(1).requires_grad_(), "weights to learn"),
    ):
        edges = Edges(index, weight)
        message = f"needs edges of weight 1, got {found}"
        for executor in ("auto", "attention"):
            assert_refused(message, lambda e=edges, x=executor: prepare(e, 1, 2, x, make_policy()))


# ---------------------------------------------------------------------------------- bad input


def test_a_state_at_birth_that_is_not_learned_is_nothing_to_train() -> None:
    """Processes that train together would wait for its gradient."""
    for initial_state in ("zero", "learned"):
        agent = make(birth=Birth(initial_state=initial_state))
        trained = [parameter for parameter in agent.parameters() if parameter.requires_grad]
        loss = unroll(agent, some_task(2), 3, 3, seeded(1)).loss.mean()
        loss.backward()
        assert all(parameter.grad is not None for parameter in trained)


# --------------------------------------------------------------------------------- the command


def test_trains_from_the_command_line(tmp_path: Path) -> None:
    """By name, each with the sizes that are its own defaults."""
    named = ["--policy", "attention", "--membrane", "attention"]
    small = ["--batch_size", 4, "--num_experts", 6, "--num_steps", 4, "--max_steps", 2]
    learned = ["--birth.initial_state", "learned", "--trainer.val_check_interval", 2]
    result = succeed(fit_main, *named, *small, *learned, "--evaluate", "false", cwd=tmp_path)
    assert "executor: attention" in result.out
