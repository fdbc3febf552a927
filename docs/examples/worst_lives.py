"""A meta-loss of your own."""

import math

from torch import Tensor

from badger_graph import MetaLoss, Rollout


class WorstLives(MetaLoss):
    r"""The last error of the agents that did worst: nobody is given up.

    .. math::
        \mathcal{L} = \frac{1}{m} \sum_{b \in \text{worst } m} e_{Tb}, \qquad m = \lceil q B \rceil

    Args:
        share: q, the part of the batch that counts.
    """

    def __init__(self, share: float = 0.25) -> None:
        self.share = share

    def __call__(self, rollout: Rollout) -> Tensor:
        last = rollout.loss[-1]
        return last.topk(math.ceil(self.share * len(last))).values.mean()
