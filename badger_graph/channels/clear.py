"""The channel that does nothing."""

from __future__ import annotations

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from badger_graph.channels.base import Channel


@final
class ClearChannel(Channel):
    """Messages arrive as they were sent."""

    def forward(
        self, sent: Float[Tensor, "V M"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "V M"]:
        return sent
