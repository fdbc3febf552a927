"""The channel that loses messages."""

from __future__ import annotations

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from badger_graph.channels.base import Channel
from topologies.checks import PROBABILITY, checked


@final
class LossyChannel(Channel):
    """In every round some experts are not heard: their message is lost, which is zeros.

    A message is lost to all who would hear it, in training as well as after it.

    Args:
        probability: of each message to be lost.

    Raises:
        ValueError: when it is no probability.
    """

    @checked(probability=PROBABILITY)
    def __init__(self, probability: float = 0.2) -> None:
        super().__init__()
        self.probability = probability

    def forward(
        self, sent: Float[Tensor, "V M"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "V M"]:
        shape = (len(sent), 1)
        drawn = torch.rand(shape, generator=generator, device=sent.device, dtype=sent.dtype)
        return sent * (drawn >= self.probability)
