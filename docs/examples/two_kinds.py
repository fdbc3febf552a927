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
        self.first, self.second = GRUPolicy(*sizes), GRUPolicy(*sizes)

    def traits(self, identifier: Tensor, kind: Tensor) -> tuple[Tensor, Tensor]:
        return identifier, kind[:, None] == 0

    def emit(self, hidden: Tensor, traits: tuple[Tensor, Tensor]) -> Tensor:
        identifier, is_first = traits
        first, second = (one.emit(hidden, identifier) for one in (self.first, self.second))
        return torch.where(is_first, first, second)

    def next_hidden(
        self, hidden: Tensor, received: Tensor, percept: Tensor, traits: tuple[Tensor, Tensor]
    ) -> Tensor:
        identifier, is_first = traits
        inputs = (hidden, received, percept, identifier)
        first, second = (one.next_hidden(*inputs) for one in (self.first, self.second))
        return torch.where(is_first, first, second)

    def speak(self, hidden: Tensor, traits: tuple[Tensor, Tensor]) -> Tensor:
        identifier, is_first = traits
        first, second = (one.speak(hidden, identifier) for one in (self.first, self.second))
        return torch.where(is_first, first, second)
