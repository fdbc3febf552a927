"""An expert policy of your own."""

import torch
from torch import Tensor, nn

from badger_graph import MessagePolicy


class ElmanPolicy(MessagePolicy):
    """The simplest recurrent policy: h' = tanh(W [h, mean message, percept, identifier] + b)."""

    def __init__(
        self, percept_size: int, identifier_size: int, hidden_size: int, message_size: int = 16
    ) -> None:
        super().__init__(percept_size, identifier_size, hidden_size, message_size)
        inputs = hidden_size + message_size + percept_size + identifier_size
        self.message_linear = nn.Linear(hidden_size, message_size)
        self.cell = nn.Linear(inputs, hidden_size)
        self.readout = nn.Linear(hidden_size, 1)

    def emit(self, hidden: Tensor, traits: Tensor) -> Tensor:
        return self.message_linear(hidden)

    def next_hidden(
        self, hidden: Tensor, received: Tensor, percept: Tensor, traits: Tensor
    ) -> Tensor:
        return self.cell(torch.cat([hidden, received, percept, traits], dim=-1)).tanh()

    def speak(self, hidden: Tensor, traits: Tensor) -> Tensor:
        return self.readout(hidden)
