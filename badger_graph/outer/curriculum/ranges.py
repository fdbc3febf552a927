"""Numbers of outputs and experts: one number, or a range to draw from."""

from __future__ import annotations

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


def experts_for(num_outputs: int, num_experts: Range | None, spare_experts: Range | None) -> Range:
    """The numbers of experts N that agents of d outputs may have."""
    if spare_experts is not None:
        return [num_outputs + spare for spare in ends(spare_experts)]
    assert num_experts is not None
    return num_experts


def corners(
    num_outputs: Range, num_experts: Range | None, spare_experts: Range | None
) -> list[tuple[int, int]]:
    """Every combination of a smallest or largest d and a smallest or largest N."""
    experts = {d: ends(experts_for(d, num_experts, spare_experts)) for d in ends(num_outputs)}
    return sorted({(d, n) for d in experts for n in experts[d]})
