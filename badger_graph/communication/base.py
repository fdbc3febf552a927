"""What every communication stage is: the rounds inside one inner-loop step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn

from badger_graph.channels import Channel, ClearChannel

Round = Callable[[Tensor], tuple[Tensor, Tensor]]
"""One communication round: states ``[V, H]`` to the next ones, and to what is said to the world."""


class Communication(nn.Module, ABC):
    """Decides how many rounds there are before the agent acts, and over which channel.

    Args:
        channel: what happens to messages under way; they arrive as sent by default.

    Source: Rosa et al. 2019, "Inner Loop", paragraph "Communication Stage".
    """

    def __init__(self, channel: Channel | None = None) -> None:
        super().__init__()
        self.channel = channel or ClearChannel()

    @abstractmethod
    def forward(
        self, round: Round, hidden: Float[Tensor, "V H"], batch_size: int
    ) -> tuple[Float[Tensor, "V H"], Tensor]:
        """Let the experts exchange messages and update their states.

        Args:
            round: one round on their states, as often as it is called.
            hidden: their states at the beginning, agent after agent.
            batch_size: agents B.

        Returns:
            Their new states, and what is said to the world in the end: of a message policy
            ``[V]``, of an attentional one ``[B, d, H]``.
        """
