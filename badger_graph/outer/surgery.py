"""One gradient of those of the single outputs."""

from __future__ import annotations

import copy

import torch
from jaxtyping import Float
from torch import Tensor, nn


def one_gradient(aggregator: nn.Module, gradients: Float[Tensor, "d P"]) -> Float[Tensor, " P"]:
    r"""What an aggregator makes of gradients, in the size of their mean.

    .. math::
        g = A(g_1, \dots, g_d) / A(1, \dots, 1)

    Of d equal gradients any aggregator then makes that gradient. By themselves some make the sum,
    such as PCGrad, and others the mean, such as UPGrad; a gradient that is clipped, or one learning
    rate for both, would compare nothing but that. It takes for granted that gradients twice as long
    make one twice as long, as it is with all of TorchJD but FairGrad.

    Raises:
        ValueError: when it makes nothing of equal gradients.
    """
    equal = gradients.new_ones(len(gradients), 1)
    with torch.random.fork_rng(devices=[]):  # nothing is drawn, nor remembered
        factor = copy.deepcopy(aggregator)(equal).item()
    if not 0 < factor < float("inf"):
        raise ValueError(
            f"an aggregator must keep the direction of {len(gradients)} equal gradients, "
            f"but {type(aggregator).__name__} makes {factor:g} of ones"
        )
    return aggregator(gradients) / factor
