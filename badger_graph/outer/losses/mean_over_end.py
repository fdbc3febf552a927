"""Explore, then be right."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from badger_graph.outer.losses.weighted_mean import WeightedMean
from topologies.checks import checked, interval


class MeanOverEnd(WeightedMean):
    """The mean error over the last part of the rollout: explore first, then be right.

    Args:
        fraction: the part of the steps that counts, in (0, 1]; at least one step.

    Raises:
        ValueError: when ``fraction`` is outside (0, 1].
    """

    @checked(fraction=interval(0, 1, "(]"))
    def __init__(self, fraction: float = 0.5) -> None:
        self.fraction = fraction

    def weights(self, num_steps: int) -> Float[Tensor, " T"]:
        length = max(1, round(self.fraction * num_steps))
        return (torch.arange(num_steps) >= num_steps - length).float()
