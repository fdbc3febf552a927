"""A gated recurrent policy for experts on wires."""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from badger_graph.policies.base import ExpertPolicy, Neighbours, scale_weights
from topologies.checks import POSITIVE, checked, limited_weights, size


class WiredGRUPolicy(ExpertPolicy):
    r"""A gated recurrent unit in every expert that hears the two wires it is on apart.

    .. math::
        m_j = W_2 \tanh(W_1 h_j + b_1) + b_2, \qquad
        h_i' = \mathrm{GRU}\big([\bar m_{i1},\, \bar m_{i2},\, p_i,\, n_i],\, h_i\big), \qquad
        y_i = w_o \cdot h_i + b_o

    with :math:`\bar m_{i1}` and :math:`\bar m_{i2}` the mean messages on its wires,
    :math:`p_i` the percept, :math:`n_i` the identifier and :math:`y_i` what the expert says to the
    world. It runs on wires only, such as those of :class:`topologies.CrossbarTopology`.

    Args:
        percept_size: channels that the membrane gives an expert.
        identifier_size: channels that tell experts apart; 0 for none.
        hidden_size: size H of an expert's state.
        message_size: size M of a message.
        gain: factor of all weights at the start.

    Raises:
        ValueError: when a size is too small, or ``gain`` not positive.
    """

    num_wires: ClassVar[int] = 2
    usual_sizes: ClassVar[dict[str, int]] = {"identifier_size": 4, "hidden_size": 24}

    @checked(
        percept_size=size(),
        identifier_size=size(0),
        hidden_size=size(),
        message_size=size(),
        gain=POSITIVE,
    )
    @limited_weights
    def __init__(
        self,
        percept_size: int,
        identifier_size: int,
        hidden_size: int,
        message_size: int = 16,
        gain: float = 1.0,
    ) -> None:
        super().__init__()
        self.percept_size = percept_size
        self.identifier_size = identifier_size
        self.hidden_size = hidden_size
        self.message_size = message_size
        self.gain = gain
        self.message_mlp = nn.Sequential(
            nn.Linear(hidden_size, message_size), nn.Tanh(), nn.Linear(message_size, message_size)
        )
        heard = self.num_wires * message_size
        self.cell = nn.GRUCell(heard + percept_size + identifier_size, hidden_size)
        self.readout = nn.Linear(hidden_size, 1)
        scale_weights(self, gain)

    def traits(
        self, identifier: Float[Tensor, "V I"], kind: Int[Tensor, " V"]
    ) -> Float[Tensor, "V I"]:
        """The identifiers as they are."""
        return identifier

    def round(
        self,
        hidden: Float[Tensor, "V H"],
        percept: Float[Tensor, "V P"],
        traits: Float[Tensor, "V I"],
        neighbours: Neighbours,
    ) -> tuple[Float[Tensor, "V H"], Float[Tensor, " V"]]:
        """One communication round: the next states, and what each expert says to the world.

        Args:
            hidden: the states before.
            percept: what the membrane shows.
            traits: the identifiers.
            neighbours: carries messages ``[V, M]`` to the means on both wires, ``[V, 2 M]``.
        """
        assert callable(neighbours)
        heard = neighbours(self.messages(hidden, traits))
        after = self.cell(torch.cat([heard, percept, traits], dim=-1), hidden)
        return after, self.readout(after)[:, 0]

    def messages(self, hidden: Float[Tensor, "V H"], traits: Tensor) -> Float[Tensor, "V M"]:
        """What each expert sends to both of its wires."""
        return self.message_mlp(hidden)
