"""What every membrane is: the only contact of experts with the world."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from badger_graph.typing import Observation


class Membrane(nn.Module, ABC):
    """Brings observations and feedback in, and actions out (the paper's word, section
    "Multi-Agent Reinforcement Learning").

    The number of experts and of outputs may change at every reset of the agent.
    """

    percept_size: ClassVar[int]
    """Channels that every expert perceives; an expert policy is built for this number."""

    @abstractmethod
    def check(self, num_experts: int, num_outputs: int) -> None:
        """Raise a ValueError when so many experts cannot serve so many outputs."""

    @abstractmethod
    def perceive(
        self, observation: Observation, action: Float[Tensor, "B d"], num_experts: int
    ) -> Float[Tensor, "B N P"]:
        """What each expert perceives of an observation and of the agent's own last action."""

    @abstractmethod
    def act(self, said: Float[Tensor, "B N"], num_outputs: int) -> Float[Tensor, "B d"]:
        """The agent's action, made of what those experts say that it listens to."""
