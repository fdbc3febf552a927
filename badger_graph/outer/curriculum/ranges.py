"""Numbers of outputs and experts: one number, or a range to draw from."""

from __future__ import annotations

from itertools import product
from random import Random

from badger_graph.ranges import Range, check_range, ends

def check_experts(num_experts: Range | None, spare_experts: Range | None) -> None:
    """Refuse to be told in two ways how many experts there are; neither leaves it to the membrane.

    Raises:
        ValueError: says the rule and the values.
    """
    if num_experts is not None and spare_experts is not None:
        raise ValueError(
            "a curriculum takes one of num_experts and spare_experts (N = d + spare), "
            f"got num_experts={num_experts} and spare_experts={spare_experts}"
        )
    if num_experts is not None:
        check_range("num_experts", num_experts)
    if spare_experts is not None:
        check_range("spare_experts", spare_experts, least=0)


def draw(random: Random, value: Range) -> int:
    """A number of the range, each as likely."""
    return random.randint(*ends(value))


def draw_experts(
    random: Random, num_outputs: int, num_experts: Range | None, spare_experts: Range | None
) -> int | None:
    """The number of experts N for d outputs, if anybody says it."""
    if spare_experts is not None:
        return num_outputs + draw(random, spare_experts)
    return None if num_experts is None else draw(random, num_experts)


def corners(
    num_outputs: Range, num_experts: Range | None, spare_experts: Range | None
) -> list[tuple[int, int | None]]:
    """Every combination of a smallest or largest d and a smallest or largest N."""
    if num_experts is None and spare_experts is None:
        return [(d, None) for d in sorted(set(ends(num_outputs)))]
    if spare_experts is not None:
        sizes: set[tuple[int, int | None]] = {(d, d + spare) for d, spare in product(ends(num_outputs), ends(spare_experts))}
    else:
        assert num_experts is not None
        sizes = set(product(ends(num_outputs), ends(num_experts)))
    return sorted(sizes)
