"""Easy and hard batches alike."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from badger_graph.outer.losses.base import MetaLoss
from badger_graph.outer.losses.mean_over_end import MeanOverEnd
from badger_graph.rollout import Rollout
from topologies.checks import checked


class LogError(MetaLoss):
    r"""The logarithm of another meta-loss: easy and hard batches count alike.

    .. math::
        \mathcal{L} = \log \mathcal{L}_\text{of}

    Where tasks of different difficulty take turns, as numbers of outputs do in a curriculum,
    their errors differ by orders of magnitude, and the plain mean is about the hardest alone. The
    gradient of the logarithm is that of the relative error.

    Args:
        of: the meta-loss, of one batch; the mean over the end by default.

    Raises:
        ValueError: when it may be negative, as a logarithm may, and so has none itself.
    """

    signed = True

    @checked()
    def __init__(self, of: MetaLoss | None = None) -> None:
        if of is not None and of.signed:
            raise ValueError(
                "the logarithm must be of a meta-loss that is never negative, "
                f"got a {type(of).__name__}"
            )
        self.of = of or MeanOverEnd()

    def __call__(self, rollout: Rollout) -> Float[Tensor, ""]:
        of = self.of(rollout)
        return of.clamp(min=torch.finfo(of.dtype).tiny).log()  # no error has no logarithm
