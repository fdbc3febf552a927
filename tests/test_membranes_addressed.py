"""The membrane whose outputs are found by address: by hand, and what must not matter."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
import torch
from properties import (
    GAME,
    assert_any_number_of_experts,
    assert_like_any_agent,
    build_membrane,
    double_precision,
    edited,
    in_double,
    seeded,
    small_agent,
    some_life,
    some_observation,
    uniform,
)
from torch import Tensor

from badger_graph import (
    Action,
    AddressedMembrane,
    BadgerAgent,
    Birth,
    Bits,
    Choice,
    Interface,
)
from badger_graph.life import Addresses
from topologies import CompleteTopology

HIDDEN, IDENTIFIER, HEADS, KEY, VALUE = 6, 3, 2, 4, 5


SIZES = {"address_size": 7, "heads": HEADS, "key_size": KEY, "value_size": VALUE, "width": 8}


def make_agent() -> BadgerAgent:
    membrane = partial(AddressedMembrane, **SIZES)
    return small_agent(CompleteTopology(), membrane=membrane, birth=Birth("random"))


def part(linear: torch.nn.Linear, rows: slice, x: Tensor) -> Tensor:
    bias = 0 if linear.bias is None else linear.bias[rows]
    return linear.weight[rows] @ x + bias


@pytest.mark.parametrize("num_inputs", [0, 2])
def test_the_equations_one_expert_and_port_at_a_time(num_inputs: int) -> None:
    """Of inputs the same, but that nobody moves them."""
    interface, ports = Interface(input=2 if num_inputs else 0, output=1), 3 + num_inputs
    with double_precision():
        torch.manual_seed(0)
        membrane = build_membrane(AddressedMembrane, interface, IDENTIFIER, HIDDEN, **SIZES)
        observation, said = some_observation(1, 3, 0, interface, num_inputs), uniform(7, 4)
        addresses = Addresses(uniform(8, 1, 3, 7), uniform(6, 1, num_inputs, 7))
        address, identifier = torch.cat(addresses, dim=1), uniform(9, 1, 4, IDENTIFIER)
        life = some_life(membrane, 1, 4, 3, num_inputs=num_inputs)
        life = life._replace(contacts=membrane.open(addresses, identifier))
        percept = membrane.perceive(life, observation)
        action = membrane.act(life, said, observation)

    keys = HEADS * KEY
    affinity, seen, told = torch.zeros(HEADS, 4, ports), torch.zeros(ports, HEADS, VALUE), []
    affinity, seen = affinity.double(), seen.double()
    for i in range(4):
        of_state, of_name = life.hidden[i], identifier[0, i]
        wanted = part(membrane.of_hidden, slice(keys), of_state)
        wanted = (wanted + part(membrane.of_identifier, slice(keys), of_name)).view(HEADS, KEY)
        rest = slice(keys, None)
        tells = part(membrane.of_hidden, rest, of_state)
        told.append((tells + part(membrane.of_identifier, rest, of_name)).view(HEADS, VALUE))
        for j in range(ports):
            key = part(membrane.of_address, slice(keys), address[0, j]).view(HEADS, KEY)
            affinity[:, i, j] = (wanted * key).sum(dim=1) / KEY**0.5
    for j in range(ports):
        of_address = part(membrane.of_address, slice(keys, keys + HEADS * VALUE), address[0, j])
        if j < 3:
            shown = torch.cat([life.action[0, j, None], observation.outputs[0, j]])
            value = membrane.of_output.weight @ shown
        else:
            value = part(membrane.of_input, slice(None), observation.inputs[0, j - 3])
        seen[j] = (of_address + value).view(HEADS, VALUE)
    for i in range(4):
        share = affinity[:, i].softmax(dim=-1)  # of the ports, in each head
        heard = [sum(share[head, j] * seen[j, head] for j in range(ports)) for head in range(HEADS)]
        expected = torch.cat([observation.feedback[0], *heard])
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
        life = agent.reset(2, 5, 3, seeded(0)).with_hidden(uniform(1, 10, HIDDEN))
        life = edited(agent, life, action=uniform(2, 2, 3), score=uniform(2, 2, 3))
        after, order = agent.step(life, observation), torch.tensor([2, 0, 1])
        action, address = life.action[:, order], life.addresses.outputs[:, order]
        other = edited(agent, life, action=action, score=action, address=address)
        told = observation._replace(outputs=observation.outputs[:, order])
        renumbered = agent.step(other, told)
        torch.testing.assert_close(renumbered.action, after.action[:, order])
        torch.testing.assert_close(renumbered.hidden, after.hidden)
        experts = torch.tensor([3, 1, 4, 0, 2])
        nodes = torch.cat([experts, experts + 5])
        other = edited(agent, other, hidden=life.hidden[nodes], identifier=life.identifier[nodes])
        again = agent.step(other, told)
        torch.testing.assert_close(again.action, renumbered.action)
        torch.testing.assert_close(again.hidden, renumbered.hidden[nodes])


@in_double
def test_it_is_like_any_agent_and_of_any_size() -> None:
    assert_like_any_agent(make_agent(), 5, 3)
    assert_any_number_of_experts(make_agent(), [(1, 1), (1, 6), (7, 2), (20, 9)])


def test_outputs_keep_their_action() -> None:
    """Experts that push nothing leave everything as it was."""
    agent = make_agent()
    with torch.no_grad():
        for layer in (agent.membrane.move, agent.policy.readout):
            layer.weight.zero_()
            layer.bias.zero_()
    action = uniform(2, 2, 3).float()
    life = edited(agent, agent.reset(2, 5, 3, seeded(0)), action=action, score=action)
    assert torch.equal(agent.step(life, some_observation(2, 3)).action, action)


@pytest.mark.parametrize("action", [Choice(), Bits()])
def test_outputs_keep_their_score(action: Action) -> None:
    """Where the action is drawn of it; so a choice may be put off until much speaks for it."""
    agent = make_agent()
    agent.interface = replace(GAME, action=action)
    with torch.no_grad():
        for layer in (agent.membrane.move, agent.policy.readout):
            layer.weight.zero_()
            layer.bias.fill_(0.1)
    life = agent.reset(2, 5, 3, seeded(0))
    for step in range(1, 4):
        life = agent.step(life, some_observation(2, 3), seeded(step))
        torch.testing.assert_close(life.score, torch.full((2, 3), 0.2 * step))
        assert not torch.allclose(life.action, life.score)
