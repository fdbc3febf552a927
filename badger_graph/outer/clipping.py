"""Gradients that are not longer than they may be."""

from __future__ import annotations

import torch
from lightning import LightningModule
from torch import Tensor


def clip_gradients(
    module: LightningModule,
    optimizer: torch.optim.Optimizer,
    limit: float | None,
    algorithm: str | None,
    largest: float | None = None,
) -> Tensor:
    """Clip as Lightning does; the norm of the gradients before, which serves to clip, too.

    Where they are longer than ``largest``, or not finite, they are made zero, and so is the norm.
    """
    groups = optimizer.param_groups  # quicker to go through than the modules
    parameters = [p for group in groups for p in group["params"] if p.grad is not None]
    norm = torch.nn.utils.get_total_norm([p.grad for p in parameters])
    by_norm = algorithm in (None, "norm") and module.trainer.scaler is None
    if by_norm and limit is not None and limit > 0:
        torch.nn.utils.clip_grads_with_norm_(parameters, limit, norm)
    else:
        module.clip_gradients(optimizer, limit, algorithm)
    if largest is not None:
        usable = norm <= largest
        for parameter, gradient in ((p, p.grad) for p in parameters):
            assert gradient is not None
            parameter.grad = gradient.where(usable, 0.0)
        norm = norm.where(usable, 0.0)
    return norm
