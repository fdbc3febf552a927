"""Fast weights that move less and less, the more they have moved."""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from badger_graph.policies.wired_fast_weights import WiredFastWeightPolicy
from topologies.checks import checked, interval


class AnnealedFastWeightPolicy(WiredFastWeightPolicy):
    r"""Fast weights on wires whose steps shrink with the sum of the squares of those before.

    With :math:`u = D [p, f] + b` the direction of :class:`WiredFastWeightPolicy` and r its rates,

    .. math::
        v_i' = v_i + u_i^2, \qquad f_i' = f_i + r_i \odot u_i \odot (1 + v_i')^{-\alpha}

    with an exponent :math:`\alpha` of each fast weight, which is learned: 0 is without annealing,
    and with one half an agent that was never trained learns by AdaGrad, where the membrane shows it
    the gradient. An expert keeps :math:`\log(1 + v)` after its fast weights.

    Source: Duchi et al. 2011, "Adaptive subgradient methods for online learning and stochastic
    optimization".

    Args:
        percept_size: channels that the membrane gives an expert.
        identifier_size: channels that tell experts apart; 0 for none.
        hidden_size: size H of an expert's state, larger than 2 ``fast_weights``.
        message_size: size M of a message.
        fast_weights: F, how many numbers of a state are fast weights, its first ones.
        rate: of all fast weights at the start, r.
        gain: factor of all weights at the start, but for those of rates and directions.
        annealing: :math:`\alpha` at the start, from 0 to 1.

    Raises:
        ValueError: when a size is too small, ``rate`` or ``gain`` not positive, or ``annealing``
            not from 0 to 1.
    """

    kept_of_each: ClassVar[int] = 2

    @checked(annealing=interval(0, 1))
    def __init__(
        self,
        percept_size: int,
        identifier_size: int,
        hidden_size: int,
        message_size: int = 16,
        fast_weights: int = 4,
        rate: float = 0.5,
        gain: float = 1.0,
        annealing: float = 0.25,
    ) -> None:
        sizes = (percept_size, identifier_size, hidden_size, message_size, fast_weights)
        super().__init__(*sizes, rate, gain)
        self.annealing = annealing
        self.exponent = nn.Parameter(torch.full((fast_weights,), annealing))

    def move(
        self,
        kept: Float[Tensor, "V K"],
        rate: Float[Tensor, "V F"],
        direction: Float[Tensor, "V F"],
    ) -> Float[Tensor, "V K"]:
        fast, log_sum = kept.chunk(2, dim=-1)
        log_sum = log_sum + torch.log1p(direction.square() * torch.exp(-log_sum))
        step = rate * direction * torch.exp(-self.exponent * log_sum)
        return torch.cat([fast + step, log_sum], dim=-1)
