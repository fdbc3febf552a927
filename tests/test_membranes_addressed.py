"""The membrane whose outputs are found by address: by hand, and what must not matter."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from properties import (
    assert_agents_independent,
    assert_any_number_of_experts,
    assert_gradients_reach_every_parameter,
    assert_refused,
    double_precision,
    seeded,
    some_life,
    some_observation,
    uniform,
)
from torch import Tensor

from badger_graph import (
    AddressedMembrane,
    BadgerAgent,
    GRUPolicy,
    GuessingGame,
    HardwiredMembrane,
    unroll,
)
from topologies import CompleteTopology

HIDDEN, IDENTIFIER, HEADS, KEY, VALUE = 6, 3, 2, 4, 5


def make_membrane() -> AddressedMembrane:
    torch.manual_seed(0)
    return AddressedMembrane(HIDDEN, IDENTIFIER, 7, HEADS, KEY, VALUE, width=8)


def make_agent() -> BadgerAgent:
    membrane = make_membrane()
    policy = GRUPolicy(membrane.percept_size, IDENTIFIER, HIDDEN, 4)
    return BadgerAgent(policy, CompleteTopology(), membrane, identifiers="random")


def part(linear: torch.nn.Linear, rows: slice, x: Tensor) -> Tensor:
    bias = 0 if linear.bias is None else linear.bias[rows]
    return linear.weight[rows] @ x + bias


def test_the_equations_one_expert_and_output_at_a_time() -> None:
    with double_precision():
        membrane = make_membrane()
        observation, said = some_observation(1, 3), uniform(7, 4)
        address, identifier = uniform(8, 1, 3, 7), uniform(9, 1, 4, IDENTIFIER)
        life = some_life(membrane, 1, 4, 3, HIDDEN, IDENTIFIER)
        life = life._replace(ports=membrane.open(address, identifier))
        percept, action = membrane.perceive(life, observation), membrane.act(life, said)

    keys = HEADS * KEY
    affinity, seen, told = torch.zeros(HEADS, 4, 3), torch.zeros(3, HEADS, VALUE), []
    affinity, seen = affinity.double(), seen.double()
    for i in range(4):
        of_state, of_name = life.hidden[i], identifier[0, i]
        wanted = part(membrane.of_hidden, slice(keys), of_state)
        wanted = (wanted + part(membrane.of_identifier, slice(keys), of_name)).view(HEADS, KEY)
        rest = slice(keys, None)
        tells = part(membrane.of_hidden, rest, of_state)
        told.append((tells + part(membrane.of_identifier, rest, of_name)).view(HEADS, VALUE))
        for j in range(3):
            key = part(membrane.of_address, slice(keys), address[0, j]).view(HEADS, KEY)
            affinity[:, i, j] = (wanted * key).sum(dim=1) / KEY**0.5
    for j in range(3):
        of_address = part(membrane.of_address, slice(keys, keys + HEADS * VALUE), address[0, j])
        shown = torch.stack([life.action[0, j], observation.output_feedback[0, j]])
        seen[j] = (of_address + membrane.of_output.weight @ shown).view(HEADS, VALUE)
    for i in range(4):
        share = affinity[:, i].softmax(dim=-1)  # of the outputs, in each head
        heard = [sum(share[head, j] * seen[j, head] for j in range(3)) for head in range(HEADS)]
        expected = torch.cat([observation.feedback, *heard])
        torch.testing.assert_close(percept[i], expected, rtol=1e-10, atol=1e-12)
    for j in range(3):
        share = affinity[:, :, j].softmax(dim=-1)  # of the experts
        heard = [sum(share[head, i] * told[i][head] for i in range(4)) for head in range(HEADS)]
        moved = part(membrane.of_address, slice(keys + HEADS * VALUE, None), address[0, j])
        inner = (membrane.of_told.weight @ torch.cat(heard) + moved).relu()
        step = membrane.move(inner)[0] + share.mean(dim=0) @ said
        torch.testing.assert_close(action[0, j], life.action[0, j] + step)


def test_outputs_and_experts_are_told_apart_by_address_and_identifier_alone() -> None:
    """Renumbered outputs act as they did, and experts perceive what they did."""
    with double_precision():
        agent, observation = make_agent(), some_observation(2, 3)
        graph = agent.reset(2, 5, 3, seeded(0))
        graph.hidden, graph.action = uniform(1, 10, HIDDEN), uniform(2, 2, 3)
        after, action = agent(graph, observation)
        order = torch.tensor([2, 0, 1])
        graph.address, graph.action = graph.address[:, order], graph.action[:, order]
        told = observation._replace(output_feedback=observation.output_feedback[:, order])
        renumbered, moved = agent(graph, told)
        torch.testing.assert_close(moved, action[:, order])
        torch.testing.assert_close(renumbered.hidden, after.hidden)
        experts = torch.tensor([3, 1, 4, 0, 2])
        nodes = torch.cat([experts, experts + 5])
        graph.hidden, graph.identifier = graph.hidden[nodes], graph.identifier[nodes]
        again, same = agent(graph, told)
        torch.testing.assert_close(same, moved)
        torch.testing.assert_close(again.hidden, renumbered.hidden[nodes])


def test_agents_are_independent_and_of_any_size() -> None:
    with double_precision():
        assert_agents_independent(make_agent(), 5, 3)
        assert_any_number_of_experts(make_agent(), [(1, 1), (1, 6), (7, 2), (20, 9)])


def test_gradients_reach_every_parameter() -> None:
    agent = make_agent()
    task = GuessingGame(feedback="per_output").sample(8, 3, seeded(0))
    loss = unroll(agent, task, 5, 4, seeded(0)).loss[1:].mean()
    assert_gradients_reach_every_parameter(loss, agent.membrane)
    task = GuessingGame().sample(8, 3, seeded(0))
    loss = unroll(agent, task, 5, 4, seeded(0)).loss[1:].mean()
    assert_gradients_reach_every_parameter(loss, agent.policy)


def test_outputs_keep_their_action() -> None:
    """Experts that push nothing leave everything as it was."""
    agent = make_agent()
    with torch.no_grad():
        agent.membrane.move.weight.zero_()
        agent.membrane.move.bias.zero_()
        agent.policy.readout.weight.zero_()
        agent.policy.readout.bias.zero_()
    graph = agent.reset(2, 5, 3, seeded(0))
    graph.action = uniform(2, 2, 3).float()
    _, action = agent(graph, some_observation(2, 3))
    assert torch.equal(action, graph.action)


def test_addresses_random_fixed_and_of_worlds() -> None:
    agent = make_agent()
    one, other = (agent.reset(4, 5, 3, seeded(seed)).address for seed in (0, 1))
    assert not torch.allclose(one, other)
    agent.membrane.addresses = "fixed"
    one, more = agent.reset(4, 5, 3).address, agent.reset(2, 5, 6).address
    assert (one == one[0]).all()
    assert torch.equal(one[0], more[0, :3])
    agent.membrane.seed = 1
    assert not torch.allclose(agent.reset(4, 5, 3).address, one)


def test_names_are_those_that_trained_agents_know() -> None:
    """Fixed draws are functions of the seed, which no version may change."""
    agent = make_agent()
    agent.identifiers = "fixed"
    agent.seed, agent.membrane.seed, agent.membrane.addresses = 5, 7, "fixed"
    size, address_size = agent.policy.identifier_size, agent.membrane.address_size

    def drawn(*seed: int, shape: tuple[int, ...]) -> Tensor:
        return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape)).float()

    graph = agent.reset(1, 4, 3)
    assert torch.equal(graph.identifier, drawn(5, shape=(4, size)))
    assert torch.equal(graph.address[0], drawn(7, 1, shape=(3, address_size)))
    agent.worlds = 1
    graph = agent.reset(1, 4, 3)
    assert torch.equal(graph.identifier, drawn(5, 2, shape=(4, size)))
    assert torch.equal(graph.address[0], drawn(5, 3, shape=(3, address_size)))


def test_agents_are_born_into_so_many_worlds() -> None:
    """In one world experts and outputs have the same names; more worlds add to those before."""
    agent = make_agent()
    seen: dict[int, dict[bytes, bytes]] = {}
    for worlds in (1, 2, 4):
        agent.worlds = worlds
        graph = agent.reset(64, 5, 3, seeded(0))
        identifiers = graph.identifier.view(64, -1)
        seen[worlds] = {
            identifiers[b].numpy().tobytes(): graph.address[b].numpy().tobytes() for b in range(64)
        }
        assert len(seen[worlds]) == worlds
        assert len(set(seen[worlds].values())) == worlds
    assert seen[1].items() < seen[2].items() < seen[4].items()


def test_refused() -> None:
    assert_refused("heads must be at least 1, got 0", lambda: AddressedMembrane(heads=0))
    assert_refused("gain must be positive, got 0", lambda: AddressedMembrane(gain=0.0))
    assert_refused("seed must be at least 0, got -1", lambda: AddressedMembrane(seed=-1))
    message = "addresses must be one of random, fixed, got 'some'"
    assert_refused(message, lambda: AddressedMembrane(addresses="some"))  # type: ignore[arg-type]
    membrane = make_membrane()
    message = "hidden_size, got 6 for a policy with 9"
    policy = GRUPolicy(membrane.percept_size, IDENTIFIER, 9)
    with pytest.raises(ValueError, match=message):
        BadgerAgent(policy, CompleteTopology(), membrane)
    agent = make_agent()
    graph = agent.reset(2, 5, 3)
    graph.address = graph.address[..., :4]
    with pytest.raises(ValueError, match=r"\[2, 3, 7\] .* got \[2, 3, 4\]"):
        agent(graph, some_observation(2, 3))
    with pytest.raises(ValueError, match="num_outputs must be at least 1, got 0"):
        agent.reset(2, 5, 0)
    with pytest.raises(ValueError, match="worlds must be at least 1, or none, got 0"):
        BadgerAgent(GRUPolicy(), CompleteTopology(), HardwiredMembrane(), worlds=0)
