"""A loss whose gradients are known already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable


def hand_on(loss: Tensor, gradients: Sequence[Tensor | None], weights: Sequence[Tensor]) -> Tensor:
    """A copy of a loss whose ``backward()`` leaves these gradients on the weights.

    Args:
        loss: a scalar.
        gradients: one for each weight, in its shape; None where there is none.
        weights: in the same order.
    """
    with torch.enable_grad():
        return _HandOn.apply(loss, tuple(gradients), *weights)


class _HandOn(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, loss: Tensor, gradients: tuple[Tensor | None, ...], *weights: Tensor
    ) -> Tensor:
        ctx.gradients = gradients
        return loss.clone()  # whoever computed it may overwrite the loss itself

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, *grad: Tensor) -> tuple[Tensor | None, ...]:
        gradients = ctx.gradients  # type: ignore[attr-defined]
        # Products are tensors of their own, so they may be accumulated over several losses.
        return (None, None, *(None if g is None else g * grad[0] for g in gradients))
