"""The inner loop: what a rollout is made of, where its gradients end, and what a probe sees."""

from __future__ import annotations

import typing

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from properties import (
    assert_deterministic_by_seed,
    double_precision,
    every_executor,
    seeded,
    uniform,
)
from torch import Tensor

from badger_graph import (
    BadgerAgent,
    GRUPolicy,
    GuessingGame,
    HardwiredMembrane,
    Recorder,
    Task,
    unroll,
)
from badger_graph.executors.prepare import Executor
from topologies import IsolatedTopology, RandomTopology, Topology

N, D, B = 5, 2, 3


def make(topology: Topology | None = None, **arguments: typing.Any) -> BadgerAgent:
    torch.manual_seed(0)
    policy = GRUPolicy(identifier_size=3, hidden_size=6, message_size=4)
    return BadgerAgent(policy, topology or RandomTopology(k=2), HardwiredMembrane(), **arguments)


def some_task(batch_size: int = B, num_outputs: int = D, seed: int = 0) -> Task:
    return GuessingGame().sample(batch_size, num_outputs, seeded(seed))


def gradients(loss: Tensor, agent: BadgerAgent) -> tuple[Tensor, ...]:
    parameters = tuple(agent.parameters())
    return torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True)


# ------------------------------------------------------------------------------- the steps


def test_three_steps_are_three_manual_steps() -> None:
    """The agent acts on the feedback on its last action, at first on that on zeros."""
    agent, task = make(identifiers="random", initial_state="random"), some_task()
    rollout = unroll(agent, task, N, 3, seeded(4))

    generator = seeded(4)
    graph = agent.reset(B, N, D, generator)
    state, observation = task.reset()
    for step in range(3):
        graph, action = agent(graph, observation, generator)
        state, observation, loss = task.step(state, action)
        assert torch.equal(rollout.action[step], action)
        assert torch.equal(rollout.loss[step], loss)
    assert torch.equal(rollout.graph.hidden, graph.hidden)


def test_the_error_is_that_of_the_action() -> None:
    task = some_task()
    rollout = unroll(make(), task, N, 4, seeded(0))
    torch.testing.assert_close(rollout.loss, (rollout.action - task.target).square().mean(dim=-1))


def test_a_longer_rollout_starts_with_the_shorter_one() -> None:
    agent, task = make(), some_task()
    short, long = (unroll(agent, task, N, steps, seeded(0)) for steps in (2, 5))
    assert torch.equal(long.loss[:2], short.loss)


def test_a_rollout_leaves_weights_and_targets_alone() -> None:
    agent, task = make(), some_task()
    weights = [parameter.clone() for parameter in agent.parameters()]
    target = task.target.clone()
    unroll(agent, task, N, 4, seeded(0)).loss.sum().backward()
    assert all(torch.equal(a, b) for a, b in zip(agent.parameters(), weights, strict=True))
    assert torch.equal(task.target, target)


def test_feedback_is_what_agents_act_on() -> None:
    """Other numbers to guess: the same first step only where the feedback is the same."""
    agent, task = make(), some_task()
    mirrored = type(task)(-task.target, GuessingGame())
    first, other = (unroll(agent, t, N, 3, seeded(0)) for t in (task, mirrored))
    assert torch.equal(first.action[0], other.action[0])  # the same error on zeros
    assert not torch.allclose(first.action[1], other.action[1])


@given(
    batch_size=st.integers(1, 4),
    num_experts=st.integers(3, 9),
    num_outputs=st.integers(1, 3),
    num_steps=st.integers(1, 4),
)
def test_shapes(batch_size: int, num_experts: int, num_outputs: int, num_steps: int) -> None:
    task = some_task(batch_size, num_outputs)
    rollout = unroll(make(), task, num_experts, num_steps, seeded(0))
    assert rollout.loss.shape == (num_steps, batch_size)
    assert rollout.action.shape == (num_steps, batch_size, num_outputs)
    assert rollout.graph.num_graphs == batch_size


def test_the_generator_decides() -> None:
    agent = make(RandomTopology(2, "agent"), identifiers="random", initial_state="random")
    assert_deterministic_by_seed(lambda seed: unroll(agent, some_task(), N, 3, seeded(seed)).loss)


def test_on_every_device(device: torch.device) -> None:
    agent = make().to(device)
    task = GuessingGame().sample(B, D, seeded(0, device))
    rollout = unroll(agent, task, N, 3, seeded(0, device), detach_every=2)
    assert rollout.loss.device.type == device.type
    rollout.loss.sum().backward()
    assert all(p.grad is not None and p.grad.device.type == device.type for p in agent.parameters())


@every_executor
@pytest.mark.parametrize("rounds", [1, 2])
def test_the_gradient_of_a_rollout_is_right(executor: Executor, rounds: int) -> None:
    """Through messages, states, actions, feedback and the agent's view of its own action."""
    with double_precision():
        agent, task = make(executor=executor, rounds=rounds), some_task()

        def error() -> Tensor:
            return unroll(agent, task, N, 4, seeded(0)).loss.mean()

        parameters = list(agent.parameters())
        directions = [uniform(seed, *p.shape) for seed, p in enumerate(parameters)]

        def moved(distance: float) -> Tensor:
            with torch.no_grad():
                for parameter, direction in zip(parameters, directions, strict=True):
                    parameter += distance * direction
                return error()

        slope = sum(
            (gradient * direction).sum()
            for gradient, direction in zip(gradients(error(), agent), directions, strict=True)
        )
        above, below = moved(1e-5), moved(-2e-5)
        torch.testing.assert_close(slope, (above - below) / 2e-5, rtol=1e-6, atol=1e-9)


