"""A policy of your own with two kinds of experts."""

import torch
from torch import Tensor

from badger_graph import GRUPolicy, MessagePolicy


class TwoKinds(MessagePolicy):
    """Experts take turns in running one of two recurrent policies, each with its own weights.

    What tells an expert apart is its identifier and its kind: expert n is of kind n modulo 2.
    """

    num_kinds = 2

    def __init__(
        self, percept_size: int, identifier_size: int, hidden_size: int, message_size: int = 16
    ) -> None:
        sizes = (percept_size, identifier_size, hidden_size, message_size)
        super().__init__(*sizes)
        self.kinds = torch.nn.ModuleList(GRUPolicy(*sizes) for _ in range(self.num_kinds))

    def traits(self, identifier: Tensor, kind: Tensor) -> tuple[Tensor, Tensor]:
        return identifier, kind[:, None]

    def emit(self, hidden: Tensor, traits: tuple[Tensor, Tensor]) -> Tensor:
        return self._own(traits, [one.emit(hidden, traits[0]) for one in self.kinds])

    def next_hidden(
        self, hidden: Tensor, received: Tensor, percept: Tensor, traits: tuple[Tensor, Tensor]
    ) -> Tensor:
        inputs = (hidden, received, percept, traits[0])
        return self._own(traits, [one.next_hidden(*inputs) for one in self.kinds])

    def speak(self, hidden: Tensor, traits: tuple[Tensor, Tensor]) -> Tensor:
        return self._own(traits, [one.speak(hidden, traits[0]) for one in self.kinds])

    def _own(self, traits: tuple[Tensor, Tensor], by_kind: list[Tensor]) -> Tensor:
        """Of every expert what its own policy makes."""
        first, second = by_kind
        return torch.where(traits[1] == 0, first, second)
