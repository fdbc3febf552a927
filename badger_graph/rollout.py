"""The inner loop."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from lightning_utilities import apply_to_collection
from torch import Tensor
from torch_geometric.data import Batch

from badger_graph.agent import BadgerAgent
from badger_graph.tasks import Task

Probe = Callable[[Batch], None]
"""Called with the graph of the agents after every inner-loop step."""


class Rollout(NamedTuple):
    """What came of T steps in the lives of B agents.

    Shapes:
        - **loss:** ``[T, B]``, the error of each step's action
        - **action:** ``[T, B, d]``
    """

    loss: Float[Tensor, "T B"]
    action: Float[Tensor, "T B d"]
    graph: Batch


def unroll(
    agent: BadgerAgent,
    task: Task,
    num_experts: int,
    num_steps: int,
    generator: torch.Generator | None = None,
    detach_every: int | None = None,
    probe: Probe | None = None,
) -> Rollout:
    """Let an agent live for T steps: observe, communicate, act, receive feedback.

    The weights are not changed here: whatever the agent learns, it learns in its states.

    Args:
        generator: source of the agent's random draws, on its device.
        detach_every: cut the gradient after so many steps (truncated backpropagation).
        probe: sees the graph after every step; costs nothing when absent.

    Raises:
        ValueError: when ``num_steps`` or ``detach_every`` is below 1, or from
            :meth:`BadgerAgent.reset`.
    """
    if num_steps < 1:
        raise ValueError(f"num_steps must be at least 1, got {num_steps}")
    if detach_every is not None and detach_every < 1:
        raise ValueError(f"detach_every must be at least 1, or none, got {detach_every}")
    graph = agent.reset(task.batch_size, num_experts, task.num_outputs, generator)
    state, observation = task.reset()
    losses, actions = [], []
    for step in range(num_steps):
        if detach_every is not None and step and step % detach_every == 0:
            graph = copy.copy(graph)  # a probe may have kept the other
            graph.hidden, graph.action = graph.hidden.detach(), graph.action.detach()
            state, observation = _detached(state), _detached(observation)
        graph, action = agent(graph, observation, generator)
        state, observation, loss = task.step(state, action)
        losses.append(loss)
        actions.append(action)
        if probe is not None:
            probe(graph)
    return Rollout(torch.stack(losses), torch.stack(actions), graph)


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


def _detached(value: Any) -> Any:
    return apply_to_collection(value, Tensor, Tensor.detach)