# ------------------------------------------------------------------- truncated backpropagation


@pytest.mark.parametrize("detach_every", [1, 2, 3])
def test_truncation_leaves_the_forward_pass_alone(detach_every: int) -> None:
    agent, task = make(), some_task()
    whole = unroll(agent, task, N, 6, seeded(0))
    cut = unroll(agent, task, N, 6, seeded(0), detach_every)
    assert torch.equal(cut.loss, whole.loss)
    assert torch.equal(cut.action, whole.action)
    assert torch.equal(cut.graph.hidden, whole.graph.hidden)


@pytest.mark.parametrize(("detach_every", "num_steps"), [(1, 3), (2, 4), (2, 5), (3, 5)])
def test_truncation_cuts_the_gradient_exactly(detach_every: int, num_steps: int) -> None:
    """The gradient is the sum over segments that start from what came before as plain numbers."""
    with double_precision():
        agent, task = make(), some_task()
        cut = gradients(
            unroll(agent, task, N, num_steps, seeded(0), detach_every).loss.sum(), agent
        )

        graph, (state, observation) = agent.reset(B, N, D, seeded(0)), task.reset()
        expected = [torch.zeros_like(parameter) for parameter in agent.parameters()]
        segment = torch.zeros(())
        for step in range(num_steps):
            graph, action = agent(graph, observation)
            state, observation, loss = task.step(state, action)
            segment = segment + loss.sum()
            if (step + 1) % detach_every == 0 or step + 1 == num_steps:
                for total, part in zip(expected, gradients(segment, agent), strict=True):
                    total += part
                graph.hidden, graph.action = graph.hidden.detach(), graph.action.detach()
                observation = type(observation)(*(field.detach() for field in observation))
                segment = torch.zeros(())
        torch.testing.assert_close(cut, tuple(expected), rtol=1e-9, atol=1e-12)

        whole = gradients(unroll(agent, task, N, num_steps, seeded(0)).loss.sum(), agent)
        assert not all(torch.allclose(a, b) for a, b in zip(cut, whole, strict=True))


def test_truncation_beyond_the_end_is_none() -> None:
    agent, task = make(), some_task()
    for detach_every in (3, 4, 100):
        cut = gradients(unroll(agent, task, N, 3, seeded(0), detach_every).loss.sum(), agent)
        whole = gradients(unroll(agent, task, N, 3, seeded(0)).loss.sum(), agent)
        assert all(torch.equal(a, b) for a, b in zip(cut, whole, strict=True))


# --------------------------------------------------------------------------------------- probe


@pytest.mark.parametrize("detach_every", [None, 2])
def test_a_probe_sees_every_step_and_changes_nothing(detach_every: int | None) -> None:
    agent, task = make(), some_task()
    seen: list[typing.Any] = []
    probed = unroll(agent, task, N, 4, seeded(0), detach_every, probe=seen.append)
    alone = unroll(agent, task, N, 4, seeded(0), detach_every)
    assert torch.equal(probed.loss, alone.loss)
    pairs = zip(
        gradients(probed.loss.sum(), agent), gradients(alone.loss.sum(), agent), strict=True
    )
    assert all(torch.equal(a, b) for a, b in pairs)
    assert len(seen) == 4
    for graph, action in zip(seen, probed.action, strict=True):
        assert torch.equal(graph.action, action)
    assert seen[-1].hidden is probed.graph.hidden


def test_what_a_probe_keeps_is_not_cut_afterwards() -> None:
    """Truncation works on the next step's graph, not on the one that the probe was given."""
    seen: list[typing.Any] = []
    unroll(make(), some_task(), N, 4, seeded(0), 1, probe=seen.append)
    assert all(graph.hidden.requires_grad for graph in seen)


@pytest.mark.parametrize("topology", [RandomTopology(k=2), IsolatedTopology()], ids=repr)
def test_a_recorder_keeps_states_and_messages(topology: Topology) -> None:
    agent, task = make(topology), some_task()
    recorder, seen = Recorder(agent), []

    def probe(graph: typing.Any) -> None:
        recorder(graph)
        seen.append(graph.hidden)

    unroll(agent, task, N, 4, seeded(0), probe=probe)
    recorded = recorder.arrays()
    assert recorded["hidden"].shape == (4, B, N, 6)
    assert recorded["message"].shape == (4, B, N, 4)
    assert not any(tensor.requires_grad for tensor in recorded.values())
    for t, hidden in enumerate(seen):
        assert torch.equal(recorded["hidden"][t].flatten(0, 1), hidden)
        sent = agent.policy.emit(hidden)
        torch.testing.assert_close(recorded["message"][t].flatten(0, 1), sent)


# --------------------------------------------------------------------------------- wrong input


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_steps": 0}, "num_steps must be at least 1, got 0"),
        ({"num_steps": -2}, "num_steps must be at least 1, got -2"),
        ({"detach_every": 0}, "detach_every must be at least 1, or none, got 0"),
        ({"num_experts": 0}, "num_experts must be at least 1, got 0"),
        ({"num_experts": 1}, "got num_outputs=2 and num_experts=1"),
    ],
)
def test_rollouts_that_cannot_be(arguments: typing.Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        unroll(make(), some_task(), **{"num_experts": N, "num_steps": 3, **arguments})
