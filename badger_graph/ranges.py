"""Sizes that are one number, or a range to draw from."""

from __future__ import annotations

import math

Range = int | list[int]
"""A number, or ``[low, high]``, both included."""


def check_range(name: str, value: Range, least: int = 1) -> None:
    """Refuse what is no number or range.

    Args:
        name: of the argument, for the message.
        value: what was given.
        least: the smallest number that it may hold.

    Raises:
        ValueError: says the rule and the value.
    """
    if isinstance(value, list) and (len(value) != 2 or value[0] > value[1]):
        raise ValueError(f"{name} must be a number or [low, high], low <= high, got {value}")
    if ends(value)[0] < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")


def ends(value: Range) -> tuple[int, int]:
    """Smallest and largest."""
    return (value, value) if isinstance(value, int) else (value[0], value[1])


def between(value: Range, share: float) -> int:
    """The number at a share of the way from the smallest to the largest, even in the logarithm.

    Args:
        value: a number or a range, at least 1.
        share: from 0 to 1; a uniform draw makes each factor as likely.
    """
    low, high = (math.log(end) for end in ends(value))
    return round(math.exp(low + (high - low) * share))
