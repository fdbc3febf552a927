"""A communication stage of your own."""

import torch
from torch import Tensor

from badger_graph import Channel, Communication
from badger_graph.communication import Round


class UntilAgreement(Communication):
    """Rounds go on until the states of an agent hardly change; each agent stops by itself.

    Source: Rosa et al. 2019, "Inner Loop", paragraph "Communication Stage".

    Args:
        tolerance: root mean square of the change of states at which an agent has agreed.
        most: rounds at most.
    """

    def __init__(
        self, tolerance: float = 0.05, most: int = 8, channel: Channel | None = None
    ) -> None:
        super().__init__(channel)
        self.tolerance = tolerance
        self.most = most

    def forward(self, round: Round, hidden: Tensor, batch_size: int) -> tuple[Tensor, Tensor]:
        after, speech = round(hidden)
        agreed = self._agreed(hidden, after, batch_size)
        for _ in range(self.most - 1):
            if agreed.all():
                break
            hidden = after
            next_hidden, next_speech = round(hidden)
            after = self._choose(agreed, hidden, next_hidden)
            speech = self._choose(agreed, speech, next_speech)
            agreed = agreed | self._agreed(hidden, after, batch_size)
        return after, speech

    def _agreed(self, before: Tensor, after: Tensor, batch_size: int) -> Tensor:
        change = (after - before).detach().view(batch_size, -1)
        return change.square().mean(dim=1).sqrt() < self.tolerance

    def _choose(self, agreed: Tensor, before: Tensor, after: Tensor) -> Tensor:
        old, new = (value.reshape(len(agreed), -1) for value in (before, after))
        return torch.where(agreed[:, None], old, new).view_as(after)
