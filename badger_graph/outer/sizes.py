"""How many there are of what."""

from __future__ import annotations

from dataclasses import dataclass

from topologies.checks import EXPERTS, check_arguments, size


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

    def __post_init__(self) -> None:
        bounds = {"num_outputs": size(), "num_steps": size(), "batch_size": size()}
        check_arguments(type(self), vars(self), {"num_experts": EXPERTS, **bounds})
        for name, value in list(vars(self).items()):
            object.__setattr__(self, name, value if value is None else int(value))  # a number of NumPy, too, is plain data


DEFAULT_SIZES = Sizes()
"""Those of the Micro-Badger."""
