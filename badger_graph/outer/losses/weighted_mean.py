"""What most meta-losses are: a mean of the errors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor

from badger_graph.outer.losses.base import MetaLoss, check_errors
from badger_graph.rollout import Rollout


class WeightedMean(MetaLoss, ABC):
    r"""A weighted mean of the errors of a rollout.

    .. math::
        \mathcal{L} = \frac{\sum_t w_t \, \bar e_t}{\sum_t w_t}

    with :math:`\bar e_t` the error at inner step t, averaged over agents.
    """

    @abstractmethod
    def weights(self, num_steps: int) -> Float[Tensor, " T"]:
        """How much each inner step counts, up to a common factor."""

    def __call__(self, rollout: Rollout) -> Float[Tensor, ""]:
        check_errors(rollout)
        return self.shares(rollout.loss) @ rollout.loss.mean(dim=1)

    def shares(self, loss: Float[Tensor, "T B"]) -> Float[Tensor, " T"]:
        """How much each inner step counts, as parts of one."""
        arguments = str(vars(self))  # so that one changed later counts
        return _shares(self, arguments, loss.size(0), loss.dtype, loss.device)


@cache  # for good: to send them again would make a GPU wait, and a CUDA graph goes on reading them
def _shares(
    meta_loss: WeightedMean,
    arguments: str,
    num_steps: int,
    dtype: torch.dtype,
    device: torch.device,
) -> Float[Tensor, " T"]:
    with torch.inference_mode(False):  # fit for training, even if first used elsewhere
        weights = meta_loss.weights(num_steps).to(device, dtype)
        return weights / weights.sum()
