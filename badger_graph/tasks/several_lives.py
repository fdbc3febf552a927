"""Several lives with the same task."""

from __future__ import annotations

from torch import Generator

from badger_graph.tasks.base import Task, TaskFamily
from topologies.checks import checked, size


class SeveralLives(TaskFamily):
    """Tasks of another family, each met by several agents of a batch, one beside the other.

    What they did differently then shows what it led to: the baseline of
    :class:`badger_graph.ScoreFunction`.

    Args:
        family: of the tasks, which must say how to have one several times (:meth:`Task.repeat`).
        lives: so many agents meet the same task.

    Raises:
        ValueError: for less than two lives.
    """

    @checked(lives=size(2))
    def __init__(self, family: TaskFamily, lives: int = 8) -> None:
        self.family = family
        self.lives = lives
        self.interface = family.interface

    @property
    def chance(self) -> float:
        return self.family.chance

    def sample(self, batch_size: int, num_outputs: int, generator: Generator | None = None) -> Task:
        """Sample a batch of lives, each task for ``lives`` of them that stand side by side.

        Args:
            batch_size: rounded down to a multiple of ``lives``, and at least that.
            num_outputs: outputs d.
            generator: source of the random draws.

        Raises:
            ValueError: as the family says, or when its tasks cannot be had twice.
        """
        num_tasks = max(1, batch_size // self.lives)
        return self.family.sample(num_tasks, num_outputs, generator).repeat(self.lives)
