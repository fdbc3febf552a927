"""What holds for every membrane, then the hardwired one by hand."""

from __future__ import annotations

import typing

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from properties import (
    GAME,
    WORLDS,
    assert_percepts_of_agents_independent,
    assert_refused,
    assert_round_trip,
    build_membrane,
    double_precision,
    seeded,
    some_life,
    some_observation,
    uniform,
)

from badger_graph import (
    BadgerAgent,
    GRUPolicy,
    HardwiredMembrane,
    Interface,
    Membrane,
    Observation,
    WholeMembrane,
)
from badger_graph.membranes import MEMBRANES, CrossbarMembrane
from topologies import IsolatedTopology

every_membrane = pytest.mark.parametrize("name", MEMBRANES)

FEEDBACK = torch.tensor([[0.5], [0.25]])
ON_OUTPUTS = torch.tensor([[[0.1], [0.2]], [[0.3], [0.4]]])
ACTION = torch.tensor([[-1.0, 1.0], [-2.0, 2.0]])
"""Two agents with two outputs."""


def build(name: str) -> Membrane:
    """A membrane by its name, in a world that it serves."""
    return build_membrane(MEMBRANES[name], WORLDS.get(name, GAME))


def possible(membrane: Membrane, num_experts: int, num_outputs: int) -> tuple[int, int, int]:
    """So many experts, outputs and inputs; others, where a membrane does not serve so many."""
    if isinstance(membrane, WholeMembrane):
        return 1, membrane.num_outputs, 0
    if isinstance(membrane, CrossbarMembrane):
        return membrane.usual_experts(num_outputs, num_inputs=2), num_outputs, 2
    return num_experts, num_outputs, 0


# ------------------------------------------------------------ what holds for every membrane


@every_membrane
@given(num_outputs=st.integers(1, 6), free=st.integers(0, 6))
def test_percepts_of_agents_are_independent(name: str, num_outputs: int, free: int) -> None:
    membrane = build(name)
    sizes = possible(membrane, num_outputs + free, num_outputs)
    membrane.check(*sizes)
    assert_percepts_of_agents_independent(membrane, *sizes)


@every_membrane
def test_round_trip(name: str) -> None:
    membrane = build(name)
    num_experts, num_outputs, num_inputs = possible(membrane, 5, 3)
    told = some_observation(2, num_outputs, 0, membrane.interface, num_inputs)

    def perceived(other: Membrane) -> object:
        life = some_life(other, 2, num_experts, num_outputs, num_inputs=num_inputs)
        return other.perceive(life, told)

    assert_round_trip(membrane, perceived)


@every_membrane
def test_perceives_on_every_device(name: str, device: torch.device) -> None:
    membrane = build(name).to(device)
    num_experts, num_outputs, num_inputs = possible(membrane, 5, 3)
    told = some_observation(2, num_outputs, 0, membrane.interface, num_inputs)
    told = Observation(*(field.to(device) for field in told))
    with device:
        life = some_life(membrane, 2, num_experts, num_outputs, num_inputs=num_inputs)
        percept = membrane.perceive(life, told)
    assert percept[0].device.type == device.type


# ------------------------------------------------------------------------ hardwired, by hand


@pytest.mark.parametrize(
    ("arguments", "reads", "sees_action", "sees_role"),
    [
        ({}, [1, 1, 1, 1], 1, 1),
        ({"readers": "one"}, [1, 0, 0, 0], 1, 1),
        ({"readers": [3, 1]}, [0, 1, 0, 1], 1, 1),
        ({"see_action": False}, [1, 1, 1, 1], 0, 1),
        ({"see_role": False}, [1, 1, 1, 1], 1, 0),
    ],
)
def test_what_experts_perceive_by_hand(
    arguments: dict[str, typing.Any], reads: list[int], sees_action: int, sees_role: int
) -> None:
    """[feedback, feedback on its output, its last action, its role] of two agents."""
    membrane = build_membrane(HardwiredMembrane, **arguments)
    life = some_life(membrane, 2, 4, 2)._replace(action=ACTION)
    percept = membrane.perceive(life, Observation(FEEDBACK, torch.zeros(2, 0, 0), ON_OUTPUTS))
    expected = torch.zeros(2, 4, 4)
    expected[:, :, 0] = FEEDBACK * torch.tensor(reads)
    expected[:, :2, 1] = ON_OUTPUTS[..., 0]
    expected[:, :2, 2] = ACTION * sees_action
    expected[:, :2, 3] = sees_role
    assert torch.equal(percept.view(2, 4, 4), expected)


def test_expert_j_speaks_for_output_j() -> None:
    """Only the first d experts are listened to, each for its own output."""
    said = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    membrane = build_membrane(HardwiredMembrane)
    life, told = some_life(membrane, 2, 3, 2), some_observation(2, 2)
    assert membrane.act(life, said.flatten(), told).tolist() == [[1.0, 2.0], [4.0, 5.0]]


