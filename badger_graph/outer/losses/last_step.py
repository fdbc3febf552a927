"""Be right at last."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from badger_graph.outer.losses.weighted_mean import WeightedMean


class LastStep(WeightedMean):
    """The error of the last inner step alone: the agent may wander until then.

    Source: Rosa et al. 2019, figure 6.
    """

    def weights(self, num_steps: int) -> Float[Tensor, " T"]:
        weights = torch.zeros(num_steps)
        weights[-1] = 1.0
        return weights
