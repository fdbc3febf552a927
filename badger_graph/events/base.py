"""What every event of a life is."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch

from badger_graph.agent import BadgerAgent
from badger_graph.life import Life


class Event(ABC):
    """Something that happens to all living agents of a batch, between two steps.

    Every constructor argument is kept in the attribute of its name, as plain data or as a module,
    which a checkpoint describes.
    """

    @abstractmethod
    def __call__(
        self, agent: BadgerAgent, life: Life, generator: torch.Generator | None = None
    ) -> Life:
        """The agents afterwards; the life that came in is unchanged.

        Where the event cannot happen, as a removal when there are too few experts, nothing does.

        Args:
            agent: whose agents these are.
            life: before.
            generator: source of the random draws, on the agent's device.
        """


def draw_number(most: int, generator: torch.Generator | None) -> int:
    """A whole number from 1 to ``most``, each as likely."""
    device = generator.device if generator is not None else None
    return 1 + int(torch.randint(most, (1,), generator=generator, device=device))


def draw_some(num: int, of: int, generator: torch.Generator | None) -> list[int]:
    """So many different whole numbers from 0 to ``of - 1``, in their order."""
    device = generator.device if generator is not None else None
    order = torch.randperm(of, generator=generator, device=device)
    return sorted(order[:num].tolist())
