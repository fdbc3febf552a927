"""How far a run has got in its curriculum."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import torch
from torch import Tensor

from badger_graph.outer.curriculum import Curriculum, Lesson


@final
class Course:
    """A run's way through its curriculum; without one, every lesson is the same.

    Args:
        curriculum: what every outer step is like.
        lesson: what it is like where there is no curriculum; becomes that of the last step.
    """

    def __init__(self, curriculum: Curriculum | None, lesson: Lesson) -> None:
        self.curriculum = curriculum
        self.lesson = lesson
        self._errors: list[Tensor] = []  # of the rollouts of this outer step, if they count

    def go_on(self, seed: int, step: int) -> Lesson:
        """The lesson of the outer step after ``step`` others."""
        if self.curriculum is not None:
            self.lesson = self.curriculum.lesson(seed, step)
        return self.lesson

    def mark(self, error: Tensor) -> None:
        """Take note of the mean error at the last inner step of a rollout of this outer step."""
        if self.curriculum is not None and self.curriculum.judges(self.lesson):
            self._errors.append(error)

    def learn(self, chance: float, mean: Callable[[Tensor], Tensor]) -> None:
        """Let the curriculum know what came of this outer step.

        Args:
            chance: error of an agent that always answers zero.
            mean: over all processes.
        """
        errors, self._errors = self._errors, []
        if self.curriculum is not None:
            error = float(mean(torch.stack(errors).mean())) if errors else None
            self.curriculum.learn(error, chance)

    @property
    def finished(self) -> bool:
        return self.curriculum is not None and self.curriculum.finished

    def numbers(self) -> dict[str, float]:
        """Where it stands, to be logged."""
        if self.curriculum is None:
            return {}
        sizes = {
            "stage": self.curriculum.stage,
            "num_outputs": self.lesson.num_outputs,
            "num_experts": self.lesson.num_experts,
        }
        return {name: float(size) for name, size in sizes.items() if size is not None}
