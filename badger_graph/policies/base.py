"""What every expert policy is: the weights that all experts share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from badger_graph.executors.base import Wiring
from topologies.checks import POSITIVE, check


class ExpertPolicy(nn.Module, ABC):
    """The policy that every expert of an agent runs, each on its own hidden state.

    No weight depends on the number of experts. A policy whose messages travel along edges derives
    from :class:`badger_graph.policies.message.MessagePolicy`.
    """

    percept_size: int | tuple[int, ...]
    """What the membrane must show: so many channels, or so many of each kind."""

    identifier_size: int
    """Channels that tell experts apart; 0 for none."""

    hidden_size: int
    """Size H of an expert's state."""

    @abstractmethod
    def traits(self, identifier: Float[Tensor, "V I"]) -> Any:
        """What the policy makes of identifiers, once in a life; the rounds take it."""

    @abstractmethod
    def forward(
        self, hidden: Float[Tensor, "V H"], percept: Any, traits: Any, wiring: Wiring
    ) -> tuple[Float[Tensor, "V H"], Tensor]:
        """One communication round: the next states, and what is said to the world."""

    @abstractmethod
    def messages(self, hidden: Float[Tensor, "V H"], traits: Any) -> Float[Tensor, "V M"]:
        """What each expert sends in the next round, for pictures and analysis."""


def scale_weights(module: nn.Module, gain: float) -> None:
    """Multiply all weights and biases at the start by one factor.

    Raises:
        ValueError: when it is not positive.
    """
    check("gain", gain, *POSITIVE)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(gain)
