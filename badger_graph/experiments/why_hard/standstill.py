"""A training curve, where it stands still, and what its noise is like there."""

from __future__ import annotations

import statistics
from typing import NamedTuple

import torch

from badger_graph.analysis import Plateau, Tested, find_plateaus, hurst_test, lyapunov_test
from badger_graph.experiments.trainings import Trained, first_below
from badger_graph.experiments.why_hard.base import CHANCE, Series, error, taken

LEAST = 64
"""Outer steps of the shortest plateau: fewer have no Hurst exponent."""

SHARE = 0.04
"""Below this share two levels are one: of twenty numbers a single one is a twentieth."""


class Course(NamedTuple):
    """One training and where it stood still.

    Attributes:
        one: the training.
        plateaus: of its error.
        hurst: exponents of the error on each of them, beside those of shuffled copies.
        chaos: the Lyapunov exponent of the error on a plateau on which the training ends, likewise;
            none if it ends on none.
        learned: of each output the first measured outer step at which its error is below half of
            chance.
    """

    one: Trained
    plateaus: list[Plateau]
    hurst: list[Tested]
    chaos: Tested | None
    learned: list[int | None]

    def contrast(self, series: Series) -> tuple[float, float] | None:
        """The means of a number on the plateaus and between them; none if one of them is empty."""
        on: list[float] = []
        between: list[float] = []
        for step, value in zip(*series, strict=True):
            if step > 0:
                (on if any(holds(p, step) for p in self.plateaus) else between).append(value)
        return (statistics.mean(on), statistics.mean(between)) if on and between else None


def course_of(one: Trained) -> Course:
    """Find the plateaus of a training; a curve too short for one has none."""
    steps, errors = error(one)
    series = torch.tensor(errors, dtype=torch.float64)
    plateaus = []
    if len(steps) >= LEAST:
        plateaus = find_plateaus(series, torch.tensor(steps), LEAST, SHARE)
    generator = torch.Generator().manual_seed(one.training.seed)
    hurst = [
        hurst_test(series[[holds(plateau, step) for step in steps]], generator)
        for plateau in plateaus
    ]
    ends = plateaus[-1] if plateaus and not plateaus[-1].escaped else None
    last = series[[ends is not None and holds(ends, step) for step in steps]]
    chaos = lyapunov_test(last, generator) if len(last) >= LEAST else None
    return Course(one, plateaus, hurst, chaos, _learned(one))


def holds(plateau: Plateau, step: int) -> bool:
    """Whether an outer step is on a plateau."""
    return plateau.start <= step < plateau.stop + (not plateau.escaped)


def _learned(one: Trained) -> list[int | None]:
    steps, given = taken(one, "output_errors")
    return [first_below(steps, errors, CHANCE / 2) for errors in zip(*given, strict=True)]
