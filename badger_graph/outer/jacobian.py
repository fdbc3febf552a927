"""Gradients of several losses at once, as rows of a matrix."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor


def jacobian(losses: Float[Tensor, " d"], parameters: Sequence[Tensor]) -> Float[Tensor, "d P"]:
    """The gradient of every loss, all parameters in one row; zeros where a loss needs one not.

    Raises:
        ValueError: when there is no parameter.
    """
    if not parameters:
        raise ValueError("a gradient needs at least one parameter, got none")
    rows = []
    for loss in losses:
        found = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
        pairs = zip(found, parameters, strict=True)
        rows.append(torch.cat([_filled(gradient, p).flatten() for gradient, p in pairs]))
    return torch.stack(rows)


def set_gradient(parameters: Sequence[Tensor], gradient: Float[Tensor, " P"]) -> None:
    """Give every parameter its part of one long gradient."""
    parts = gradient.split([parameter.numel() for parameter in parameters])
    for parameter, part in zip(parameters, parts, strict=True):
        parameter.grad = part.view_as(parameter)


def _filled(gradient: Tensor | None, parameter: Tensor) -> Tensor:
    return torch.zeros_like(parameter) if gradient is None else gradient