# -------------------------------------------------------------------------------------- inputs

WIDE = Interface(feedback=2, input=3, output=1)
WITH_INPUTS = ["hardwired", "addressed", "own_readout"]

every_membrane_with_inputs = pytest.mark.parametrize("name", WITH_INPUTS)


def test_input_i_reaches_expert_d_plus_i_by_hand() -> None:
    """[2 of feedback, 1 of its output, its action, its role, 3 of its input]."""
    membrane = build_membrane(HardwiredMembrane, WIDE)
    life = some_life(membrane, 1, 4, 1, num_inputs=2)._replace(action=torch.tensor([[-1.0]]))
    inputs = torch.tensor([[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]])
    told = Observation(torch.tensor([[0.5, 0.25]]), inputs, torch.tensor([[[2.0]]]))
    assert membrane.perceive(life, told).tolist() == [
        [0.5, 0.25, 2.0, -1.0, 1.0, 0, 0, 0],
        [0.5, 0.25, 0, 0, 0, 1.0, 2.0, 3.0],
        [0.5, 0.25, 0, 0, 0, 4.0, 5.0, 6.0],
        [0.5, 0.25, 0, 0, 0, 0, 0, 0],
    ]


@given(num_outputs=st.integers(1, 3), num_inputs=st.integers(1, 4), free=st.integers(0, 3))
def test_an_input_reaches_its_expert_and_nobody_else(
    num_outputs: int, num_inputs: int, free: int
) -> None:
    """In a whole step among experts that hear nobody."""
    agent = BadgerAgent(WIDE, GRUPolicy, IsolatedTopology())
    num_experts = num_outputs + num_inputs + free
    life = agent.reset(2, num_experts, num_outputs, num_inputs=num_inputs)
    told = some_observation(2, num_outputs, 0, WIDE, num_inputs)
    before = agent.step(life, told).hidden.view(2, num_experts, -1)
    for i in range(num_inputs):
        inputs = told.inputs.clone()
        inputs[0, i] += 1
        after = agent.step(life, told._replace(inputs=inputs)).hidden.view(2, num_experts, -1)
        changed = (after - before).abs().sum(dim=2).gt(1e-6).nonzero().tolist()
        assert changed == [[0, num_outputs + i]]


@every_membrane_with_inputs
@given(num_outputs=st.integers(1, 4), num_inputs=st.integers(0, 4), free=st.integers(0, 3))
def test_any_number_of_inputs(name: str, num_outputs: int, num_inputs: int, free: int) -> None:
    membrane = build_membrane(MEMBRANES[name], WIDE)
    num_experts = num_outputs + num_inputs + free
    membrane.check(num_experts, num_outputs, num_inputs)
    life = some_life(membrane, 2, num_experts, num_outputs, num_inputs=num_inputs)
    told = some_observation(2, num_outputs, 0, WIDE, num_inputs)
    assert membrane.perceive(life, told).shape == (2 * num_experts, membrane.percept_size)
    said = uniform(0, 2 * num_experts).float()
    assert membrane.act(life, said, told).shape == (2, num_outputs)


def test_inputs_permuted_with_their_addresses_are_the_same() -> None:
    """No expert belongs to an input: where addresses tell them apart, their order says nothing."""
    with double_precision():
        agent = BadgerAgent(WIDE, GRUPolicy, IsolatedTopology(), MEMBRANES["addressed"])
        life = agent.reset(2, 5, 3, seeded(0), num_inputs=4)
        order = torch.tensor([2, 0, 3, 1])
        addresses = life.addresses._replace(inputs=life.addresses.inputs[:, order])
        moved = agent.life(life.experts, addresses, life.action, life.edges)
        for step in range(3):
            told = some_observation(2, 3, step, WIDE, 4)
            other = told._replace(inputs=told.inputs[:, order])
            shuffled = agent.step(life, other)  # shown at the addresses of others
            life, moved = agent.step(life, told), agent.step(moved, other)
            torch.testing.assert_close(moved.action, life.action, rtol=0, atol=1e-12)
            torch.testing.assert_close(moved.hidden, life.hidden, rtol=0, atol=1e-12)
            assert not torch.allclose(shuffled.hidden, life.hidden)


# A crossbar shows inputs, but of one world only: tests/test_crossbar.py.
@pytest.mark.parametrize("name", sorted(set(MEMBRANES) - {*WITH_INPUTS, *WORLDS}))
def test_membranes_without_inputs_refuse_them(name: str) -> None:
    shows = f"a {MEMBRANES[name].__name__} shows no inputs, .* got input=3"
    assert_refused(shows, lambda: build_membrane(MEMBRANES[name], WIDE))
