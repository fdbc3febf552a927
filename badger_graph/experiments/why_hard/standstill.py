"""A training curve, where it stands still, what its noise is like there, and what comes after."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import NamedTuple

import torch

from badger_graph.analysis import Plateau, SurrogateTest, find_plateaus, hurst_test, lyapunov_test
from badger_graph.experiments.trainings import Run, first_below
from badger_graph.experiments.why_hard.base import (
    CHANCE,
    LEARNED,
    Series,
    error,
    estimate,
    measurements_of,
    positive,
)
from badger_graph.experiments.why_hard.findings import Claim, Verdict

LEAST = 64
"""Outer steps of the shortest plateau: fewer have no Hurst exponent."""

SHARE = 0.04
"""Below this share two levels are one: of twenty numbers a single one is a twentieth."""

HALFWAY = (0.2, 0.6)
"""A number whose error is between these parts of chance is being learned; to guess one and the same
for all numbers, at three quarters and more, is not to learn any.
"""

FEW, MANY = 0.25, 0.5
"""Parts of the numbers that are learned at a time: one by one, or together."""


class Course(NamedTuple):
    """One training and where it stood still.

    Attributes:
        one: the training.
        plateaus: of its error.
        hurst: exponents of the error on each of them, beside those of shuffled copies.
        chaos: the Lyapunov exponent of the error on a plateau on which the training ends, likewise;
            none if it ends on none, or before it has learned.
        learned_at: of each output the first measured outer step at which its error is below half of
            chance.
    """

    one: Run
    plateaus: list[Plateau]
    hurst: list[SurrogateTest]
    chaos: SurrogateTest | None
    learned_at: list[int | None]

    def contrast(self, series: Series) -> tuple[float, float] | None:
        """The means of a number on the plateaus and between them; none if one of them is empty."""
        on: list[float] = []
        between: list[float] = []
        for step, value in zip(*series, strict=True):
            if step > 0:
                (on if any(holds(p, step) for p in self.plateaus) else between).append(value)
        return (statistics.mean(on), statistics.mean(between)) if on and between else None


def course_of(one: Run) -> Course:
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
    if ends is not None and ends.level > LEARNED:
        ends = None  # no solution, so nothing that could be a stable one
    last = series[[ends is not None and holds(ends, step) for step in steps]]
    chaos = lyapunov_test(last, generator) if len(last) >= LEAST else None
    return Course(one, plateaus, hurst, chaos, _learning_steps(one))


def holds(plateau: Plateau, step: int) -> bool:
    """Whether an outer step is on a plateau."""
    return plateau.start <= step < plateau.stop + (not plateau.escaped)


def _learning_steps(one: Run) -> list[int | None]:
    steps, errors_of_outputs = measurements_of(one, "output_errors")
    return [
        first_below(steps, errors, CHANCE / 2) for errors in zip(*errors_of_outputs, strict=True)
    ]


def one_by_one(runs: Sequence[Run]) -> Claim:
    """How many are on their way at the same time: one of d, or all."""
    says = "Then the numbers are learned one by one"
    shares, counts = [], []
    for one in runs:
        _, rows = measurements_of(one, "output_errors")
        on_the_way = [
            [HALFWAY[0] < error / CHANCE < HALFWAY[1] for error in errors] for errors in rows
        ]
        some = [statistics.mean(of_row) for of_row in on_the_way if any(of_row)]
        shares += [statistics.mean(some)] if some else []
        counts.append(sum(step is not None for step in _learning_steps(one)))
    if not shares:
        return Claim(says, "no run learned a number", "undecided")
    evidence = (
        f"numbers learned (below half of chance), by seed: {', '.join(map(str, counts))}; while "
        f"any of them is between {HALFWAY[0]} and {HALFWAY[1]} of chance, {estimate(shares, 2)} of "
        "all are"
    )
    few, many = (positive([edge - share for share in shares]) for edge in (FEW, MANY))
    verdict: Verdict = "partly" if (few, many) == ("no", "yes") else "undecided"
    return Claim(says, evidence, "yes" if few == "yes" else "no" if many == "no" else verdict)
