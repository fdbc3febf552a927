"""The gated recurrent policy of Micro-Badger."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from badger_graph.policies.aggregation import Aggregation
from badger_graph.policies.base import scale_weights
from badger_graph.policies.message import MessagePolicy
from topologies.checks import POSITIVE, checked, limited_weights


class GRUPolicy(MessagePolicy):
    r"""A gated recurrent unit in every expert: the Micro-Badger policy.

    .. math::
        m_j = W_2 \tanh(W_1 h_j + b_1) + b_2, \qquad
        h_i' = \mathrm{GRU}\big([\bar m_i,\, p_i],\, h_i\big), \qquad
        y_i = w_o \cdot h_i + b_o

    with :math:`\bar m_i` the mean message of the in-neighbours, or another aggregation, and
    :math:`p_i` the percept.

    Source: Šimánek, "Why is Badger hard to train" (GoodAI blog), section "Micro-Badger": a
    recurrent network with the same weights in every expert; the gates as in Cho et al. 2014.

    Args:
        percept_size: channels that the membrane gives an expert.
        identifier_size: channels that tell experts apart; 0 for none.
        hidden_size: size H of an expert's state.
        message_size: size M of a message.
        gain: factor of all weights at the start. With 1.65, as in the authors' code of Rosa et al.
            2019, states differ more from the beginning, and the first plateau is shorter.
        aggregation: what an expert hears of several messages: mean, max, min or softmax; see
            :class:`badger_graph.MessagePolicy`.

    Raises:
        ValueError: when a size is too small, ``gain`` not positive, or there is no such
            aggregation.
    """

    @checked(gain=POSITIVE)
    @limited_weights
    def __init__(
        self,
        percept_size: int,
        identifier_size: int,
        hidden_size: int,
        message_size: int = 16,
        gain: float = 1.0,
        aggregation: Aggregation = "mean",
    ) -> None:
        super().__init__(percept_size, identifier_size, hidden_size, message_size, aggregation)
        self.message_mlp = nn.Sequential(
            nn.Linear(hidden_size, 2 * hidden_size),
            nn.Tanh(),
            nn.Linear(2 * hidden_size, message_size),
        )
        self.cell = nn.GRUCell(message_size + percept_size + identifier_size, hidden_size)
        self.readout = nn.Linear(hidden_size, 1)
        self.gain = gain
        scale_weights(self, gain)

    def emit(self, hidden: Float[Tensor, "V H"], traits: Tensor) -> Float[Tensor, "V M"]:
        return self.message_mlp(hidden)

    def next_hidden(
        self,
        hidden: Float[Tensor, "V H"],
        received: Float[Tensor, "V M"],
        percept: Float[Tensor, "V P"],
        traits: Float[Tensor, "V I"],
    ) -> Float[Tensor, "V H"]:
        return self.cell(torch.cat([received, percept, traits], dim=-1), hidden)

    def speak(self, hidden: Float[Tensor, "V H"], traits: Tensor) -> Float[Tensor, "V 1"]:
        return self.readout(hidden)

    def weights(self) -> tuple[Tensor, ...]:
        """The weights of a round, for the fused executor: of the two message layers, the gates and
        the readout, each followed by its bias.
        """
        one: Any
        two: Any
        one, _, two = self.message_mlp
        cell, readout = self.cell, self.readout
        return (
            *(one.weight, one.bias, two.weight, two.bias),
            *(cell.weight_ih, cell.bias_ih, cell.weight_hh, cell.bias_hh),
            *(readout.weight, readout.bias),
        )
