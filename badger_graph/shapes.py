"""Whether a tensor is what is expected in its place, and how to say that it is not."""

from __future__ import annotations

from typing import Any, NoReturn, TypeGuard

import torch
from torch import Tensor


def fits(
    value: Any, shape: tuple[int, ...], like: Tensor, lower_precision: bool = False
) -> TypeGuard[Tensor]:
    """Whether it is a tensor of that shape, and of the type and on the device of another one.

    Args:
        lower_precision: also accept types that become that of ``like`` beside it.
    """
    return (
        isinstance(value, Tensor)
        and value.shape == shape
        and value.device == like.device
        and (
            value.dtype == like.dtype
            or torch.is_autocast_enabled(like.device.type)
            or (lower_precision and torch.promote_types(value.dtype, like.dtype) == like.dtype)
        )
    )


def refuse(name: str, value: Any, shape: tuple[int, ...], like: Tensor) -> NoReturn:
    """Say what was expected in its place.

    Raises:
        ValueError: always.
    """
    got = type(value).__name__
    if isinstance(value, Tensor):
        got = f"{list(value.shape)} of {value.dtype} on {value.device}"
    raise ValueError(f"{name} must be {list(shape)} of {like.dtype} on {like.device}, got {got}")
