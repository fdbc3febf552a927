"""Be diverse."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from badger_graph.outer.losses.base import MetaLoss
from badger_graph.rollout import Rollout
from topologies.checks import NOT_NEGATIVE, checked


class Alikeness(MetaLoss):
    r"""How much alike the experts of an agent are at the end of its life: diversity is rewarded.

    .. math::
        w \, \frac{1}{N (N - 1)} \sum_{i \ne j} \cos(h_i, h_j)

    averaged over agents. Of a single expert it is zero. To be added to one about errors, see
    :class:`~badger_graph.outer.losses.Sum`.

    Source: after Šimánek (blog), "Mutual Information": "we should make the experts more diverse to
    speed up the learning and avoid plateaus".

    Args:
        weight: :math:`w`; 0.1 is a third of the error of chance when all experts are alike.

    Raises:
        ValueError: for a negative weight.
    """

    signed = True

    @checked(weight=NOT_NEGATIVE)
    def __init__(self, weight: float = 0.1) -> None:
        self.weight = weight

    def __call__(self, rollout: Rollout) -> Float[Tensor, ""]:
        hidden = rollout.life.hidden.unflatten(0, (rollout.life.batch_size, -1))
        direction = torch.nn.functional.normalize(hidden, dim=-1)
        num_experts = hidden.size(1)
        # The sum over all pairs, each expert with itself too, is the square of the sum.
        pairs = direction.sum(dim=1).square().sum(dim=-1) - direction.square().sum(dim=(1, 2))
        return self.weight * pairs.mean() / max(1, num_experts * (num_experts - 1))
