"""A gated recurrent policy whose states may grow."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from badger_graph.policies.aggregation import Aggregation
from badger_graph.policies.gru import GRUPolicy
from badger_graph.policies.message import MessagePolicy
from topologies.checks import POSITIVE, checked


class ExponentialPolicy(MessagePolicy):
    r"""The Micro-Badger policy with a state that keeps a part of itself and adds the new one.

    .. math::
        h_i' = \mathrm{keep} \cdot h_i + \mathrm{add} \cdot \mathrm{GRU}([\bar m_i, p_i], h_i)

    Source: Šimánek (blog), "Mutual Information": ``hid = 0.5*hid0 + 0.7*(...)``, an update that
    adds up to more than one and removes the first plateau.

    Args:
        percept_size: channels that the membrane gives an expert.
        identifier_size: channels that tell experts apart; 0 for none.
        hidden_size: size H of an expert's state.
        message_size: size M of a message.
        gain: factor of all weights at the start.
        keep: part of the old state that stays.
        add: factor of the new state.
        aggregation: what an expert hears of several messages: mean, max, min or softmax; see
            :class:`badger_graph.MessagePolicy`.

    Raises:
        ValueError: when a size is too small, ``gain`` not positive, a factor not finite, or
            there is no such aggregation.
    """

    @checked(gain=POSITIVE)
    def __init__(
        self,
        percept_size: int,
        identifier_size: int,
        hidden_size: int,
        message_size: int = 16,
        gain: float = 1.0,
        keep: float = 0.5,
        add: float = 0.7,
        aggregation: Aggregation = "mean",
    ) -> None:
        super().__init__(percept_size, identifier_size, hidden_size, message_size, aggregation)
        self.gru = GRUPolicy(percept_size, identifier_size, hidden_size, message_size, gain)
        self.gain = gain
        self.keep = keep
        self.add = add

    def emit(self, hidden: Float[Tensor, "V H"], traits: Tensor) -> Float[Tensor, "V M"]:
        return self.gru.emit(hidden, traits)

    def next_hidden(
        self,
        hidden: Float[Tensor, "V H"],
        received: Float[Tensor, "V M"],
        percept: Float[Tensor, "V P"],
        traits: Float[Tensor, "V I"],
    ) -> Float[Tensor, "V H"]:
        remainder = self.keep * hidden
        return remainder + self.add * self.gru.next_hidden(hidden, received, percept, traits)

    def speak(self, hidden: Float[Tensor, "V H"], traits: Tensor) -> Float[Tensor, "V 1"]:
        return self.gru.speak(hidden, traits)
