"""Actions that are one of d."""

from __future__ import annotations

from typing import final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from badger_graph.actions.base import Action


@final
class Choice(Action):
    r"""One output is chosen, with the probability of its softmax; the action is one-hot.

    .. math::
        a \sim \mathrm{Categorical}(\mathrm{softmax}(s))

    The gradient is that of the softmax in the place of the action (straight through).

    Source: Bengio et al. 2013, "Estimating or propagating gradients through stochastic neurons".
    """

    def decide(
        self, score: Float[Tensor, "B d"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "B d"]:
        share = score.softmax(dim=-1)
        sample = share.detach().multinomial(1, generator=generator)[:, 0]
        one_hot = F.one_hot(sample, share.size(1))
        return one_hot + (share - share.detach())  # zero to the bit

    def log_probability(
        self, score: Float[Tensor, "*any d"], action: Float[Tensor, "*any d"]
    ) -> Float[Tensor, "*any"]:
        return (score.log_softmax(dim=-1) * action).sum(dim=-1)
