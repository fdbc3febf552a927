"""What every task is: a world that an agent meets in its inner loop."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from badger_graph.typing import Interface, Observation

State = Any
"""What a task remembers between steps: a tensor, a tuple of tensors, or None."""


class Task(ABC):
    """One batch of sampled tasks. Pure: a step returns the next state and changes nothing."""

    batch_size: int
    """Tasks B, one for each agent."""

    num_outputs: int
    """Outputs d of each agent."""

    num_inputs: int = 0
    """Inputs n of each agent."""

    num_steps: int | None = None
    """Inner steps T of a life with it; none where that is for others to say."""

    stochastic: bool = False
    """Whether it draws anything in the course of a life."""

    replayable: bool = True
    """Whether a step can be taken again from the same state, as a gradient by checkpoints does."""

    def repeat(self, times: int) -> Task:
        """Each task so many times, one beside the other, for lives that can be compared.

        Raises:
            ValueError: when the task cannot be had twice.
        """
        raise ValueError(f"a {type(self).__name__} cannot be met by several agents of a batch")

    @abstractmethod
    def reset(self, generator: torch.Generator | None = None) -> tuple[State, Observation]:
        """The first state and observation, before any action, as if it had been all zeros.

        Args:
            generator: source of the random draws, on the device of the task.
        """

    @abstractmethod
    def step(
        self,
        state: State,
        action: Float[Tensor, "B d"],
        generator: torch.Generator | None = None,
    ) -> tuple[State, Observation, Float[Tensor, " B"]]:
        """Take an action; return the next state, the observation and the error."""


class TaskFamily(ABC):
    """A distribution of tasks."""

    interface: Interface
    """The channels between its tasks and an agent."""

    tells_outputs_alone: bool = False
    """Whether whatever it tells of errors is told to single outputs."""

    @property
    @abstractmethod
    def chance(self) -> float:
        """Expected error of an agent that always answers zero."""

    @abstractmethod
    def sample(
        self,
        batch_size: int,
        num_outputs: int,
        generator: torch.Generator | None = None,
    ) -> Task:
        """Sample a batch of tasks, on the device of the generator (without one: the CPU)."""


@runtime_checkable
class Targeted(Protocol):
    """A task with actions that make no error, which some measures ask for."""

    target: Float[Tensor, "B d"]


def target_of(task: Task) -> Float[Tensor, "B d"]:
    """The actions that make no error.

    Raises:
        ValueError: for a task that has none.
    """
    if not isinstance(task, Targeted):
        raise ValueError(
            f"guesses are compared with a target, so a task must have one, got a "
            f"{type(task).__name__}"
        )
    return task.target


class SeparableFamily(TaskFamily, ABC):
    """Tasks with targets, whose error is the mean of the errors of their outputs."""

    @abstractmethod
    def output_errors(
        self, action: Float[Tensor, "*any d"], target: Float[Tensor, "*any d"]
    ) -> Float[Tensor, "*any d"]:
        """The error of each output; its mean over outputs is the error of the action."""
