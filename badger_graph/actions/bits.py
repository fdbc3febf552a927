"""Actions that are bits."""

from __future__ import annotations

from typing import final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from badger_graph.actions.base import Action


@final
class Bits(Action):
    r"""Every output is switched on or off by itself, 1 with the probability of its sigmoid.

    .. math::
        a_j \sim \mathrm{Bernoulli}(\sigma(s_j))

    The gradient is that of the sigmoid in the place of the action (straight through).

    Source: Bengio et al. 2013, "Estimating or propagating gradients through stochastic neurons".
    """

    def decide(
        self, score: Float[Tensor, "B d"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "B d"]:
        share = score.sigmoid()
        sample = share.detach().bernoulli(generator=generator)
        return sample + (share - share.detach())  # zero to the bit

    def log_probability(
        self, score: Float[Tensor, "*any d"], action: Float[Tensor, "*any d"]
    ) -> Float[Tensor, "*any"]:
        return F.logsigmoid(torch.where(action > 0.5, score, -score)).sum(dim=-1)
