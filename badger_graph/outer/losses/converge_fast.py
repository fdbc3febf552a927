"""Be right soon."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from badger_graph.outer.losses.weighted_mean import WeightedMean
from topologies.checks import checked, interval


class ConvergeFast(WeightedMean):
    r"""The error of every inner step, :math:`w_t = \gamma^t`: be right soon, and stay right.

    Source: Rosa et al. 2019, figure 9.

    Args:
        discount: :math:`\gamma` in (0, 1]; 1 weighs all steps alike.

    Raises:
        ValueError: when ``discount`` is outside (0, 1].
    """

    @checked(discount=interval(0, 1, "(]"))
    def __init__(self, discount: float = 1.0) -> None:
        self.discount = discount

    def weights(self, num_steps: int) -> Float[Tensor, " T"]:
        return self.discount ** torch.arange(num_steps)
