"""Do experts have to become more diverse before anything is learned?"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

from badger_graph.analysis.subject import COMPONENTS
from badger_graph.experiments.tables import median_steps
from badger_graph.experiments.trainings import Run, first_below
from badger_graph.experiments.why_hard.base import (
    CHANCE,
    LEARNED,
    LEFT,
    all_alike,
    curve,
    estimate,
    in_all,
    less,
    mean_error,
    measurement,
    measurements_of,
    plateaus_panel,
    positive,
    sign_claim,
    with_error,
)
from badger_graph.experiments.why_hard.experiment import Scale, TrainingExperiment
from badger_graph.experiments.why_hard.findings import Claim, Findings, Panel
from badger_graph.experiments.why_hard.standstill import LEAST, one_by_one

OUTPUTS = 4

ALIKE = LEFT / CHANCE * all_alike(OUTPUTS)
"""The plateau on which all outputs guess one number is left below this, as the first at LEFT."""

RIDGE = 1e-3
"""That of :meth:`badger_graph.analysis.GaussianEntropy.of_states`."""

COPIES = -COMPONENTS / 2 * math.log(1 - (1 + RIDGE) ** -2)
"""Nats that two experts share whose states are always the same."""

NOT_LEFT = "no run left the plateaus"

mean_pair = measurement("mutual_information", statistics.mean)
"""In the mean over all pairs of experts."""


class MutualInformation(TrainingExperiment):
    """Mutual information between pairs of experts, while 14 of them learn to guess 4 numbers.

    Source: Šimánek (blog), "Mutual Information" and its two figures.
    """

    name = "mutual_information"
    title = "Mutual information between experts"
    question = (
        "Fourteen experts, which nothing but their places in the graph tells apart at birth, learn "
        "to guess four numbers. First they guess zeros, then the same number for all four. At "
        "regular intervals the states that each pair of them is in at the end of its life are "
        "compared over 512 tasks: how much does one say about the other? If experts must first "
        "become different from each other, this falls when the second plateau is left, and before "
        "the error does. Two experts that are always in the same state would share "
        f"{COPIES:.1f} nats."
    )
    short = Scale(seeds=2, max_steps=1500)
    full = Scale(seeds=5, max_steps=5000)

    told: ClassVar = {"14 experts": "--config mutual_information --topology.seed {seed}"}

    def findings(self, runs: Sequence[Run]) -> Findings:
        courses = [_course(one) for one in runs]
        pairs = {
            "mean of all pairs": mean_pair,
            "largest": measurement("mutual_information", max),
            "smallest": measurement("mutual_information", min),
        }
        return Findings(
            claims=[
                _two_plateaus(courses),
                one_by_one(runs),
                _falls(courses),
                _first(courses),
                _rises(courses),
                _goes_with_error(runs),
            ],
            panels=[
                Panel(
                    "Mutual information of pairs",
                    "outer step",
                    "nats",
                    {name: curve(runs, read) for name, read in pairs.items()},
                    lines={"always the same state": COPIES},
                    log_x=True,
                ),
                plateaus_panel(runs, OUTPUTS),
                *map(_pairs_panel, runs),
            ],
            columns=["seed", *COLUMNS],
            rows=[
                [str(one.training.seed), *_cells(course)]
                for one, course in zip(runs, courses, strict=True)
            ],
            numbers={"courses": [course._asdict() for course in courses]},
        )


def _pairs_panel(one: Run) -> Panel:
    """Every pair of one seed, of which means over pairs and seeds say nothing: at every second
    measurement, to a hundredth of a nat.
    """
    steps, rows = (series[::2] for series in measurements_of(one, "mutual_information"))
    pairs = [[round(nats, 2) for nats in pair] for pair in zip(*rows, strict=True)]
    return Panel(
        f"Every pair, seed {one.training.seed}",
        "outer step",
        "nats",
        {"a pair each, and their median": {"x": steps, "y": pairs}},
        lines={"always the same state": COPIES},
        log_x=True,
    )


class Course(NamedTuple):
    """Error and mutual information of one training, plateau by plateau.

    Attributes:
        zeros: outer steps on the first plateau.
        alike: outer steps on the second, on which all guess the same number.
        on_zeros: mean mutual information on the first; none if it has none.
        on_alike: on the second.
        left: when both are left; none if they never are.
        end: at the end of training.
        error_falls: the outer step from which on, until it has learned, the error is below 90% of
            that of the second.
        pairs_fall: from which on mutual information is nearer to that when left than to that on it.
    """

    zeros: int
    alike: int
    on_zeros: float | None
    on_alike: float | None
    left: float | None
    end: float
    error_falls: int | None
    pairs_fall: int | None


def _course(one: Run) -> Course:
    steps, pairs = mean_pair(one)
    errors = mean_error(one)[1]
    every = steps[1] - steps[0] if len(steps) > 1 else 0
    bounds = ((LEFT, math.inf), (ALIKE, LEFT))
    zeros, alike = (
        [k for k, e in enumerate(errors) if steps[k] > 0 and low <= e < high]
        for low, high in bounds
    )
    on_zeros, on_alike = (
        statistics.mean(pairs[k] for k in part) if part else None for part in (zeros, alike)
    )
    departure = first_below(range(len(errors)), errors, LEARNED)
    left = None if departure is None else statistics.mean(pairs[departure : departure + 3])
    error_falls = pairs_fall = None
    if departure is not None and left is not None and on_alike is not None:
        middle = (on_alike + left) / 2
        error_falls, pairs_fall = (
            steps[max((k for k in range(departure) if series[k] > bound), default=-1) + 1]
            for series, bound in ((errors, ALIKE), (pairs, middle))
        )
    return Course(
        zeros=len(zeros) * every,
        alike=len(alike) * every,
        on_zeros=on_zeros,
        on_alike=on_alike,
        left=left,
        end=statistics.mean(pairs[-3:]),
        error_falls=error_falls,
        pairs_fall=pairs_fall,
    )


COLUMNS = {
    "outer steps at zeros": ("zeros", ","),
    "at one number for all": ("alike", ","),
    "nats a pair at zeros": ("on_zeros", ".1f"),
    "at one number": ("on_alike", ".1f"),
    f"when left (MSE {LEARNED})": ("left", ".1f"),
    "at the end": ("end", ".1f"),
    "they fall at": ("pairs_fall", ","),
    "the error falls at": ("error_falls", ","),
}
"""Of the table: what of a course, and how it is written."""


def _cells(course: Course) -> list[str]:
    values = [(getattr(course, name), form) for name, form in COLUMNS.values()]
    return ["-" if value is None else f"{value:{form}}" for value, form in values]


def _columns(courses: Sequence[Course], *names: str) -> list[list[Any]]:
    """So many numbers, each by seed, of the seeds that have them all."""
    rows = [[getattr(course, name) for name in names] for course in courses]
    return [[row[k] for row in rows if None not in row] for k in range(len(names))]


def _two_plateaus(courses: Sequence[Course]) -> Claim:
    both = sum(min(course.zeros, course.alike) >= LEAST for course in courses)
    evidence = (
        f"outer steps on the first: {median_steps([c.zeros for c in courses])}; on the second: "
        f"{median_steps([c.alike for c in courses])}; each is left at 90% of its error"
    )
    says = "Experts alike guess zeros first, then the same number for all"
    return Claim(says, evidence, in_all(both, len(courses)))


def _falls(courses: Sequence[Course]) -> Claim:
    says = "Mutual information is high while all guess the same number, and falls when that is left"
    on, left, end = _columns(courses, "on_alike", "left", "end")
    falls, later = less(left, than=on), less(end, than=on)
    evidence = (
        f"{estimate(on, 1)} of at most {COPIES:.1f} nats a pair there; lower by "
        f"{estimate(falls, 1)} when it has been left (MSE {LEARNED}), by "
        f"{estimate(later, 1)} at the end ({len(on)} seeds)"
    )
    verdict = positive(falls)
    if verdict != "yes" and positive(later) == "yes":
        verdict = "partly"
    return Claim(says, evidence if on else NOT_LEFT, verdict)


def _first(courses: Sequence[Course]) -> Claim:
    sooner = less(*_columns(courses, "pairs_fall", "error_falls"))
    return Claim(
        "It falls before the error does: experts must become different first",
        f"sooner by {estimate(sooner, 0)} outer steps "
        f"(each: {', '.join(f'{s:.0f}' for s in sooner)})"
        if sooner
        else NOT_LEFT,
        positive(sooner),
    )


def _rises(courses: Sequence[Course]) -> Claim:
    says = "It rises when the first plateau, of zeros, is left"
    zeros, alike = _columns(courses, "on_zeros", "on_alike")
    more = less(zeros, than=alike)
    evidence = (
        f"from {estimate(zeros, 1)} to {estimate(alike, 1)} nats a pair, by {estimate(more, 1)}"
        if more
        else "no run left the first plateau"
    )
    return Claim(says, evidence, positive(more), "ours")


def _goes_with_error(runs: Sequence[Run]) -> Claim:
    return sign_claim(
        "From one outer step to the next, too, less mutual information goes with a lower error",
        "rank correlation with the error while it learns, given the outer step: {}",
        with_error(runs, mean_pair),
    )
