"""The worked examples of CONTRIBUTING.md are components like any other."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch
from properties import (
    TORCH_EXECUTORS,
    assert_agents_independent,
    assert_agrees_with_reference,
    assert_any_number_of_experts,
    assert_gradients_reach_every_parameter,
    assert_percepts_of_agents_independent,
    assert_permutation_equivariant,
    assert_pure,
    assert_refused,
    assert_round_trip,
    assert_target_is_right,
    assert_task_is_pure,
    assert_tasks_independent,
    double_precision,
    seeded,
    some_edges,
    some_life,
)

from badger_graph import (
    BadgerAgent,
    GRUPolicy,
    GuessingGame,
    HardwiredMembrane,
    MetaLearner,
    unroll,
)
from badger_graph.outer.config import from_config, to_config
from topologies import RandomTopology

TEXT = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text()


@pytest.fixture(scope="module")
def examples() -> Iterator[ModuleType]:
    """The Python blocks of CONTRIBUTING.md as one module."""
    module = ModuleType("contributing_examples")
    sys.modules[module.__name__] = module
    for block in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL):
        exec(compile(block, "CONTRIBUTING.md", "exec"), module.__dict__)
    yield module
    del sys.modules[module.__name__]


def test_the_policy(examples: ModuleType) -> None:
    with double_precision():
        policy = examples.ElmanPolicy(hidden_size=6, message_size=5)
        for executor in TORCH_EXECUTORS:
            assert_permutation_equivariant(policy, executor, 2, 5)
            assert_agrees_with_reference(policy, executor, some_edges(2, 5, 12), 2, 5)
        agent = BadgerAgent(policy, RandomTopology(2), HardwiredMembrane())
        assert_any_number_of_experts(agent, [(4, 1), (7, 3)])
        task = examples.HotAndCold().sample(3, 2, seeded(0))
        loss = unroll(agent, task, 5, 4).loss.mean()
        assert_gradients_reach_every_parameter(loss, policy)


def test_the_topology(examples: ModuleType) -> None:
    topology = examples.CycleTopology()
    assert topology.summary(5).strongly_connected
    assert set(topology.graph(3).edges) == {(0, 1), (1, 2), (2, 0)}
    with pytest.raises(ValueError, match="at least two experts, got 1"):
        topology.graph(1)


def test_the_membrane(examples: ModuleType) -> None:
    with double_precision():
        membrane = examples.VotingMembrane()
        assert_percepts_of_agents_independent(membrane, 6, 2)
        agent = BadgerAgent(GRUPolicy(percept_size=2), RandomTopology(2), membrane)
        assert_agents_independent(agent, 6, 2)
        assert_any_number_of_experts(agent, [(4, 1), (6, 3)])
        said = torch.tensor([1.0, 2.0, 3.0, 6.0])
        life = some_life(membrane, 1, num_experts=4, num_outputs=2)
        assert membrane.act(life, said).tolist() == [[2.0, 4.0]]
    message = "equally many voters, got num_experts=5 and num_outputs=2"
    assert_refused(message, lambda: agent.reset(1, 5, 2))


def test_the_curriculum(examples: ModuleType) -> None:
    curriculum = examples.DoublingExperts(2, first=3, doublings=1, every=2)
    assert_round_trip(curriculum, lambda other: torch.tensor(other.lesson(0, 0)[:2]))
    experts = []
    for step in range(4):
        experts.append(curriculum.lesson(0, step).num_experts)
        curriculum.learn(None, 1 / 3)
    assert experts == [3, 3, 6, 6]
    agent = BadgerAgent(GRUPolicy(), RandomTopology(2), HardwiredMembrane())
    with pytest.raises(ValueError, match="num_outputs=4 and num_experts=3 in stage 0"):
        MetaLearner(agent, GuessingGame(), curriculum=examples.DoublingExperts(first=3))


def test_the_task(examples: ModuleType) -> None:
    with double_precision():
        task = examples.HotAndCold().sample(3, 2, seeded(0))
        assert_task_is_pure(task)
        assert_tasks_independent(task)
        assert_target_is_right(task)
    state, _ = task.reset()
    for action, warmer in ((task.target / 2, 1.0), (torch.zeros_like(task.target), 0.0)):
        state, observation, _ = task.step(state, action)
        assert (observation.feedback == warmer).all()


def test_together_they_make_an_agent_that_a_checkpoint_can_name(examples: ModuleType) -> None:
    with double_precision():
        agent = BadgerAgent(
            examples.ElmanPolicy(), examples.CycleTopology(), HardwiredMembrane(readers="one")
        )
        assert_agents_independent(agent, 5, 2)
        assert_pure(agent, 5, 2)
    again = from_config(to_config(agent))
    assert to_config(again) == to_config(agent)
    assert not isinstance(again.policy, GRUPolicy)
