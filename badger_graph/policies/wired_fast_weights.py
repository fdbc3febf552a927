"""A policy with fast weights, for experts on wires."""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from badger_graph.policies.base import ExpertPolicy, Neighbours, scale_weights, silent_network
from topologies.checks import POSITIVE, check, checked, limited_weights, size


class WiredFastWeightPolicy(ExpertPolicy):
    r"""A gated recurrent unit in every expert that says how fast some numbers of its state move.

    .. math::
        m_j &= W_2 \tanh(W_1 h_j + b_1) + b_2, \qquad
        g_i' = \mathrm{GRU}\big([\bar m_{i1},\, \bar m_{i2},\, p_i,\, n_i,\, f_i],\, g_i\big) \\
        f_i' &= f_i + (R g_i' + r) \odot (D [p_i, f_i] + b), \qquad
        h_i = [f_i, g_i], \qquad y_i = \mathrm{MLP}(h_i')

    with :math:`\bar m_{i1}` and :math:`\bar m_{i2}` the mean messages on the two wires that an
    expert is on, which it hears apart, :math:`p_i` the percept, :math:`n_i` the identifier and
    :math:`y_i` what the expert says to the world. The fast weights :math:`f` are where an expert
    sums up what it perceives without end or loss, as a gated unit cannot; the unit sets the rates.
    At first each moves along one channel of the percept, at one rate, and the expert says nothing:
    so a membrane that shows the steps of a rule of learning first makes an untrained agent learn by
    that rule, and training finds a better one.

    It runs on wires only, such as those of :class:`topologies.CrossbarTopology`.

    Source: Ba et al. 2016, "Using fast weights to attend to the recent past".

    Args:
        percept_size: channels that the membrane gives an expert.
        identifier_size: channels that tell experts apart; 0 for none.
        hidden_size: size H of an expert's state, larger than what is kept of fast weights.
        message_size: size M of a message.
        fast_weights: F, how many numbers of a state are fast weights, its first ones.
        rate: of all fast weights at the start, r.
        gain: factor of all weights at the start, but for those of rates and directions.

    Raises:
        ValueError: when a size is too small, or ``rate`` or ``gain`` not positive.
    """

    num_wires: ClassVar[int] = 2
    kept_of_each: ClassVar[int] = 1
    """Numbers of a state for each fast weight, which come first, itself before all others."""

    usual_sizes: ClassVar[dict[str, int]] = {"identifier_size": 4, "hidden_size": 24}

    @checked(
        percept_size=size(),
        identifier_size=size(0),
        hidden_size=size(),
        message_size=size(),
        fast_weights=size(),
        rate=POSITIVE,
        gain=POSITIVE,
    )
    @limited_weights
    def __init__(
        self,
        percept_size: int,
        identifier_size: int,
        hidden_size: int,
        message_size: int = 16,
        fast_weights: int = 4,
        rate: float = 0.5,
        gain: float = 1.0,
    ) -> None:
        super().__init__()
        kept = self.kept_of_each * fast_weights
        check("hidden_size, of fast weights and gated numbers,", hidden_size, *size(kept + 1))
        self.percept_size = percept_size
        self.identifier_size = identifier_size
        self.hidden_size = hidden_size
        self.message_size = message_size
        self.fast_weights = fast_weights
        self.rate = rate
        self.gain = gain
        self.message_mlp = nn.Sequential(
            nn.Linear(hidden_size, message_size), nn.Tanh(), nn.Linear(message_size, message_size)
        )
        gated = hidden_size - kept
        heard = self.num_wires * message_size
        self.cell = nn.GRUCell(heard + percept_size + identifier_size + fast_weights, gated)
        self.rates = nn.Linear(gated, fast_weights)
        self.direction = nn.Linear(percept_size + fast_weights, fast_weights)
        self.readout = silent_network(hidden_size)
        scale_weights(self, gain)
        with torch.no_grad():
            self.rates.weight.mul_(0.1)
            self.rates.bias.fill_(rate)
            nn.init.eye_(self.direction.weight)
            nn.init.zeros_(self.direction.bias)

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
        kept, gated = hidden.tensor_split([self.kept_of_each * self.fast_weights], dim=-1)
        fast = kept[:, : self.fast_weights]
        gated = self.cell(torch.cat([heard, percept, traits, fast], dim=-1), gated)
        direction = self.direction(torch.cat([percept, fast], dim=-1))
        after = torch.cat([self.move(kept, self.rates(gated), direction), gated], dim=-1)
        return after, self.readout(after)[:, 0]

    def move(
        self,
        kept: Float[Tensor, "V K"],
        rate: Float[Tensor, "V F"],
        direction: Float[Tensor, "V F"],
    ) -> Float[Tensor, "V K"]:
        """What is kept of fast weights, after they moved.

        Args:
            kept: before.
            rate: of each fast weight of each expert.
            direction: where to.
        """
        return kept + rate * direction

    def messages(self, hidden: Float[Tensor, "V H"], traits: Tensor) -> Float[Tensor, "V M"]:
        """What each expert sends to both of its wires."""
        return self.message_mlp(hidden)
