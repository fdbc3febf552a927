"""Are low frequencies learned first?"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from badger_graph.experiments.tables import median_steps
from badger_graph.experiments.trainings import Run
from badger_graph.experiments.why_hard.amplitudes import KNOWN, Course, wave_course
from badger_graph.experiments.why_hard.base import (
    CHANCE,
    absent,
    by_name,
    curve,
    estimate,
    in_all,
    less,
    lowest,
    measurement,
    positive,
    rank_correlation,
    sign_claim,
    squared_error,
)
from badger_graph.experiments.why_hard.experiment import Scale, TrainingExperiment
from badger_graph.experiments.why_hard.findings import Claim, Findings, Panel
from badger_graph.experiments.why_hard.supervised import train_supervised
from badger_graph.files import write_json

SUPERVISED, LSTM, BINS = "supervised LSTM", "LSTM meta-learner", "LSTM meta-learner, 12 bins"
BADGER_11, BADGER_41 = "Micro-Badger, n=11", "Micro-Badger, n=41"
FAST_41 = "Micro-Badger, n=41, fast recipe"

OFTEN = (
    " --measurements.measures "
    "'{{amplitudes: 5, last_moves: 5, steps_at_rest: 5, squared_error: 5}}'"
)
"""Where amplitudes rise within some tens of outer steps, as their order is asked for."""

LEARNERS = {
    LSTM: "--config waves_lstm" + OFTEN,
    BINS: "--config waves_lstm_bins" + OFTEN,
    BADGER_11: "--config waves --topology.seed {seed}" + OFTEN,
    BADGER_41: "--config waves_41 --topology.seed {seed}",
    FAST_41: "--config waves_41 --config fast --topology.seed {seed}" + OFTEN,
}

RECORD_EVERY = 20
"""Outer steps between two measurements, of the supervised learner, too."""

AT_REST = 0.1
"""A life has come to rest when its last guesses move by less than this part of their size."""

WEAK = 0.5
"""A rank correlation that is surely below this shows that there is no order to speak of."""

NOT_LEARNED = "no run got below half of chance"

last_moves = measurement("last_moves")
steps_at_rest = measurement("steps_at_rest")


class Frequencies(TrainingExperiment):
    """Supervised LSTM, LSTM meta-learner with and without bins, and Badger on sums of waves.

    Source: Šimánek (blog), "F-principle" and "How does the F-principle apply to Badger?";
    Rabinowitz 2019, "Meta-learners' learning dynamics are unlike learners'".
    """

    name = "frequencies"
    title = "The frequency principle"
    question = (
        "All learners guess n samples of a sum of waves that share one random phase: a network "
        "that is told the phase, and agents that are only told how wrong their last guess was. "
        "Networks that are told usually learn low frequencies first. From which outer step on is "
        f"the amplitude of each frequency, in phase with the target, more than half of right? "
        f"And is it within {KNOWN:.0%} of right at the end? "
        "A positive rank correlation of frequency and step says: low ones first. Experts of "
        "Micro-Badger are told apart by identifiers. The learner with 12 bins and the fast recipe "
        "are trained by the last guess of a life alone, and may move until then."
    )
    short = Scale(seeds=1, max_steps=1000)
    full = Scale(seeds=3, max_steps=4000)

    told: ClassVar = {
        name: f"--config frequencies {arguments}" for name, arguments in LEARNERS.items()
    }
    longest: ClassVar = {BINS: 1500, BADGER_41: 1000, FAST_41: 1000}
    """The rate of those with SOAP falls to the end."""

    def findings(self, runs: Sequence[Run]) -> Findings:
        groups = by_name(runs)
        courses = {SUPERVISED: [_supervised(one) for one in groups[LSTM]]}
        courses |= {name: [wave_course(one) for one in group] for name, group in groups.items()}
        return Findings(
            claims=[
                _low_first(courses[SUPERVISED], f"Low frequencies first: {SUPERVISED}", True),
                *(
                    _low_first(courses[name], f"Not low frequencies first: {name}", False)
                    for name in LEARNERS
                ),
                *(_together(courses, name) for name in (LSTM, BINS)),
                _low_better(_successes(groups[LSTM])),
                _comes_to_rest(
                    _successes(groups[BINS]), "With the error in bins a life comes to rest", True
                ),
                _rests_when_learned(_successes(groups[BINS])),
                _comes_to_rest(_successes(groups[LSTM]), "With the exact error it does not", False),
                _even_better(_successes(groups[BINS])),
                _apart(courses),
                _at_random(courses[BADGER_11]),
                _impossible(courses),
            ],
            panels=[*(_panel(name, of_one) for name, of_one in courses.items()), _rest(groups)],
            columns=[
                "learner",
                "outer steps",
                f"amplitudes within {KNOWN:.0%} of 1",
                "first learned at",
                "last learned at",
                "rank correlation",
                "moves of the last guesses",
                "lowest MSE",
            ],
            rows=[_row(name, of_one, groups.get(name)) for name, of_one in courses.items()],
            numbers={
                name: [{"learned_at": one.learned_at, "left": one.left} for one in of_one]
                for name, of_one in courses.items()
            },
        )


def _supervised(beside: Run) -> Course:
    """Trained here, once, for as many steps as the meta-learner of its seed: 10 ms a step."""
    file = beside.folder / "supervised.json"
    if not file.is_file():
        seed, num_steps = beside.training.seed, beside.training.max_steps
        course = train_supervised(seed, num_steps=num_steps, record_every=RECORD_EVERY)
        write_json(file, course._asdict())
    return Course(**json.loads(file.read_text()))


def _successes(runs: Sequence[Run]) -> list[Run]:
    """Those below half of chance at the end: who guesses nothing is at rest from the start."""
    return [one for one in runs if squared_error(one)[1][-1] < CHANCE / 2]


def _orders(courses: Sequence[Course]) -> list[float]:
    """Of each seed, the correlation of frequency and step, where half of the frequencies are
    learned: the order of a few says nothing of the others. All at once is no order.
    """
    return [
        rank_correlation(range(len(one.order)), one.order) or 0.0
        for one in courses
        if 2 * sum(step is not None for step in one.learned_at) >= len(one.order)
    ]


# ------------------------------------------------------------------------------------ claims


def _low_first(courses: Sequence[Course], says: str, claimed: bool) -> Claim:
    rhos = _orders(courses)
    evidence = f"rank correlation of frequency and step {estimate(rhos, 2)} in {len(rhos)} seeds"
    return Claim(
        says,
        evidence if rhos else "no run learned half of the frequencies",
        positive(rhos) if claimed else absent(rhos, WEAK),
    )


def _low_better(runs: Sequence[Run]) -> Claim:
    left = [wave_course(one).left for one in runs]
    return sign_claim(
        f"{LSTM}: low frequencies end slightly nearer to 1",
        "rank correlation of frequency and distance from 1 at the end {}",
        [rank_correlation(range(len(of_one)), of_one) for of_one in left],
    )


def _even_better(runs: Sequence[Run]) -> Claim:
    """Frequencies are counted from 1."""
    says = f"{BINS}: even frequencies come nearer to 1"
    left = [wave_course(one).left for one in runs]
    even = [statistics.mean(of_one[1::2]) for of_one in left]
    odd = [statistics.mean(of_one[::2]) for of_one in left]
    evidence = f"distance from 1 at the end: even {estimate(even)}, odd {estimate(odd)}"
    return Claim(says, evidence if runs else NOT_LEARNED, positive(less(even, than=odd)))


def _comes_to_rest(runs: Sequence[Run], says: str, claimed: bool) -> Claim:
    moves = [last_moves(one)[1][-1] for one in runs]
    rest = sum(move < AT_REST for move in moves)
    evidence = f"the last 5 steps move guesses by {estimate(moves)} of their size"
    measured = evidence if moves else NOT_LEARNED
    return Claim(says, measured, in_all(rest if claimed else len(moves) - rest, len(moves)))


def _rests_when_learned(runs: Sequence[Run]) -> Claim:
    """From where the error is below half of chance."""
    pairs = []
    for one in runs:
        errors = squared_error(one)[1]
        later = [k for k, error in enumerate(errors) if error < CHANCE / 2]
        rest = steps_at_rest(one)[1]
        pairs.append(rank_correlation([rest[k] for k in later], [-errors[k] for k in later]))
    return sign_claim(
        "... for more inner steps, the lower its error in training",
        "rank correlation of steps at rest and minus the error {}",
        pairs,
    )


def _together(courses: Mapping[str, Sequence[Course]], name: str) -> Claim:
    """Against the supervised learner of the same seed."""
    words, closer = _less_spread(courses, name, SUPERVISED)
    says = f"All frequencies are learned at about the same time: {name}"
    return Claim(says, words, positive(closer))


def _apart(courses: Mapping[str, Sequence[Course]]) -> Claim:
    """More than those of the learner that is said to learn them at the same time."""
    words, closer = _less_spread(courses, BADGER_11, LSTM)
    says = f"{BADGER_11}: some frequencies are learned earlier than others"
    return Claim(says, words, positive([-by for by in closer]))


def _less_spread(
    courses: Mapping[str, Sequence[Course]], name: str, other: str
) -> tuple[str, list[float]]:
    """How much closer together than another a learner learns all frequencies: words, and each
    seed's difference.
    """
    pairs = [
        (one.spread, than.spread)
        for one, than in zip(courses[name], courses[other], strict=True)
        if one.spread is not None and than.spread is not None
    ]
    if not pairs:
        return "no run learned all frequencies", []
    ours, theirs = ([pair[k] for pair in pairs] for k in range(2))
    words = (
        "time from the first to the last learned, in parts of the median one: "
        f"{estimate(ours, 2)}, {other} {estimate(theirs, 2)}"
    )
    return words, less(ours, than=theirs)


def _at_random(courses: Sequence[Course]) -> Claim:
    """Each seed's order against the mean of the others', so that seeds are what is counted."""
    says = "... in a random order"
    rhos = []
    for k, one in enumerate(courses):
        others = [other.order for j, other in enumerate(courses) if j != k]
        mean = [statistics.mean(steps) for steps in zip(*others, strict=True)]
        rho = rank_correlation(one.order, mean) if mean else None
        rhos += [] if rho is None else [rho]
    if len(rhos) < 3:
        return Claim(says, "needs three seeds with an order, as two are one pair", "undecided")
    evidence = f"rank correlation of each seed's order with that of the others {estimate(rhos, 2)}"
    return Claim(says, evidence, absent(rhos, WEAK))


def _impossible(courses: Mapping[str, Sequence[Course]]) -> Claim:
    attempts = {name: courses[name] for name in (BADGER_41, FAST_41, BADGER_11)}
    words = [
        f"{', '.join(str(one.num_known) for one in of_one)} of {len(of_one[0].left)} ({name})"
        for name, of_one in attempts.items()
    ]
    solutions, seeds = max(
        (sum(one.num_known == len(one.left) for one in of_one), len(of_one))
        for of_one in (courses[BADGER_41], courses[FAST_41])
    )
    evidence = f"amplitudes within {KNOWN:.0%} of 1 at the end, by seed: {'; '.join(words)}"
    says = "Micro-Badger cannot be trained for as many as 41 samples"
    return Claim(says, evidence, in_all(seeds - solutions, seeds))


# ----------------------------------------------------------------------------- table, figure


def _row(name: str, courses: Sequence[Course], runs: Sequence[Run] | None) -> list[str]:
    learning_steps = [[s for s in one.learned_at if s is not None] for one in courses]
    moves = [last_moves(one)[1][-1] for one in runs or []]
    return [
        name,
        f"{max(one.steps[-1] for one in courses):,}",
        ", ".join(f"{one.num_known} of {len(one.left)}" for one in courses),
        median_steps([min(steps, default=None) for steps in learning_steps]),
        median_steps([max(steps, default=None) for steps in learning_steps]),
        estimate(_orders(courses), 2),
        estimate(moves),
        estimate(lowest(runs or []), 4),
    ]


def _panel(name: str, courses: Sequence[Course]) -> Panel:
    """Five frequencies, from the lowest to the highest."""
    highest = len(courses[0].left)
    frequencies = sorted({1 + (highest - 1) * k // 4 for k in range(5)})
    steps = max((one.steps for one in courses), key=len)  # one that diverged has fewer
    curves: dict[str, dict[str, Any]] = {
        f"frequency {k}": {
            "x": steps,
            "y": [
                [row[k - 1] for row in one.amplitudes] + [None] * (len(steps) - len(one.steps))
                for one in courses
            ],
        }
        for k in frequencies
    }
    return Panel(name, "outer step", "amplitude in phase", curves, lines={"right": 1.0})


def _rest(groups: Mapping[str, Sequence[Run]]) -> Panel:
    """Of runs that learned: near zero, rounding decides which guesses are the same."""
    successes = {name: _successes(group) for name, group in groups.items()}
    return Panel(
        "Steps at rest at the end of a life, of runs that learned",
        "outer step",
        "inner steps",
        {name: curve(group, steps_at_rest) for name, group in successes.items() if group},
    )
