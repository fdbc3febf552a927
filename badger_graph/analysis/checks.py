"""What measures refuse, so that no number is given that would mean nothing."""

from __future__ import annotations

from torch import Tensor


class UndefinedError(ValueError):
    """A measure means nothing of these numbers, though it can be taken of others of their shape."""


class DivergedError(ValueError):
    """The lives to be measured left all numbers."""


def check_shape(name: str, values: Tensor, *axes: str) -> None:
    """Refuse a tensor of other dimensions, or one that is empty.

    Args:
        name: what to call it.
        values: the tensor.
        axes: the name of each dimension; those of one name must have one size.

    Raises:
        ValueError: says the dimensions that there must be.
    """
    size = dict(zip(axes, values.shape, strict=False))
    if list(values.shape) != [size.get(axis) for axis in axes] or not values.numel():
        raise ValueError(
            f"{name} must be [{', '.join(axes)}], at least one of each, got {list(values.shape)}"
        )


def check_finite(name: str, values: Tensor, error: type[ValueError] = UndefinedError) -> None:
    """Refuse numbers that are NaN or infinite.

    Raises:
        ValueError: of the type of the error, when there is one; says how many.
    """
    if bad := int((~values.isfinite()).sum()):
        raise error(f"{name} must be finite, got {bad} of {values.numel()} that are not")
