"""What every task is: a world that an agent meets in its inner loop."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from badger_graph.typing import Observation

State = Any
"""What a task remembers between steps: a tensor, a tuple of tensors, or None."""


class Task(ABC):
    """One batch of sampled tasks. Pure: a step returns the next state and changes nothing.

    Args:
        target: the actions that make no error, ``[B, d]``; gives B, d and the device.
    """

    def __init__(self, target: Float[Tensor, "B d"]) -> None:
        self.target = target

    @property
    def batch_size(self) -> int:
        return self.target.size(0)

    @property
    def num_outputs(self) -> int:
        return self.target.size(1)

    @abstractmethod
    def reset(self) -> tuple[State, Observation]:
        """The first state and observation: the feedback on the action of all zeros."""

    @abstractmethod
    def step(
        self, state: State, action: Float[Tensor, "B d"]
    ) -> tuple[State, Observation, Float[Tensor, " B"]]:
        """Take an action; return the next state, the observation and the error."""


class TaskFamily(ABC):
    """A distribution of tasks."""

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


class SeparableFamily(TaskFamily, ABC):
    """Tasks whose error is the mean of the errors of their outputs."""

    @abstractmethod
    def output_errors(
        self, action: Float[Tensor, "*any d"], target: Float[Tensor, "*any d"]
    ) -> Float[Tensor, "*any d"]:
        """The error of each output; its mean over outputs is the error of the action."""
