"""What holds for every membrane, then the hardwired one by hand."""

from __future__ import annotations

import typing

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from properties import (
    assert_percepts_of_agents_independent,
    assert_refused,
    assert_round_trip,
    assert_table_is_the_folder,
    some_life,
    some_observation,
)

import badger_graph.membranes
from badger_graph import HardwiredMembrane, Membrane, Observation, WholeMembrane
from badger_graph.membranes import MEMBRANES

every_membrane = pytest.mark.parametrize("name", MEMBRANES)

FEEDBACK = torch.tensor([0.5, 0.25])
ON_OUTPUTS = torch.tensor([[0.1, 0.2], [0.3, 0.4]])
ACTION = torch.tensor([[-1.0, 1.0], [-2.0, 2.0]])
"""Two agents with two outputs."""


def percepts(membrane: HardwiredMembrane, num_experts: int = 4) -> list[list[list[float]]]:
    """Expert by expert: [feedback, feedback on its output, its last action, its role]."""
    life = some_life(membrane, 2, num_experts, 2)._replace(action=ACTION)
    percept = membrane.perceive(life, Observation(FEEDBACK, ON_OUTPUTS))
    agents = percept.unflatten(0, (2, num_experts)).tolist()
    return [[[round(x, 6) for x in expert] for expert in agent] for agent in agents]


def possible(membrane: Membrane, num_experts: int, num_outputs: int) -> tuple[int, int]:
    """Other sizes, where a membrane serves no others."""
    if isinstance(membrane, WholeMembrane):
        return 1, membrane.num_outputs
    return num_experts, num_outputs


def test_every_membrane_is_in_the_table() -> None:
    assert_table_is_the_folder(MEMBRANES, badger_graph.membranes, Membrane)


# ------------------------------------------------------------ what holds for every membrane


@every_membrane
@given(num_outputs=st.integers(1, 6), free=st.integers(0, 6))
def test_percepts_of_agents_are_independent(name: str, num_outputs: int, free: int) -> None:
    membrane = MEMBRANES[name]()
    num_experts, num_outputs = possible(membrane, num_outputs + free, num_outputs)
    membrane.check(num_experts, num_outputs)
    assert_percepts_of_agents_independent(membrane, num_experts, num_outputs)


@every_membrane
def test_round_trip(name: str) -> None:
    membrane = MEMBRANES[name]()
    sizes = possible(membrane, 5, 3)
    told = some_observation(2, sizes[1])
    assert_round_trip(membrane, lambda other: other.perceive(some_life(other, 2, *sizes), told))


@every_membrane
def test_perceives_on_every_device(name: str, device: torch.device) -> None:
    membrane = MEMBRANES[name]().to(device)
    sizes = possible(membrane, 5, 3)
    told = Observation(*(field.to(device) for field in some_observation(2, sizes[1])))
    with device:
        percept = membrane.perceive(some_life(membrane, 2, *sizes), told)
    assert percept[0].device.type == device.type


# ------------------------------------------------------------------------ hardwired, by hand


def test_all_read_the_feedback() -> None:
    assert percepts(HardwiredMembrane()) == [
        [[0.5, 0.1, -1.0, 1.0], [0.5, 0.2, 1.0, 1.0], [0.5, 0, 0, 0], [0.5, 0, 0, 0]],
        [[0.25, 0.3, -2.0, 1.0], [0.25, 0.4, 2.0, 1.0], [0.25, 0, 0, 0], [0.25, 0, 0, 0]],
    ]


def test_one_reads_the_feedback() -> None:
    assert percepts(HardwiredMembrane(readers="one")) == [
        [[0.5, 0.1, -1.0, 1.0], [0, 0.2, 1.0, 1.0], [0, 0, 0, 0], [0, 0, 0, 0]],
        [[0.25, 0.3, -2.0, 1.0], [0, 0.4, 2.0, 1.0], [0, 0, 0, 0], [0, 0, 0, 0]],
    ]


def test_chosen_experts_read_the_feedback() -> None:
    assert percepts(HardwiredMembrane(readers=[3, 1])) == [
        [[0, 0.1, -1.0, 1.0], [0.5, 0.2, 1.0, 1.0], [0, 0, 0, 0], [0.5, 0, 0, 0]],
        [[0, 0.3, -2.0, 1.0], [0.25, 0.4, 2.0, 1.0], [0, 0, 0, 0], [0.25, 0, 0, 0]],
    ]


def test_experts_that_do_not_see_their_action() -> None:
    assert percepts(HardwiredMembrane(see_action=False), num_experts=2) == [
        [[0.5, 0.1, 0, 1.0], [0.5, 0.2, 0, 1.0]],
        [[0.25, 0.3, 0, 1.0], [0.25, 0.4, 0, 1.0]],
    ]


def test_experts_that_do_not_see_their_role() -> None:
    assert percepts(HardwiredMembrane(see_role=False), num_experts=3)[0] == [
        [0.5, 0.1, -1.0, 0],
        [0.5, 0.2, 1.0, 0],
        [0.5, 0, 0, 0],
    ]


@pytest.mark.parametrize("readers", ["one", [1]])
def test_the_feedback_of_an_agent_of_one_or_two(readers: typing.Any) -> None:
    membrane = HardwiredMembrane(readers=readers)
    told = Observation(torch.tensor([0.5]), torch.zeros(1, 1))
    percept = membrane.perceive(some_life(membrane, 1, 2, 1), told)
    assert percept[:, 0].tolist() == ([0.5, 0.0] if readers == "one" else [0.0, 0.5])


def test_expert_j_speaks_for_output_j() -> None:
    """Only the first d experts are listened to, each for its own output."""
    said = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    membrane = HardwiredMembrane()
    life = some_life(membrane, 2, 3, 2)
    assert membrane.act(life, said.flatten()).tolist() == [[1.0, 2.0], [4.0, 5.0]]


def test_one_expert_for_every_output() -> None:
    membrane = HardwiredMembrane()
    membrane.check(4, 4)
    with pytest.raises(ValueError, match="got num_outputs=5 and num_experts=4"):
        membrane.check(4, 5)
    with pytest.raises(ValueError, match="1 <= num_outputs <= num_experts, got num_outputs=0"):
        membrane.check(4, 0)


def test_readers_must_be_there() -> None:
    membrane = HardwiredMembrane(readers=[0, 4])
    membrane.check(5, 1)
    with pytest.raises(ValueError, match=r"one of the 4 experts 0 to 3, got readers=\[0, 4\]"):
        membrane.check(4, 1)


@pytest.mark.parametrize("readers", ["some", [], [1, 1], [-1, 2]])
def test_readers_that_make_no_sense(readers: typing.Any) -> None:
    message = r"readers must be .*, got ('some'|\[)"
    assert_refused(message, lambda: HardwiredMembrane(readers=readers))
