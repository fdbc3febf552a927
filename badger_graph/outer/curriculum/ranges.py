"""Numbers of outputs and experts: one number, or a range to draw from."""

from __future__ import annotations

from itertools import product
from random import Random

Range = int | list[int]
"""A number, or ``[low, high]``, both included."""


def check_range(name: str, value: Range, least: int = 1) -> None:
    """Refuse what is no number or range.

    Raises:
        ValueError: says the rule and the value.
    """
    if isinstance(value, list) and (len(value) != 2 or value[0] > value[1]):
        raise ValueError(f"{name} must be a number or [low, high], low <= high, got {value}")
    if ends(value)[0] < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")


def check_experts(num_experts: Range | None, spare_experts: Range | None) -> None:
    """Refuse anything but one of the two ways to say how many experts there are.

    Raises:
        ValueError: says the rule and the values.
    """
    if (num_experts is None) == (spare_experts is None):
        raise ValueError(
            "a curriculum needs one of num_experts and spare_experts (N = d + spare), "
            f"got num_experts={num_experts} and spare_experts={spare_experts}"
        )
    if num_experts is not None:
        check_range("num_experts", num_experts)
    if spare_experts is not None:
        check_range("spare_experts", spare_experts, least=0)


def ends(value: Range) -> tuple[int, int]:
    """Smallest and largest."""
    return (value, value) if isinstance(value, int) else (value[0], value[1])


def draw(random: Random, value: Range) -> int:
    """A number of the range, each as likely."""
    return random.randint(*ends(value))


def draw_experts(
    random: Random, num_outputs: int, num_experts: Range | None, spare_experts: Range | None
) -> int:
    """The number of experts N for d outputs."""
    if spare_experts is not None:
        return num_outputs + draw(random, spare_experts)
    assert num_experts is not None
    return draw(random, num_experts)


def corners(
    num_outputs: Range, num_experts: Range | None, spare_experts: Range | None
) -> list[tuple[int, int]]:
    """Every combination of a smallest or largest d and a smallest or largest N."""
    if spare_experts is not None:
        sizes = {(d, d + spare) for d, spare in product(ends(num_outputs), ends(spare_experts))}
    else:
        assert num_experts is not None
        sizes = set(product(ends(num_outputs), ends(num_experts)))
    return sorted(sizes)
