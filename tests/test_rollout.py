"""The inner loop: what a rollout is made of, where its gradients end, and what a probe sees."""

from __future__ import annotations

import gc
import itertools
import typing
from typing import ClassVar

import pytest
import torch
from properties import (
    assert_gradient_is_right,
    double_precision,
    edited,
    every_executor,
    in_double,
    live_tensors,
    seeded,
    some_task,
    tensors,
)
from properties import small_agent as make
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef

from badger_graph import (
    BadgerAgent,
    Birth,
    Edges,
    FixedRounds,
    GuessingGame,
    Life,
    Recorder,
    from_pyg,
    to_pyg,
    unroll,
)
from badger_graph.executors.prepare import ExecutorName
from badger_graph.rollout import live
from topologies import IsolatedTopology, RandomTopology, Topology

N, D, B = 5, 2, 3


def detached(life: Life) -> Life:
    life = life.with_hidden(life.hidden.detach())
    return life._replace(action=life.action.detach(), score=life.score.detach())


def gradients(loss: Tensor, agent: BadgerAgent) -> tuple[Tensor, ...]:
    parameters = tuple(agent.parameters())
    return torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True)


class Rewired(Topology):
    """Dynamic: every expert hears another at every step, drawn by the generator."""

    dynamic: ClassVar[bool] = True

    def forward(self, hidden: Tensor, generator: torch.Generator | None = None) -> Edges:
        batch_size, num_experts, _ = hidden.shape
        target = torch.arange(batch_size * num_experts)
        heard = torch.randint(num_experts, target.shape, generator=generator)
        weight = torch.rand(target.shape, generator=generator, dtype=hidden.dtype)
        return Edges(torch.stack([heard + target // num_experts * num_experts, target]), weight)


# ------------------------------------------------------------------------------- the steps


def test_three_steps_are_three_manual_steps() -> None:
    """The agent acts on the feedback on its last action, at first on that on zeros."""
    agent, task = make(birth=Birth("random", initial_state="random")), some_task()
    rollout = unroll(agent, task, N, 3, seeded(4))

    generator = seeded(4)
    life = agent.reset(B, N, D, generator)
    state, observation = task.reset()
    for step in range(3):
        life = agent.step(life, observation, generator)
        state, observation, loss = task.step(state, life.action)
        assert torch.equal(rollout.action[step], life.action)
        assert torch.equal(rollout.loss[step], loss)
    assert torch.equal(rollout.life.hidden, life.hidden)
    assert torch.equal(rollout.graph.hidden, life.hidden)
    assert rollout.task is task


def test_on_every_device(device: torch.device) -> None:
    agent = make().to(device)
    task = GuessingGame().sample(B, D, seeded(0, device))
    rollout = unroll(agent, task, N, 3, seeded(0, device), detach_every=2)
    assert rollout.loss.device.type == device.type
    rollout.loss.sum().backward()
    assert all(p.grad is not None and p.grad.device.type == device.type for p in agent.parameters())


@every_executor
@pytest.mark.parametrize("rounds", [1, 2])
def test_the_gradient_of_a_rollout_is_right(executor: ExecutorName, rounds: int) -> None:
    """Through messages, states, actions, feedback and the agent's view of its own action."""
    with double_precision():
        agent, task = make(executor=executor, communication=FixedRounds(rounds)), some_task()
        assert_gradient_is_right(agent, lambda: unroll(agent, task, N, 4, seeded(0)).loss.mean())


# ------------------------------------------------------------------- truncated backpropagation


@pytest.mark.parametrize("detach_every", [1, 2, 3, 6, 100])
def test_truncation_leaves_the_forward_pass_alone(detach_every: int) -> None:
    """And, beyond the end, the gradient."""
    agent, task = make(), some_task()
    whole = unroll(agent, task, N, 6, seeded(0))
    cut = unroll(agent, task, N, 6, seeded(0), detach_every)
    assert torch.equal(cut.loss, whole.loss)
    assert torch.equal(cut.action, whole.action)
    assert torch.equal(cut.life.hidden, whole.life.hidden)
    found, expected = (gradients(one.loss.sum(), agent) for one in (cut, whole))
    assert all(map(torch.equal, found, expected)) == (detach_every >= 6)


@pytest.mark.parametrize(("detach_every", "num_steps"), [(1, 3), (2, 4), (2, 5), (3, 5)])
def test_truncation_cuts_the_gradient_exactly(detach_every: int, num_steps: int) -> None:
    """The gradient is the sum over segments that start from what came before as plain numbers."""
    with double_precision():
        agent, task = make(), some_task()
        cut = gradients(
            unroll(agent, task, N, num_steps, seeded(0), detach_every).loss.sum(), agent
        )

        life, (state, observation) = agent.reset(B, N, D, seeded(0)), task.reset()
        expected = [torch.zeros_like(parameter) for parameter in agent.parameters()]
        segment = torch.zeros(())
        for step in range(num_steps):
            life = agent.step(life, observation)
            state, observation, loss = task.step(state, life.action)
            segment = segment + loss.sum()
            if (step + 1) % detach_every == 0 or step + 1 == num_steps:
                for total, part in zip(expected, gradients(segment, agent), strict=True):
                    total += part
                life = detached(life)
                observation = type(observation)(*(field.detach() for field in observation))
                segment = torch.zeros(())
        torch.testing.assert_close(cut, tuple(expected), rtol=1e-9, atol=1e-12)

        whole = gradients(unroll(agent, task, N, num_steps, seeded(0)).loss.sum(), agent)
        assert not all(torch.allclose(a, b) for a, b in zip(cut, whole, strict=True))


# --------------------------------------------------------------------------------- checkpoints


DYNAMIC = {"birth": Birth("random", initial_state="random"), "topology": Rewired()}


@in_double
@every_executor
@pytest.mark.parametrize("checkpoint_every", [1, 3, 5, 7])
@pytest.mark.parametrize("detach_every", [None, 2])
@pytest.mark.parametrize(
    "settings", [{"communication": FixedRounds(2)}, DYNAMIC], ids=["static", "dynamic"]
)
def test_checkpoints_change_nothing(
    executor: ExecutorName,
    checkpoint_every: int,
    detach_every: int | None,
    settings: dict[str, typing.Any],
) -> None:
    """Not the errors, the gradients, the random numbers drawn, or how often a probe looks."""
    agent, task = make(executor=executor, **settings), some_task()

    def run(**arguments: typing.Any) -> tuple[typing.Any, ...]:
        generator, seen = seeded(0), []
        rollout = unroll(agent, task, N, 5, generator, detach_every, probe=seen.append, **arguments)
        drawn = generator.get_state()
        found = gradients(rollout.loss.sum(), agent)
        assert torch.equal(generator.get_state(), drawn)
        actions = torch.stack([life.action for life in seen])
        edges = torch.stack([life.edges.index for life in seen])
        hidden = rollout.life.hidden.detach()
        return rollout.loss.detach(), actions.detach(), edges, hidden, drawn, found

    actual, expected = run(checkpoint_every=checkpoint_every), run()
    torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-12)
    assert torch.equal(actual[0], expected[0])
    assert len(actual[1]) == 5
    rewired = len(expected[2].unique(dim=0)) > 1
    assert rewired == (settings is DYNAMIC)


@in_double
def test_checkpoints_allow_a_second_backward_pass() -> None:
    agent = make(**DYNAMIC)
    loss = unroll(agent, some_task(), N, 5, seeded(0), checkpoint_every=2).loss.sum()
    first = torch.autograd.grad(loss, [*agent.parameters()], retain_graph=True)
    assert all(map(torch.equal, gradients(loss, agent), first))


@in_double
def test_checkpoints_without_a_generator() -> None:
    """What is drawn from torch's own generator is drawn again, too."""
    agent, task = make(**DYNAMIC), some_task()

    def found(checkpoint_every: int | None) -> tuple[Tensor, ...]:
        torch.manual_seed(0)
        loss = unroll(agent, task, N, 5, checkpoint_every=checkpoint_every).loss.sum()
        return (loss.detach(), *gradients(loss, agent), torch.get_rng_state())

    torch.testing.assert_close(found(2), found(None), rtol=1e-12, atol=1e-12)


@every_executor
@pytest.mark.parametrize(("checkpoint_every", "kept"), [(None, 8), (1, 8), (3, 3), (4, 2), (9, 1)])
def test_checkpoints_keep_some_states_only(
    executor: ExecutorName, checkpoint_every: int | None, kept: int
) -> None:
    """The last of every segment, the last of all among them; nothing when the rollout is gone."""
    agent, seen = make(executor=executor), []

    def probe(life: Life) -> None:
        seen.append(StorageWeakRef(life.hidden.untyped_storage()))

    def alive() -> int:
        return sum(not storage.expired() for storage in seen)

    rollout = unroll(agent, some_task(), N, 8, checkpoint_every=checkpoint_every, probe=probe)
    assert alive() == kept
    rollout.loss.sum().backward()
    assert alive() == 1  # that of the life in the end
    del rollout
    assert alive() == 0


# ------------------------------------------------------------------------------- endless lives


@every_executor
@pytest.mark.parametrize("settings", [{}, DYNAMIC], ids=["static", "dynamic"])
def test_a_life_is_a_rollout_step_by_step(
    executor: ExecutorName, settings: dict[str, typing.Any]
) -> None:
    agent, task, seen = make(executor=executor, **settings), some_task(), []
    rollout = unroll(agent, task, N, 5, seeded(3), probe=seen.append)
    life = live(agent, task, N, seeded(3))
    for step, moment in enumerate(itertools.islice(life, 5)):
        assert torch.equal(moment.loss, rollout.loss[step])
        assert torch.equal(moment.life.action, rollout.action[step])
        assert torch.equal(moment.life.hidden, seen[step].hidden)
        assert torch.equal(moment.life.edges.index, seen[step].edges.index)


@every_executor
def test_agents_go_on_with_what_they_did_last(executor: ExecutorName) -> None:
    """States, edges and identifiers stay, and the first feedback is that on the last action."""
    agent, task = make(executor=executor, birth=Birth("random")), some_task()
    life = unroll(agent, task, N, 3, seeded(0)).life
    assert life.action.any()
    copies = {name: tensor.clone() for name, tensor in tensors(life).items()}
    onward = unroll(agent, task, N, 3, seeded(1), life=life)
    moments = list(itertools.islice(live(agent, task, N, seeded(2), life), 3))

    by_hand = life
    state, observation, _ = task.step(task.reset()[0], life.action)
    for step in range(3):
        by_hand = agent.step(by_hand, observation)
        state, observation, loss = task.step(state, by_hand.action)
        assert torch.equal(onward.loss[step], loss)
        assert torch.equal(moments[step].loss, loss)
        assert torch.equal(moments[step].life.hidden, by_hand.hidden)
    assert torch.equal(onward.life.hidden, by_hand.hidden)
    for name, tensor in tensors(life).items():
        assert torch.equal(tensor, copies[name]), f"{name} was overwritten"
    born_again = unroll(agent, task, N, 3, seeded(1))
    assert not torch.allclose(onward.loss, born_again.loss)
    whole = unroll(agent, task, N, 6, seeded(0))
    assert torch.equal(whole.loss[3:], onward.loss)


def test_agents_go_on_with_another_task_and_the_edges_they_were_given() -> None:
    agent = make()
    life = unroll(agent, some_task(), N, 2, seeded(0)).life
    seven = life.edges.index[:, :7]
    life = edited(agent, life, edge_index=seven, edge_weight=torch.ones(7))
    onward = unroll(agent, some_task(seed=1), N, 2, life=life)
    assert torch.equal(onward.life.edges.index, seven)
    other = unroll(agent, some_task(seed=2), N, 2, life=life)
    assert not torch.allclose(onward.loss, other.loss)


def test_agents_are_born_as_they_are_told() -> None:
    """By another birth than the agent's own, which it keeps."""
    agent, task, other = make(), some_task(), Birth("random", initial_state="random")
    told = unroll(agent, task, N, 2, seeded(0), birth=other)
    (moment,) = itertools.islice(live(agent, task, N, seeded(0), birth=other), 1)
    agent_so_born = make(birth=other)
    expected = unroll(agent_so_born, task, N, 2, seeded(0))
    assert torch.equal(told.loss, expected.loss)
    assert torch.equal(moment.loss, expected.loss[0])
    assert agent.birth == Birth()
    assert not torch.allclose(unroll(agent, task, N, 2, seeded(0)).loss, told.loss)


@in_double
def test_a_gradient_goes_back_through_earlier_lives() -> None:
    """Unless the life is cut off before; also through a graph."""
    agent, task = make(birth=Birth(initial_state="random")), some_task()
    first = unroll(agent, task, N, 2, seeded(0)).life
    for life in (first, from_pyg(agent, to_pyg(first))):
        loss = unroll(agent, task, N, 2, life=life).loss.sum()
        (through,) = torch.autograd.grad(loss, first.hidden, retain_graph=True)
        assert through.any()
    loss = unroll(agent, task, N, 2, life=detached(first)).loss.sum()
    with pytest.raises(RuntimeError, match="not have been used"):
        torch.autograd.grad(loss, first.hidden)


@every_executor
@torch.no_grad()
def test_a_long_life_in_constant_memory(executor: ExecutorName) -> None:
    others = live_tensors()  # held, or what other tests left could go meanwhile
    life = live(make(executor=executor), some_task(), N, seeded(0))

    def live_for(steps: int) -> tuple[int, int]:
        for moment in itertools.islice(life, steps):
            assert not moment.loss.requires_grad
        return len(live_tensors()), len(gc.get_objects())

    tensors, objects = live_for(10)
    tensors_later, objects_later = live_for(2000)
    assert tensors_later == tensors >= len(others)
    assert objects_later - objects < 100


# --------------------------------------------------------------------------------------- probe


@pytest.mark.parametrize("detach_every", [None, 2])
def test_a_probe_sees_every_step_and_changes_nothing(detach_every: int | None) -> None:
    agent, task = make(), some_task()
    seen: list[Life] = []
    probed = unroll(agent, task, N, 4, seeded(0), detach_every, probe=seen.append)
    alone = unroll(agent, task, N, 4, seeded(0), detach_every)
    assert torch.equal(probed.loss, alone.loss)
    found, expected = (gradients(one.loss.sum(), agent) for one in (probed, alone))
    assert all(map(torch.equal, found, expected))
    assert len(seen) == 4
    for life, action in zip(seen, probed.action, strict=True):
        assert torch.equal(life.action, action)
    assert seen[-1].hidden is probed.life.hidden


def test_what_a_probe_keeps_is_not_cut_afterwards() -> None:
    """Truncation works on the next step's life, not on the one that the probe was given."""
    seen: list[Life] = []
    unroll(make(), some_task(), N, 4, seeded(0), 1, probe=seen.append)
    assert all(life.hidden.requires_grad for life in seen)


@pytest.mark.parametrize("topology", [RandomTopology(k=2), IsolatedTopology()], ids=repr)
def test_a_recorder_keeps_states_and_messages(topology: Topology) -> None:
    agent, task = make(topology), some_task()
    recorder, seen = Recorder(agent), []
    unroll(agent, task, N, 4, seeded(0), probe=lambda life: (recorder(life), seen.append(life)))
    recorded = recorder.arrays()
    hidden = torch.stack([life.hidden for life in seen])
    message = torch.stack([agent.policy.emit(life.hidden, life.traits) for life in seen])
    assert torch.equal(recorded["hidden"], hidden.view(4, B, N, 6))
    torch.testing.assert_close(recorded["message"], message.detach().view(4, B, N, 4))
    assert not any(tensor.requires_grad for tensor in recorded.values())


# --------------------------------------------------------------------------------- wrong input


@pytest.mark.parametrize("sizes", [(B, N + 1, D), (B, N, D + 1), (B + 1, N, D)])
def test_agents_cannot_go_on_as_others(sizes: tuple[int, int, int]) -> None:
    agent = make()
    life = agent.reset(B, N, D, seeded(0))
    task = some_task(sizes[0], sizes[2])
    message = rf"as many experts, outputs and inputs as they have.* = \({B}, {N}, {D}, 0\) for "
    with pytest.raises(ValueError, match=message):
        unroll(agent, task, sizes[1], 2, life=life)
    with pytest.raises(ValueError, match=message):
        next(live(agent, task, sizes[1], life=life))


def test_only_what_is_replayable_is_computed_twice() -> None:
    task = some_task()
    task.replayable = False
    unroll(make(), task, N, 3)
    with pytest.raises(ValueError, match="the task must be replayable, got a GuessingTask"):
        unroll(make(), task, N, 3, checkpoint_every=1)
