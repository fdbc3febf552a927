"""The inner loop."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float
from lightning_utilities import apply_to_collection
from torch import Tensor
from torch.utils.checkpoint import checkpoint
from torch_geometric.data import Batch

from badger_graph.agent import BadgerAgent
from badger_graph.tasks import Task
from badger_graph.tasks.base import State
from badger_graph.typing import Observation

Probe = Callable[[Batch], None]
"""Called with the graph of the agents after every inner-loop step."""


class Moment(NamedTuple):
    """One inner-loop step in the lives of B agents, and all that the next one starts from.

    Shapes:
        - **loss:** ``[B]``, the error of ``graph.action``; ``None`` at birth
    """

    graph: Batch
    state: State
    observation: Observation
    loss: Float[Tensor, " B"] | None


class Rollout(NamedTuple):
    """What came of T steps in the lives of B agents.

    Shapes:
        - **loss:** ``[T, B]``, the error of each step's action
        - **action:** ``[T, B, d]``
    """

    loss: Float[Tensor, "T B"]
    action: Float[Tensor, "T B d"]
    graph: Batch


def live(
    agent: BadgerAgent,
    task: Task,
    num_experts: int,
    generator: torch.Generator | None = None,
    graph: Batch | None = None,
) -> Iterator[Moment]:
    """Let an agent live, without end: observe, communicate, act, receive feedback.

    The weights are not changed here: whatever the agent learns, it learns in its states. Under
    ``torch.no_grad()`` nothing is kept between steps, so a life may be of any length.

    Args:
        generator: source of the agent's random draws, on its device.
        graph: agents to go on with; newborn ones by default.

    Raises:
        ValueError: from :meth:`BadgerAgent.reset`, or when ``graph`` is of another size.
    """
    moment = _begin(agent, task, num_experts, generator, graph)
    while True:
        moment = _step(agent, task, moment, generator)
        yield moment


def unroll(
    agent: BadgerAgent,
    task: Task,
    num_experts: int,
    num_steps: int,
    generator: torch.Generator | None = None,
    detach_every: int | None = None,
    checkpoint_every: int | None = None,
    probe: Probe | None = None,
    graph: Batch | None = None,
) -> Rollout:
    """The first T steps of :func:`live`.

    Args:
        generator: source of the agent's random draws, on its device.
        detach_every: cut the gradient after so many steps (truncated backpropagation).
        checkpoint_every: keep the states at every so many steps only, and compute the steps
            between them once more for the gradient: less memory for about a third more time.
            Truncation alone saves none, the gradient is taken at the end.
        probe: sees the graph after every step; costs nothing when absent.
        graph: agents to go on with; newborn ones by default.

    Raises:
        ValueError: when ``num_steps``, ``detach_every`` or ``checkpoint_every`` is below 1, or
            from :func:`live`.
    """
    if num_steps < 1:
        raise ValueError(f"num_steps must be at least 1, got {num_steps}")
    for name, every in (("detach_every", detach_every), ("checkpoint_every", checkpoint_every)):
        if every is not None and every < 1:
            raise ValueError(f"{name} must be at least 1, or none, got {every}")
    moment = _begin(agent, task, num_experts, generator, graph)
    stride = checkpoint_every or num_steps
    losses: list[Tensor] = []
    actions: list[Tensor] = []
    for first in range(0, num_steps, stride):
        steps = range(first, min(first + stride, num_steps))
        segment = _Segment(agent, task, moment, steps, generator, detach_every, probe)
        if checkpoint_every is None:
            moment, loss, action = segment()
        else:
            # All randomness is the generator's, which a segment sets back by itself.
            moment, loss, action = checkpoint(segment, use_reentrant=False, preserve_rng_state=False)
        losses += loss
        actions += action
    return Rollout(torch.stack(losses), torch.stack(actions), moment.graph)


def _begin(
    agent: BadgerAgent,
    task: Task,
    num_experts: int,
    generator: torch.Generator | None,
    graph: Batch | None,
) -> Moment:
    if graph is None:
        graph = agent.reset(task.batch_size, num_experts, task.num_outputs, generator)
    batch_size, num_outputs = graph.action.shape
    sizes = (batch_size, len(graph.hidden) // batch_size, num_outputs)
    if sizes != (task.batch_size, num_experts, task.num_outputs):
        raise ValueError(
            "agents go on with as many experts and outputs as they have, and one task each, got "
            f"(B, N, d) = {sizes} for {(task.batch_size, num_experts, task.num_outputs)}"
        )
    return Moment(graph, *task.reset(), None)


def _step(
    agent: BadgerAgent, task: Task, moment: Moment, generator: torch.Generator | None
) -> Moment:
    graph, action = agent(moment.graph, moment.observation, generator)
    return Moment(graph, *task.step(moment.state, action))


class _Segment:
    """Some steps of a rollout, which can be taken again for the gradient, to the same bits."""

    def __init__(
        self,
        agent: BadgerAgent,
        task: Task,
        moment: Moment,
        steps: range,
        generator: torch.Generator | None,
        detach_every: int | None,
        probe: Probe | None,
    ) -> None:
        self.agent = agent
        self.task = task
        self.moment = moment
        self.steps = steps
        self.generator = generator
        self.detach_every = detach_every
        self.probe = probe
        self.before = None if generator is None else generator.get_state()
        self.taken = False

    def __call__(self) -> tuple[Moment, list[Tensor], list[Tensor]]:
        if not self.taken:
            self.taken = True
            return self._run(self.probe)
        if self.generator is None or self.before is None:
            return self._run(None)
        now = self.generator.get_state()
        self.generator.set_state(self.before)
        try:
            return self._run(None)
        finally:
            self.generator.set_state(now)

    def _run(self, probe: Probe | None) -> tuple[Moment, list[Tensor], list[Tensor]]:
        moment = self.moment
        losses, actions = [], []
        for step in self.steps:
            if self.detach_every is not None and step and step % self.detach_every == 0:
                moment = _detached(moment)
            moment = _step(self.agent, self.task, moment, self.generator)
            losses.append(moment.loss)
            actions.append(moment.graph.action)
            if probe is not None:
                probe(moment.graph)
        return moment, losses, actions


def _detached(moment: Moment) -> Moment:
    graph = copy.copy(moment.graph)  # a probe may have kept the other
    graph.hidden, graph.action = graph.hidden.detach(), graph.action.detach()
    state, observation = apply_to_collection(moment[1:3], Tensor, Tensor.detach)
    return Moment(graph, state, observation, None)


class Recorder:
    """A probe that keeps every state and every message for analysis and pictures.

    Args:
        agent: whose messages to record.

    Shapes of :meth:`arrays`:
        - **hidden:** ``[T, B, N, H]``
        - **message:** ``[T, B, N, M]``, what each expert sends next
    """

    def __init__(self, agent: BadgerAgent) -> None:
        self._agent = agent
        self._hidden: list[Tensor] = []
        self._message: list[Tensor] = []

    def __call__(self, graph: Batch) -> None:
        experts = (graph.num_graphs, -1)
        self._hidden.append(graph.hidden.detach().unflatten(0, experts))
        message = self._agent.policy.emit(graph.hidden)
        self._message.append(message.detach().unflatten(0, experts))

    def arrays(self) -> dict[str, Tensor]:
        return {"hidden": torch.stack(self._hidden), "message": torch.stack(self._message)}
