"""Numbers of outputs and experts: one number, or a range to draw from."""

from __future__ import annotations

from random import Random

from badger_graph.ranges import Range, between, check_range, ends


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


def draw(random: Random, value: Range, log_uniform: bool = False) -> int:
    """A number of the range, each as likely, or each factor."""
    return between(value, random.random()) if log_uniform else random.randint(*ends(value))


def draw_experts(
    random: Random, num_outputs: int, num_experts: Range | None, spare_experts: Range | None
) -> int | None:
    """The number of experts N for d outputs, if anybody says it."""
    experts = experts_for(num_outputs, num_experts, spare_experts)
    return None if experts is None else draw(random, experts)


def experts_for(
    num_outputs: int, num_experts: Range | None, spare_experts: Range | None
) -> Range | None:
    """The numbers of experts N that agents of d outputs may have, if anybody says them."""
    if spare_experts is not None:
        return [num_outputs + spare for spare in ends(spare_experts)]
    return num_experts


def corners(
    num_outputs: Range, num_experts: Range | None, spare_experts: Range | None
) -> list[tuple[int, int | None]]:
    """Every combination of a smallest or largest d and a smallest or largest N."""
    sizes: dict[tuple[int, int | None], None] = {}
    for d in ends(num_outputs):
        experts = experts_for(d, num_experts, spare_experts)
        sizes |= {(d, n): None for n in ([None] if experts is None else ends(experts))}
    return list(sizes)
