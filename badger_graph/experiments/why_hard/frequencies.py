"""Are low frequencies learned first?"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from scipy.stats import spearmanr

from badger_graph.experiments.supervised import train_supervised
from badger_graph.experiments.trainings import Trained, Training
from badger_graph.experiments.why_hard.base import (
    Claim,
    Experiment,
    Findings,
    Panel,
    Scale,
    Verdict,
    by_name,
    curve,
    measured,
    positive,
    shown,
    shown_steps,
)

SUPERVISED, LSTM, BINS = "supervised LSTM", "LSTM meta-learner", "LSTM meta-learner, 12 bins"
BADGER_11, BADGER_41 = "Micro-Badger, n=11", "Micro-Badger, n=41"

LEARNERS = {
    LSTM: "--config waves_lstm",
    BINS: "--config waves_lstm_bins",
    BADGER_11: "--config waves --topology.seed {seed}",
    BADGER_41: "--config waves_41 --topology.seed {seed}",
}

RECORD_EVERY = 20
"""Outer steps between two measurements, of the supervised learner, too."""

KNOWN = 0.1
"""A frequency is known when its amplitude, in phase, is as near as this to 1."""

AT_REST = 0.1
"""A life has come to rest when its last guesses move by less than this part of their size."""

last_moves = measured(lambda row: row["last_moves"])


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


class Frequencies(Experiment):
    """Supervised LSTM, LSTM meta-learner with and without bins, and Badger on sums of waves.

    Source: Šimánek (blog), "F-principle" and "How does the F-principle apply to Badger?";
    Rabinowitz 2019, "Meta-learners' learning dynamics are unlike learners'".
    """

    title = "The frequency principle"
    question = (
        "All learners guess n samples of a sum of waves that share one random phase: a network "
        "that is told the phase, and agents that are only told how wrong their last guess was. "
        "Networks that are told usually learn low frequencies first. From which outer step on is "
        f"the amplitude of each frequency, in phase with the target, within {KNOWN:.0%} of right? "
        "A positive rank correlation of frequency and step says: low ones first."
    )
    short = Scale(seeds=1, max_steps=2000)
    full = Scale(seeds=3, max_steps=4000)

    def trainings(self, seed: int, max_steps: int) -> list[Training]:
        return [
            Training(name, f"{told} --config frequencies", seed, max_steps)
            for name, told in LEARNERS.items()
        ]

    def findings(self, trained: Sequence[Trained]) -> Findings:
        groups = by_name(trained)
        courses = {SUPERVISED: [_supervised(one.training) for one in groups[LSTM]]}
        courses |= {name: [_course(one) for one in group] for name, group in groups.items()}
        return Findings(
            claims=[
                _low_first(courses[SUPERVISED], f"Low frequencies first: {SUPERVISED}", True),
                *(
                    _low_first(courses[name], f"Not low frequencies first: {name}", False)
                    for name in LEARNERS
                ),
                _low_better(courses[LSTM]),
                _comes_to_rest(groups[BINS], "With the error in bins a life comes to rest", True),
                _rests_when_learned(groups[BINS]),
                _comes_to_rest(groups[LSTM], "With the exact error it does not", False),
                _even_better(courses[BINS]),
                _differs(courses[BADGER_11]),
                _impossible(courses),
            ],
            panels=[*(_panel(name, of_one) for name, of_one in courses.items()), _moves(groups)],
            columns=[
                "learner",
                f"amplitudes within {KNOWN:.0%} of 1",
                "first known from",
                "last known from",
                "rank correlation",
                "moves of the last guesses",
                "lowest MSE",
            ],
            rows=[_row(name, of_one, groups.get(name)) for name, of_one in courses.items()],
            numbers={
                name: [{"known_from": one.known_from, "left": one.left} for one in of_one]
                for name, of_one in courses.items()
            },
        )


def _supervised(training: Training) -> Course:
    """Trained here and now, for as many steps as the others: 10 ms a step."""
    learned = train_supervised(
        training.seed, num_steps=training.max_steps, record_every=RECORD_EVERY
    )
    return Course(learned.step.tolist(), learned.amplitude.tolist())


def _course(one: Trained) -> Course:
    rows = one.measured()
    return Course([row["step"] for row in rows], [row["amplitudes"]["in_phase"] for row in rows])


def _from_then_on(steps: Sequence[int], amplitudes: Sequence[float]) -> int | None:
    far = [k for k, amplitude in enumerate(amplitudes) if abs(1 - amplitude) > KNOWN]
    first = far[-1] + 1 if far else 0
    return steps[first] if first < len(steps) else None


def _correlation(one: Sequence[float], other: Sequence[float]) -> tuple[float, float] | None:
    """Spearman's, and its p-value; none where one does not vary."""
    if len(set(one)) < 2 or len(set(other)) < 2:
        return None
    found = spearmanr(one, other)
    return float(found.statistic), float(found.pvalue)


def _orders(courses: Sequence[Course]) -> list[tuple[float, float]]:
    """Of each seed, the correlation of frequency and step, where any frequency is known."""
    found = (_correlation(range(len(one.order)), one.order) for one in courses)
    return [pair for pair in found if pair is not None]


# ------------------------------------------------------------------------------------ claims


