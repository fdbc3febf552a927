"""Several families of one world."""

from __future__ import annotations

import torch
from torch import Generator

from badger_graph.tasks.base import Task, TaskFamily
from topologies.checks import checked


class Mixture(TaskFamily):
    """In every outer step the tasks are of one of several families, each as likely.

    Args:
        families: that have one interface in common.

    Raises:
        ValueError: when there is none, or their interfaces differ.
    """

    @checked()
    def __init__(self, families: list[TaskFamily]) -> None:
        if not families:
            raise ValueError("a mixture must be of at least one family, got none")
        self.families = families
        self.interface = families[0].interface
        for family in families:
            if family.interface != self.interface:
                raise ValueError(
                    "families of a mixture must have one interface, got "
                    f"{type(families[0]).__name__} with {self.interface} and "
                    f"{type(family).__name__} with {family.interface}"
                )

    @property
    def chance(self) -> float:
        return sum(family.chance for family in self.families) / len(self.families)

    def sample(self, batch_size: int, num_outputs: int, generator: Generator | None = None) -> Task:
        """Sample a batch of tasks of one family.

        Args:
            batch_size: tasks B.
            num_outputs: outputs d.
            generator: source of the random draws.

        Raises:
            ValueError: as the family says.
        """
        device = generator.device if generator is not None else None
        number = torch.randint(len(self.families), (1,), generator=generator, device=device)
        return self.families[int(number)].sample(batch_size, num_outputs, generator)
