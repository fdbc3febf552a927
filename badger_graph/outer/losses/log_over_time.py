"""Early and late alike."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from badger_graph.outer.losses.base import MetaLoss, check_errors
from badger_graph.rollout import Rollout
from topologies.checks import POSITIVE, checked


class LogOverTime(MetaLoss):
    r"""The logarithm of the error in stretches of a life that double: early and late count alike.

    .. math::
        \mathcal{L} = \frac{1}{W} \sum_{w=0}^{W - 1} \log \Big( \epsilon
            + \operatorname*{mean}_{2^w \le t < 2^{w + 1}} \bar e_t \Big)

    with :math:`\bar e_t` the error after t inner steps, averaged over agents, and the last stretch
    cut off where the life ends. Where errors fall by orders of magnitude, as those of a learner of
    numbers do, their plain mean is about the first few alone. The very first, of an agent that
    knows nothing yet, does not count, unless a life is no longer.

    Args:
        floor: :math:`\epsilon`, below which errors need not fall.

    Raises:
        ValueError: when ``floor`` is not positive.
    """

    signed = True

    @checked(floor=POSITIVE)
    def __init__(self, floor: float = 0.01) -> None:
        self.floor = floor

    def __call__(self, rollout: Rollout) -> Float[Tensor, ""]:
        check_errors(rollout)
        error = rollout.loss.mean(dim=1)
        starts = [2**w for w in range((len(error) - 1).bit_length())] or [0]
        stretches = [error[start : max(2 * start, 1)].mean() for start in starts]
        return (torch.stack(stretches) + self.floor).log().mean()