def _low_first(courses: Sequence[Course], says: str, claimed: bool) -> Claim:
    found = _orders(courses)
    if not found:
        return Claim(says, "no frequency was known before another", "undecided")
    low = sum(value > 0 and p_value < 0.05 for value, p_value in found)
    measured = (
        f"rank correlation {shown([value for value, _ in found], 2)}; low frequencies first "
        f"(p < 0.05) in {low} of {len(found)} seeds"
    )
    return Claim(says, measured, _in_all(low if claimed else len(found) - low, len(found)))


def _low_better(courses: Sequence[Course]) -> Claim:
    return _goes_with(
        f"{LSTM}: low frequencies end slightly nearer to 1",
        "rank correlation of frequency and distance from 1 at the end",
        [_correlation(range(len(one.left)), one.left) for one in courses],
    )


def _even_better(courses: Sequence[Course]) -> Claim:
    """Frequencies are counted from 1."""
    even = [statistics.mean(one.left[1::2]) for one in courses]
    odd = [statistics.mean(one.left[::2]) for one in courses]
    more = [b - a for a, b in zip(even, odd, strict=True)]
    measured = f"distance from 1 at the end: even {shown(even)}, odd {shown(odd)}"
    return Claim(f"{BINS}: even frequencies come nearer to 1", measured, positive(more))


def _comes_to_rest(trained: Sequence[Trained], says: str, claimed: bool) -> Claim:
    moves = [last_moves(one)[1][-1] for one in trained]
    rest = sum(move < AT_REST for move in moves)
    measured = f"the last 5 steps move guesses by {shown(moves)} of their size"
    return Claim(says, measured, _in_all(rest if claimed else len(moves) - rest, len(moves)))


def _rests_when_learned(trained: Sequence[Trained]) -> Claim:
    return _goes_with(
        "... and the more so, the lower its error in training",
        "rank correlation of moves and error",
        [
            _correlation(last_moves(one)[1], [row["squared_error"] for row in one.measured()])
            for one in trained
        ],
    )


def _goes_with(says: str, what: str, pairs: Sequence[tuple[float, float] | None]) -> Claim:
    found = [pair[0] for pair in pairs if pair is not None]
    if not found:
        return Claim(says, "nothing that varies", "undecided")
    return Claim(says, f"{what} {shown(found, 2)}", positive(found))


def _differs(courses: Sequence[Course]) -> Claim:
    says = f"{BADGER_11}: some frequencies are known earlier than others, in a random order"
    pairs = (_correlation(a.order, b.order) for a, b in itertools.combinations(courses, 2))
    found = [pair[0] for pair in pairs if pair is not None]
    if not found:
        return Claim(says, "needs two seeds with an order", "undecided")
    mean = statistics.mean(found)
    measured = f"rank correlation of the orders of two seeds {mean:.2f}, in the mean over pairs"
    return Claim(says, measured, "yes" if mean < 0.5 else "no")


def _impossible(courses: Mapping[str, Sequence[Course]]) -> Claim:
    few, many = courses[BADGER_11], courses[BADGER_41]
    words = [
        f"{', '.join(str(one.known) for one in of_one)} of {len(of_one[0].left)} ({name})"
        for name, of_one in ((BADGER_41, many), (BADGER_11, few))
    ]
    solved = sum(one.known == len(one.left) for one in many)
    measured = f"amplitudes within {KNOWN:.0%} of 1 at the end, by seed: {'; '.join(words)}"
    says = "Micro-Badger cannot be trained for as many as 41 samples"
    return Claim(says, measured, _in_all(len(many) - solved, len(many)))


def _in_all(count: int, total: int) -> Verdict:
    return "yes" if count == total else "partly" if count else "no"


# ----------------------------------------------------------------------------- table, figure


def _row(name: str, courses: Sequence[Course], trained: Sequence[Trained] | None) -> list[str]:
    known = [[s for s in one.known_from if s is not None] for one in courses]
    orders = [value for value, _ in _orders(courses)]
    moves = [last_moves(one)[1][-1] for one in trained or []]
    errors = [min(row["squared_error"] for row in one.measured()) for one in trained or []]
    return [
        name,
        ", ".join(f"{one.known} of {len(one.left)}" for one in courses),
        shown_steps([min(steps, default=None) for steps in known]),
        shown_steps([max(steps, default=None) for steps in known]),
        shown(orders, 2) if orders else "-",
        shown(moves) if moves else "-",
        shown(errors, 4) if errors else "-",
    ]


def _panel(name: str, courses: Sequence[Course]) -> Panel:
    """Five frequencies, from the lowest to the highest."""
    highest = len(courses[0].left)
    chosen = sorted({1 + (highest - 1) * k // 4 for k in range(5)})
    curves: dict[str, dict[str, Any]] = {
        f"frequency {k}": {
            "x": courses[0].steps,
            "y": [[row[k - 1] for row in one.amplitudes] for one in courses],
        }
        for k in chosen
    }
    return Panel(name, "outer step", "amplitude in phase", curves, lines={"right": 1.0})


def _moves(groups: Mapping[str, Sequence[Trained]]) -> Panel:
    return Panel(
        "Moves of the last guesses of a life",
        "outer step",
        "part of their size",
        {name: curve(group, last_moves) for name, group in groups.items()},
        log=True,
    )
