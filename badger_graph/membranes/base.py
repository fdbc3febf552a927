"""What every membrane is: the only contact of experts with the world."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Literal

from jaxtyping import Float
from torch import Tensor, nn

from badger_graph.life import Life
from badger_graph.typing import Observation


class Membrane(nn.Module, ABC):
    """Brings observations and feedback in, and actions out (the paper's word, section
    "Multi-Agent Reinforcement Learning").

    The number of experts and of outputs may change at every reset of the agent.
    """

    percept_size: int | tuple[int, ...]
    """What every expert perceives: so many channels, or so many of each kind; an expert policy is
    built for this number."""

    address_size: int = 0
    """Channels that tell the outputs apart; 0 where nobody needs to find them."""

    addresses: Literal["random", "fixed"] = "random"
    """``"random"``: redrawn for every output of every agent at every reset; ``"fixed"``: output j
    has the same in every life, a function of ``seed`` and j."""

    seed: int = 0
    """Seed of the fixed addresses."""

    @abstractmethod
    def check(self, num_experts: int, num_outputs: int) -> None:
        """Raise a ValueError when so many experts cannot serve so many outputs."""

    @abstractmethod
    def open(self, address: Float[Tensor, "B d A"], identifier: Float[Tensor, "B N I"]) -> Any:
        """What the membrane makes of addresses and identifiers, once in a life: its ports."""

    @abstractmethod
    def perceive(self, life: Life, observation: Observation) -> Any:
        """What each expert perceives of an observation and of the agent's own last action.

        Returns:
            ``[V, P]``, or what else a policy of this ``percept_size`` takes.
        """

    @abstractmethod
    def act(self, life: Life, said: Tensor) -> Float[Tensor, "B d"]:
        """The agent's next action, made of what the policy says to the world.

        Args:
            life: after the communication stage; its action is the last one.
            said: of a message policy ``[V]``, of each expert one number.
        """
