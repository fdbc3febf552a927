"""How many there are of what."""

from __future__ import annotations

from dataclasses import dataclass

from topologies.checks import EXPERTS, checked_fields, size


@checked_fields(num_experts=EXPERTS, num_outputs=size(), num_steps=size(), batch_size=size())
@dataclass(frozen=True)
class Sizes:
    """The sizes of a batch of lives.

    Args:
        num_experts: experts N of an agent; none for as many as its membrane usually needs.
        num_outputs: outputs d of a task.
        num_steps: inner-loop steps T of a rollout.
        batch_size: agents B per process and outer step.

    Raises:
        ValueError: when one is no whole number, or below 1.
    """

    num_experts: int | None = 16
    num_outputs: int = 4
    num_steps: int = 20
    batch_size: int = 64


DEFAULT_SIZES = Sizes()
"""Those of the Micro-Badger."""
