"""A communication stage of so many rounds."""

from __future__ import annotations

from typing import final

from jaxtyping import Float
from torch import Tensor

from badger_graph.channels import Channel
from badger_graph.communication.base import Communication, Round
from topologies.checks import checked, size


@final
class FixedRounds(Communication):
    """The same number of rounds in every step.

    Args:
        rounds: R.
        channel: what happens to messages under way; they arrive as sent by default.

    Raises:
        ValueError: when ``rounds`` is below 1.
    """

    @checked(rounds=size())
    def __init__(self, rounds: int = 1, channel: Channel | None = None) -> None:
        super().__init__(channel)
        self.rounds = rounds

    def forward(
        self, round: Round, hidden: Float[Tensor, "V H"], batch_size: int
    ) -> tuple[Float[Tensor, "V H"], Tensor]:
        speech = hidden
        for _ in range(self.rounds):
            hidden, speech = round(hidden)
        return hidden, speech
