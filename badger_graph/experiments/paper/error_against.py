"""What the experiments on errors against a size share: their policies, and rows measured once."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar

from badger_graph.experiments.paper.error_bars import curves
from badger_graph.experiments.paper.jobs import Groups, Job, Row, measure, with_others
from badger_graph.experiments.runner import Experiment
from badger_graph.settings import MAX_THREADS
from topologies.checks import SEED, checked, size


class ErrorAgainst(Experiment):
    """3 MSE at the last step against a size; what the JSON holds already is not measured again.

    Args:
        groups: the policies of each recipe.
        num_steps: inner steps T.
        num_tasks: tasks for each policy and size.
        seed: seed of the tasks; the k-th policy of a group gets tasks of its own, ``seed + k``.
        workers: policies side by side, one thread each.

    Raises:
        ValueError: when a group has no policies, or a number is too small.
    """

    against: ClassVar[str]
    """The column of the size."""

    @checked(num_steps=size(), num_tasks=size(2), seed=SEED, workers=size(most=MAX_THREADS))
    def __init__(
        self, groups: Groups, num_steps: int, num_tasks: int, seed: int, workers: int
    ) -> None:
        for name, policies in groups.items():
            if not policies:
                raise ValueError(f"every group must have policies, got none in {name!r}")
        self.groups = groups
        self.num_steps = num_steps
        self.num_tasks = num_tasks
        self.seed = seed
        self.workers = workers

    @abstractmethod
    def jobs(self) -> list[Job]:
        """Every policy at every size."""

    @abstractmethod
    def comparison(self, rows: list[Row]) -> dict[str, Any]:
        """What the errors are held against: ``published`` and ``limits``, and what else is told."""

    def compute(self, file: Path) -> dict[str, Any]:
        rows = measure(self.jobs(), file, self.workers)
        return {
            "num_steps": self.num_steps,
            "num_tasks": self.num_tasks,
            "seed": self.seed,
            "curves": curves(rows, self.against),
            **self.comparison(rows),
            "rows": with_others(rows, file),
        }
