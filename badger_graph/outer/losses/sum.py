"""Several meta-losses at once."""

from __future__ import annotations

from functools import reduce
from operator import add

from jaxtyping import Float
from torch import Tensor

from badger_graph.outer.losses.alikeness import Alikeness
from badger_graph.outer.losses.base import MetaLoss
from badger_graph.outer.losses.mean_over_end import MeanOverEnd
from badger_graph.rollout import Rollout
from topologies.checks import checked


class Sum(MetaLoss):
    r"""The sum of other meta-losses, such as one about errors and a regulariser.

    .. math::
        \mathcal{L} = \sum_k \mathcal{L}_k

    Args:
        of: the meta-losses; by default the mean over the end and the alikeness of experts.

    Raises:
        ValueError: when there is none.
    """

    @checked()
    def __init__(self, of: list[MetaLoss] | None = None) -> None:
        if of is not None and not of:
            raise ValueError(f"a sum must be of at least one meta-loss, got {of}")
        self.of = of or [MeanOverEnd(), Alikeness()]
        self.signed = any(meta_loss.signed for meta_loss in self.of)

    def __call__(self, rollout: Rollout) -> Float[Tensor, ""]:
        return reduce(add, (meta_loss(rollout) for meta_loss in self.of))
