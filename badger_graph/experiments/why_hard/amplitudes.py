"""How well a learner knows every frequency, when it learned it, and in which order."""

from __future__ import annotations

import statistics
from typing import NamedTuple

from badger_graph.experiments.trainings import Run, first_below
from badger_graph.experiments.why_hard.base import measurements_of

KNOWN = 0.1
"""A frequency is known when its amplitude, in phase, is as near as this to 1."""


class Course(NamedTuple):
    """How well one learner knew every frequency in the course of its training.

    Attributes:
        steps: outer steps of R records.
        amplitudes: ``[R][K]``, in phase with the target; 1 is right.
    """

    steps: list[int]
    amplitudes: list[list[float]]

    @property
    def learned_at(self) -> list[int | None]:
        """Of each frequency the first step at which its amplitude is half of right."""
        columns = zip(*self.amplitudes, strict=True)
        return [first_below(self.steps, [-a for a in column], -0.5) for column in columns]

    @property
    def order(self) -> list[float]:
        """When each frequency is learned, those that never are after all others."""
        after = self.steps[-1] + 1
        return [after if step is None else step for step in self.learned_at]

    @property
    def spread(self) -> float | None:
        """From the first frequency to the last, in parts of the median; none if some never are."""
        steps = [step for step in self.learned_at if step is not None]
        if len(steps) < len(self.learned_at):
            return None
        return (max(steps) - min(steps)) / statistics.median(steps)

    @property
    def left(self) -> list[float]:
        """How far each amplitude is from 1 at the end, in the median of the last three records."""
        columns = zip(*self.amplitudes[-3:], strict=True)
        return [abs(1 - statistics.median(column)) for column in columns]

    @property
    def num_known(self) -> int:
        """How many frequencies are known at the end."""
        return sum(distance <= KNOWN for distance in self.left)


def wave_course(one: Run) -> Course:
    """What was measured in a training."""
    steps, rows = measurements_of(one, "amplitudes")
    return Course(steps, [amplitudes["in_phase"] for amplitudes in rows])
