"""A gated recurrent policy that begins chaotic."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from badger_graph.policies.aggregation import Aggregation
from badger_graph.policies.gru import GRUPolicy
from badger_graph.policies.message import MessagePolicy
from topologies.checks import NOT_NEGATIVE, POSITIVE, checked


class ChaoticPolicy(MessagePolicy):
    r"""The Micro-Badger policy with a negative feedback of each state on itself, to be annealed.

    .. math::
        h_i' = \mathrm{GRU}([\bar m_i, p_i], h_i) - z \, (\sigma(h_i / \epsilon) - I_0)

    With :math:`z = 0` it is the Micro-Badger policy. The buffer ``chaos`` holds :math:`z`;
    :class:`badger_graph.callbacks.annealing.Annealing` lets it fall in the course of training.

    Source: Chen and Aihara 1995, the transiently chaotic neuron, :math:`y' = k y + \alpha(\ldots)
    - z (\sigma(y / \epsilon) - I_0)` with :math:`z' = (1 - \beta) z`, where the GRU takes the place
    of the damped sum; Šimánek (blog), "Transiently chaotic NN".

    Args:
        percept_size: channels that the membrane gives an expert.
        identifier_size: channels that tell experts apart; 0 for none.
        hidden_size: size H of an expert's state.
        message_size: size M of a message.
        gain: factor of all weights at the start.
        initial_chaos: :math:`z` at the start.
        steepness: :math:`\epsilon` of the logistic function.
        offset: :math:`I_0`.
        aggregation: what an expert hears of several messages: mean, max, min or softmax; see
            :class:`badger_graph.MessagePolicy`.

    Raises:
        ValueError: when a size is too small, ``gain`` or ``steepness`` not positive,
            ``initial_chaos`` negative, or there is no such aggregation.
    """

    chaos: Tensor

    @checked(gain=POSITIVE, initial_chaos=NOT_NEGATIVE, steepness=POSITIVE)
    def __init__(
        self,
        percept_size: int,
        identifier_size: int,
        hidden_size: int,
        message_size: int = 16,
        gain: float = 1.0,
        initial_chaos: float = 3.0,
        steepness: float = 0.1,
        offset: float = 0.5,
        aggregation: Aggregation = "mean",
    ) -> None:
        super().__init__(percept_size, identifier_size, hidden_size, message_size, aggregation)
        self.gru = GRUPolicy(percept_size, identifier_size, hidden_size, message_size, gain)
        self.gain = gain
        self.initial_chaos = initial_chaos
        self.steepness = steepness
        self.offset = offset
        self.register_buffer("chaos", torch.tensor(float(initial_chaos)))

    def emit(self, hidden: Float[Tensor, "V H"], traits: Tensor) -> Float[Tensor, "V M"]:
        return self.gru.emit(hidden, traits)

    def next_hidden(
        self,
        hidden: Float[Tensor, "V H"],
        received: Float[Tensor, "V M"],
        percept: Float[Tensor, "V P"],
        traits: Float[Tensor, "V I"],
    ) -> Float[Tensor, "V H"]:
        against = torch.sigmoid(hidden / self.steepness) - self.offset
        return self.gru.next_hidden(hidden, received, percept, traits) - self.chaos * against

    def speak(self, hidden: Float[Tensor, "V H"], traits: Tensor) -> Float[Tensor, "V 1"]:
        return self.gru.speak(hidden, traits)
