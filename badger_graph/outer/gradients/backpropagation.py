"""The gradient by going back through the lives."""

from __future__ import annotations

from badger_graph.outer.curriculum import Curriculum, Lesson
from badger_graph.outer.gradients.base import OuterGradient
from badger_graph.outer.objective import Objective, Outcome
from topologies.checks import checked, size


class Backpropagation(OuterGradient):
    """Backpropagation through the whole rollout, or parts of it.

    Source: Rosa et al. 2019, "Training Procedure".

    Args:
        detach_every: truncate it to so many inner steps.
        checkpoint_every: keep the states at every so many inner steps only; see
            :func:`badger_graph.unroll`.

    Raises:
        ValueError: when one is below 1.
    """

    @checked(detach_every=size(), checkpoint_every=size())
    def __init__(
        self, detach_every: int | None = None, checkpoint_every: int | None = None
    ) -> None:
        self.detach_every = detach_every
        self.checkpoint_every = checkpoint_every

    def __call__(self, objective: Objective, seed: int, lesson: Lesson) -> Outcome:
        return objective(seed, lesson, self.detach_every, self.checkpoint_every)

    def check(self, objective: Objective, curriculum: Curriculum | None) -> None:
        objective.check_states(self.checkpoint_every, curriculum)
