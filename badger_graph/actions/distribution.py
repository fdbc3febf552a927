"""Actions that are a distribution over d outcomes."""

from __future__ import annotations

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from badger_graph.actions.base import Action


@final
class Distribution(Action):
    r"""The probability that the agent gives each of d outcomes, such as classes.

    .. math::
        a = \mathrm{softmax}(s)

    Nothing is drawn, so gradients flow through it, and it has no :meth:`log_probability`.
    """

    def decide(
        self, score: Float[Tensor, "B d"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "B d"]:
        return score.softmax(dim=-1)
