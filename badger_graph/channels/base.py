"""What every channel is: the way of a message from who sends it to who hears it."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Channel(nn.Module, ABC):
    """Maps what experts send to what sets out along the edges; the same for all experts.

    A message is sent once, to all who hear its sender: what a channel does to it, it does for all.
    """

    @abstractmethod
    def forward(
        self, sent: Float[Tensor, "V M"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "V M"]:
        """The messages as they travel.

        Args:
            sent: of every expert, what its policy emits.
            generator: source of the random draws, on the device of ``sent``.
        """
