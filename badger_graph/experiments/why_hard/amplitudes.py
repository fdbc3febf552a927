"""How well a learner knows every frequency, from which outer step on, and in which order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from badger_graph.experiments.trainings import Trained
from badger_graph.experiments.why_hard.base import taken

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
    def known_from(self) -> list[int | None]:
        """Of each frequency the step from which on it is known; none if it is not at the end."""
        return [_from_then_on(self.steps, one) for one in zip(*self.amplitudes, strict=True)]

    @property
    def known(self) -> int:
        """How many frequencies are known at the end."""
        return sum(step is not None for step in self.known_from)

    @property
    def left(self) -> list[float]:
        """How far each amplitude is from 1 at the end."""
        return [abs(1 - amplitude) for amplitude in self.amplitudes[-1]]

    @property
    def order(self) -> list[float]:
        """When each frequency is known, those that never are after all others."""
        return [float("inf") if step is None else step for step in self.known_from]


def wave_course(one: Trained) -> Course:
    """What was measured in a training."""
    steps, given = taken(one, "amplitudes")
    return Course(steps, [amplitudes["in_phase"] for amplitudes in given])


def _from_then_on(steps: Sequence[int], amplitudes: Sequence[float]) -> int | None:
    far = [k for k, amplitude in enumerate(amplitudes) if abs(1 - amplitude) > KNOWN]
    first = far[-1] + 1 if far else 0
    return steps[first] if first < len(steps) else None
