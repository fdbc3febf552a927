"""The inner loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from lightning_utilities import apply_to_collection
from torch import Tensor
from torch.utils.checkpoint import checkpoint
from torch_geometric.data import Batch

from badger_graph.agent import BadgerAgent
from badger_graph.birth import Birth
from badger_graph.checks import refuse
from badger_graph.life import Life
from badger_graph.pyg import to_pyg
from badger_graph.tasks import Task
from badger_graph.tasks.base import State
from badger_graph.typing import Observation
from topologies.base import default_generator
from topologies.checks import EXPERTS, check_numbers, checked, size

Probe = Callable[[Life], None]
"""Called with the living agents after every inner-loop step."""


class Moment(NamedTuple):
    """One inner-loop step in the lives of B agents.

    Shapes:
        - **loss:** ``[B]``, the error of ``life.action``
    """

    life: Life
    loss: Float[Tensor, " B"]


class Rollout(NamedTuple):
    """What came of T steps in the lives of B agents.

    Shapes:
        - **loss:** ``[T, B]``, the error of each step's action
        - **action**, and **score**, which it was made of: ``[T, B, d]``
    """

    loss: Float[Tensor, "T B"]
    action: Float[Tensor, "T B d"]
    life: Life
    task: Task
    score: Float[Tensor, "T B d"]

    @property
    def graph(self) -> Batch:
        """The agents in the end, as a PyG graph."""
        return to_pyg(self.life)


@checked(num_experts=EXPERTS)
def live(
    agent: BadgerAgent,
    task: Task,
    num_experts: int | None,
    generator: torch.Generator | None = None,
    life: Life | None = None,
    birth: Birth | None = None,
) -> Iterator[Moment]:
    """Let an agent live, without end: observe, communicate, act, receive feedback.

    The weights are not changed here: whatever the agent learns, it learns in its states. Under
    ``torch.no_grad()`` nothing is kept between steps, so a life may be of any length.

    Args:
        num_experts: none for as many as the membrane usually needs, or as ``life`` has.
        generator: source of the agent's random draws, on its device.
        life: agents to go on with, told how wrong their last action was; newborn ones by
            default.
        birth: how newborn ones are born; by the agent's own rules by default.

    Raises:
        ValueError: from :meth:`BadgerAgent.reset`, or when ``life`` is of another size.
    """
    now = _begin(agent, task, num_experts, generator, life, birth)
    while True:
        now, loss = _step(agent, task, now, generator)
        yield Moment(now.life, loss)


@checked(
    num_experts=EXPERTS, num_steps=size(most=2**30), detach_every=size(), checkpoint_every=size()
)
def unroll(
    agent: BadgerAgent,
    task: Task,
    num_experts: int | None,
    num_steps: int,
    generator: torch.Generator | None = None,
    detach_every: int | None = None,
    checkpoint_every: int | None = None,
    probe: Probe | None = None,
    life: Life | None = None,
    birth: Birth | None = None,
) -> Rollout:
    """The first T steps of :func:`live`.

    Args:
        num_experts: none for as many as the membrane usually needs, or as ``life`` has.
        num_steps: T, unless the task says itself how long a life with it is.
        generator: source of the agent's random draws, on its device.
        detach_every: cut the gradient after so many steps (truncated backpropagation).
        checkpoint_every: keep the states at every so many steps only, and compute the steps
            between them once more for the gradient: less memory for about a third more time.
            Truncation alone saves none, the gradient is taken at the end.
        probe: sees the agents after every step; costs nothing when absent.
        life: agents to go on with, told how wrong their last action was; newborn ones by
            default.
        birth: how newborn ones are born; by the agent's own rules by default.

    Raises:
        ValueError: when ``num_steps``, ``detach_every`` or ``checkpoint_every`` is below 1, or
            from :func:`live`.
    """
    num_steps = task.num_steps or num_steps
    sizes = {"num_steps": num_steps, "batch_size": task.batch_size}
    check_numbers("the actions of a rollout", **sizes, num_outputs=task.num_outputs)
    if checkpoint_every is not None and not task.replayable:
        raise ValueError(
            "checkpoint_every takes steps once more, so the task must be replayable, got a "
            f"{type(task).__name__}"
        )
    now = _begin(agent, task, num_experts, generator, life, birth)
    stride = checkpoint_every or num_steps
    losses: list[Tensor] = []
    actions: list[Tensor] = []
    scores: list[Tensor] = []
    for first in range(0, num_steps, stride):
        steps = range(first, min(first + stride, num_steps))
        segment = _Segment(agent, task, now, steps, generator, detach_every, probe)
        if checkpoint_every is None:
            now, *parts = segment.run(probe)
        else:
            # A segment sets its generator back by itself.
            now, *parts = checkpoint(segment, use_reentrant=False, preserve_rng_state=False)
        losses += parts[0]
        actions += parts[1]
        scores += parts[2]
    loss, action = torch.stack(losses), torch.stack(actions)
    return Rollout(loss, action, now.life, task, torch.stack(scores))


class _Now(NamedTuple):
    """All that the next step starts from."""

    life: Life
    state: State
    observation: Observation


_Stretch = tuple[_Now, list[Tensor], list[Tensor], list[Tensor]]
"""Where some steps led; the errors, actions and scores of each."""


def _begin(
    agent: BadgerAgent,
    task: Task,
    num_experts: int | None,
    generator: torch.Generator | None,
    life: Life | None,
    birth: Birth | None,
) -> _Now:
    if life is not None and birth is not None:
        raise ValueError("agents that go on are not born, so birth must be none, got one with life")
    state, observation = task.reset(generator)
    if life is None:
        usual = (task.batch_size, num_experts, task.num_outputs)
        newborn = agent.reset(*usual, generator, task.num_inputs, birth)
        return _Now(newborn, state, observation)
    sizes = (task.batch_size, num_experts or life.num_experts, task.num_outputs, task.num_inputs)
    alive = (life.batch_size, life.num_experts, life.num_outputs, life.num_inputs)
    if alive != sizes:
        raise ValueError(
            "agents go on with as many experts, outputs and inputs as they have, and one task "
            f"each, got (B, N, d, n) = {alive} for {sizes}"
        )
    # They hear of what they did last, as if they had lived on.
    state, observation, _ = task.step(state, life.action, generator)
    return _Now(life, state, observation)


def _step(
    agent: BadgerAgent, task: Task, now: _Now, generator: torch.Generator | None
) -> tuple[_Now, Tensor]:
    life = agent.step(now.life, now.observation, generator)
    state, observation, loss = task.step(now.state, life.action, generator)
    if not isinstance(loss, Tensor) or loss.shape != life.action.shape[:1]:
        refuse(
            f"the error [B] of a {type(task).__name__}", loss, life.action.shape[:1], life.action
        )
    return _Now(life, state, observation), loss


@dataclass(eq=False)
class _Segment:
    """Some steps of a rollout, which can be taken again for the gradient, to the same bits."""

    agent: BadgerAgent
    task: Task
    now: _Now
    steps: range
    generator: torch.Generator | None
    detach_every: int | None
    probe: Probe | None
    before: Tensor | None = None

    def __call__(self) -> _Stretch:
        """Take them, the first time; later, with what was drawn then and unseen."""
        generator = self.generator or default_generator(self.now.life.hidden.device)
        if self.before is None:
            self.before = generator.get_state()
            return self.run(self.probe)
        after = generator.get_state()
        generator.set_state(self.before)
        try:
            return self.run(None)
        finally:
            generator.set_state(after)

    def run(self, probe: Probe | None) -> _Stretch:
        now = self.now
        losses, actions, scores = [], [], []
        for step in self.steps:
            if self.detach_every is not None and step and step % self.detach_every == 0:
                now = _detach(now)
            now, loss = _step(self.agent, self.task, now, self.generator)
            losses.append(loss)
            actions.append(now.life.action)
            scores.append(now.life.score)
            if probe is not None:
                probe(now.life)
        return now, losses, actions, scores


def _detach(now: _Now) -> _Now:
    life = now.life.with_hidden(now.life.hidden.detach())
    life = life._replace(score=life.score.detach(), action=life.action.detach())
    return _Now(life, *apply_to_collection(now[1:], Tensor, Tensor.detach))


class Recorder:
    """A probe that keeps every state and every message for analysis and pictures.

    Args:
        agent: whose messages to record.

    Shapes of :meth:`arrays`:
        - **hidden:** ``[T, B, N, H]``
        - **message:** ``[T, B, N, M]``, what each expert sends next
    """

    @checked()
    def __init__(self, agent: BadgerAgent) -> None:
        self._agent = agent
        self._hidden: list[Tensor] = []
        self._message: list[Tensor] = []

    def __call__(self, life: Life) -> None:
        experts = (life.batch_size, -1)
        self._hidden.append(life.hidden.detach().unflatten(0, experts))
        message = self._agent.policy.messages(life.hidden, life.traits)
        self._message.append(message.detach().unflatten(0, experts))

    def arrays(self) -> dict[str, Tensor]:
        return {"hidden": torch.stack(self._hidden), "message": torch.stack(self._message)}
