"""What are the plateaus of a game of twenty numbers, and what happens on them?"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from scipy.stats import binomtest

from badger_graph.analysis import Plateau, SurrogateTest
from badger_graph.experiments.tables import median_steps
from badger_graph.experiments.trainings import Run
from badger_graph.experiments.why_hard.base import (
    CHANCE,
    LEARNED,
    LEFT,
    Series,
    all_alike,
    by_name,
    curve,
    error,
    estimate,
    in_all,
    less,
    log_column,
    measurement,
    measurements_of,
    near_zero,
    positive,
    steps_to_level,
)
from badger_graph.experiments.why_hard.experiment import Scale, TrainingExperiment
from badger_graph.experiments.why_hard.findings import Claim, Findings, Panel, Verdict
from badger_graph.experiments.why_hard.standstill import (
    LEAST,
    SHARE,
    Course,
    course_of,
    holds,
    one_by_one,
)
from badger_graph.experiments.why_hard.variants import SOAP

THREE = "three numbers"
"""The game of which the study looks at the solution: it is reached soon."""

TRAINED = {"Adam": "--config twenty", "SOAP": f"--config twenty {SOAP}", THREE: "--num_outputs 3"}
"""One loss for all, so that gradients can be compared."""

WINDOW = 20
"""Outer steps that curves are drawn in means of."""

CLOSE = 0.05
"""A Hurst exponent is very close to that of noise when it is shown to be nearer to it than this."""

gradient_norm = log_column("train/gradient_norm")
"""Before clipping, of every outer step."""


class Plateaus(TrainingExperiment):
    """The game of 20 numbers: error, gradients and curvature on plateaus and between them.

    Source: Šimánek (blog), "Plateaus in training" and "Why are the plateaus present?", points 1
    to 3, with the figure "The error of the guessing game, N=20".
    """

    name = "plateaus"
    title = "Plateaus of the guessing game of twenty numbers"
    question = (
        "Twenty-four experts, which identifiers tell apart, learn to guess twenty numbers from one "
        "error, which stands still for long before it falls: with Adam, and with an optimiser that "
        "knows of curvature, SOAP, and nothing else changed. How many such plateaus are there? Is "
        "the error on them more than noise, is the gradient small, do the gradients of the single "
        "numbers' errors pull in different directions, and is there a direction in which the loss "
        "curves downwards, so that a plateau is a saddle? Are the numbers learned one by one? And "
        "once three are, in a game of its own, does the curve look chaotic, more than noise does?"
    )
    short = Scale(seeds=2, max_steps=1200)
    full = Scale(seeds=3, max_steps=4000)

    told: ClassVar = {
        name: f"{arguments} --config plateaus --topology.seed {{seed}}"
        for name, arguments in TRAINED.items()
    }
    longest: ClassVar = {"SOAP": 3000, THREE: 3000}

    def findings(self, runs: Sequence[Run]) -> Findings:
        courses = [course_of(one) for one in runs]
        three = [course for course in courses if course.one.training.name == THREE]
        twenty = [course for course in courses if course not in three]
        return Findings(
            claims=[
                *(
                    claim._replace(says=f"{claim.says}: {name}")
                    for name in by_name([course.one for course in twenty])
                    for claim in _claims([c for c in twenty if c.one.training.name == name])
                ),
                _chaos(three),
            ],
            panels=_panels(twenty),
            columns=[
                "training",
                "seed",
                "plateau",
                "error / chance",
                "Hurst exponent (shuffled)",
                "gradient norm",
                "negative cosines",
                "smallest curvature",
            ],
            rows=[
                _row(course, plateau, hurst)
                for course in courses
                for plateau, hurst in zip(course.plateaus, course.hurst, strict=True)
            ],
            numbers={
                "plateaus": [[p._asdict() for p in course.plateaus] for course in courses],
                "hurst": [[h._asdict() for h in course.hurst] for course in courses],
                "lyapunov": [course.chaos and course.chaos._asdict() for course in courses],
                "learned": [course.learned_at for course in courses],
            },
        )


def _claims(courses: Sequence[Course]) -> list[Claim]:
    """Of runs of one recipe, so that seeds are what is counted."""
    return [
        _several(courses),
        _noise([course.hurst for course in courses]),
        _small_gradients(courses),
        _alike_first(courses),
        one_by_one([course.one for course in courses]),
        _conflict(courses),
        _saddles(courses),
    ]


def judge(numbers: Mapping[str, Any], max_steps: int) -> tuple[list[Claim], list[Panel]]:
    """What the exponents of a result say, without its trainings."""
    claims = []
    for k, name in enumerate(TRAINED):
        if name != THREE:
            seeds = numbers["hurst"][k :: len(TRAINED)]
            claim = _noise([[SurrogateTest(**test) for test in of_one] for of_one in seeds])
            claims.append(claim._replace(says=f"{claim.says}: {name}"))
    return claims, []


negative_share = measurement("gradient_conflict", "negative_share")
alignment = measurement("gradient_conflict", "alignment")
smallest_curvature = measurement("hessian", "smallest")


# ------------------------------------------------------------------------------------ claims


def _several(courses: Sequence[Course]) -> Claim:
    """Of the runs that got off the first: how many the others would have had, nobody knows."""
    says = "There are several plateaus, the first of them at chance"
    left = steps_to_level([course.one for course in courses], LEFT)
    off = [course for course, step in zip(courses, left, strict=True) if step is not None]
    counts = ", ".join(str(len(course.plateaus)) for course in courses)
    evidence = (
        f"plateaus of at least {LEAST} outer steps in each seed: {counts}; error first below "
        f"{LEFT:.2f} after {median_steps(left)} outer steps"
    )
    both = sum(len(c.plateaus) > 1 and _at_chance(c.plateaus[0]) for c in off)
    return Claim(says, evidence, in_all(both, len(off)))


def _at_chance(plateau: Plateau) -> bool:
    return abs(plateau.level / CHANCE - 1) < SHARE


def _noise(by_seed: Sequence[Sequence[SurrogateTest]]) -> Claim:
    """That shuffled copies do not exclude an exponent does not show that it is theirs: the interval
    over seeds must lie close to it. One copy of twenty lies outside by chance; more are memory.
    Each error is that of a fresh batch: this alone makes noise of it.
    """
    says = "On plateaus the error is noise, its Hurst exponent very close to 0.5"
    tests = [test for of_seed in by_seed for test in of_seed]
    beyond = [
        statistics.mean(test.value - (test.low + test.high) / 2 for test in of_seed)
        for of_seed in by_seed
        if of_seed
    ]
    if not tests:
        return Claim(says, "no run has a plateau", "undecided")
    outside = sum(not test.low <= test.value <= test.high for test in tests)
    values = ", ".join(f"{t.value:.2f} ({t.low:.2f} to {t.high:.2f})" for t in tests)
    evidence = (
        f"on {len(tests)} plateaus, beside shuffled copies: {values}; {outside} outside of theirs; "
        f"beyond the middle of theirs by {estimate(beyond)}, a seed its mean, and less than "
        f"{CLOSE} is close; that every outer step has a fresh batch would alone give 0.5"
    )
    verdict = near_zero(beyond, CLOSE)
    by_chance = float(binomtest(outside, len(tests), 0.05, "greater").pvalue) > 0.05
    return Claim(says, evidence, "partly" if verdict == "yes" and not by_chance else verdict)


def _small_gradients(courses: Sequence[Course]) -> Claim:
    says = "On plateaus the gradient is small"
    return _differs(says, "gradient norm", courses, gradient_norm, lower=True)


def _alike_first(courses: Sequence[Course]) -> Claim:
    """At their best before the first output is learned, and only where guesses are no rounding."""
    says = "First all outputs guess the same number, which is not zero"
    common = []
    for course in courses:
        first = min((step for step in course.learned_at if step is not None), default=None)
        least = (CHANCE / len(course.learned_at)) ** 0.5 / 2  # half of the best common guess
        shares = [
            alike["common"]
            for step, alike in zip(*measurements_of(course.one, "outputs_alike"), strict=True)
            if alike["size"] > least and (first is None or step <= first)
        ]
        common += [max(shares)] if shares else []
    evidence = (
        "largest share of the guesses that is one number for all, before the first output is "
        f"learned: {estimate(common, 2)}"
        if common
        else "no run guessed anything else than zero"
    )
    return Claim(says, evidence, in_all(sum(share > 0.9 for share in common), len(common)))


def _chaos(courses: Sequence[Course]) -> Claim:
    """Of the solution of three numbers, where training ends. Memory, such as that of an error that
    still falls, parts a curve from shuffled copies as chaos does: more than partly is not shown.
    """
    says = "The Lyapunov exponent of the last plateau is positive, the solution not stable"
    tests = [course.chaos for course in courses if course.chaos is not None]
    if not tests:
        return Claim(says, f"no run ended on a plateau below an MSE of {LEARNED}", "undecided")
    ends = median_steps([course.plateaus[-1].start for course in courses if course.chaos])
    above = sum(test.value > test.high for test in tests)
    value, low, high = (
        estimate([getattr(test, name) for test in tests], 2) for name in ("value", "low", "high")
    )
    evidence = (
        f"three numbers, from outer step {ends} on: {value} a step, but that of noise is positive, "
        f"too: shuffled copies have {low} to {high}; above theirs in {above} of {len(tests)}, "
        "which a slow drift explains as well as chaos"
    )
    verdict = in_all(sum(test.value > 0 for test in tests), len(tests))
    return Claim(says, evidence, "partly" if verdict == "yes" else verdict)


def _conflict(courses: Sequence[Course]) -> Claim:
    claim = _differs(
        "On plateaus the gradients of the single numbers conflict (ray interference)",
        "share of pairs with a negative cosine",
        courses,
        negative_share,
    )
    on, between = _contrasts(courses, alignment)
    left = f"; what is left of their sum {estimate(on)}, between {estimate(between)}"
    return claim._replace(measured=claim.measured + (left if on else ""))


def _saddles(courses: Sequence[Course]) -> Claim:
    """Beside the curvature between plateaus: hardly any point of a loss curves upwards alone."""
    says = "Plateaus are saddles, the loss curves downwards in some direction"
    read = measurement("hessian", lambda h: h["smallest"] / h["largest"])
    at_most = measurement("hessian", lambda h: h["smallest"] + h["smallest_residual"])
    by_seed = [
        [
            bound < 0
            for step, bound in zip(*at_most(course.one), strict=True)
            if any(holds(plateau, step) for plateau in course.plateaus)
        ]
        for course in courses
    ]
    negative = [sign for of_seed in by_seed for sign in of_seed]
    if not negative:
        return Claim(says, "nothing was measured on a plateau", "undecided")
    more = _differs(says, "smallest over largest eigenvalue", courses, read, lower=True)
    words = (
        f"the smallest eigenvalue of the Hessian is negative beyond its error in {sum(negative)} "
        f"of {len(negative)} measurements on plateaus; {more.measured}"
    )
    several = sum(map(bool, by_seed)) > 1
    verdict: Verdict = in_all(sum(negative), len(negative)) if several else "undecided"
    # Between plateaus it may be as negative: a plateau is then no more of a saddle than the rest.
    if verdict == "yes" and more.holds != "yes":
        verdict = "partly"
    return Claim(says, words, verdict)


def _differs(
    says: str,
    what: str,
    courses: Sequence[Course],
    read: Callable[[Run], Series],
    lower: bool = False,
) -> Claim:
    """Whether a number is higher, or lower, on plateaus than between them."""
    on, between = _contrasts(courses, read)
    evidence = f"{what} {estimate(on)} on plateaus, {estimate(between)} between"
    return Claim(
        says,
        evidence if on else "no run has both plateaus and something between them",
        positive(less(on, between) if lower else less(between, on)),
    )


def _contrasts(
    courses: Sequence[Course], read: Callable[[Run], Series]
) -> tuple[list[float], list[float]]:
    """The means of a number on plateaus and between them, of the runs that have both."""
    pairs = [pair for course in courses if (pair := course.contrast(read(course.one)))]
    return [on for on, _ in pairs], [between for _, between in pairs]


# ----------------------------------------------------------------------------- table, figure


def _row(course: Course, plateau: Plateau, hurst: SurrogateTest) -> list[str]:
    def mean(series: Series, digits: int) -> str:
        values = [v for step, v in zip(*series, strict=True) if holds(plateau, step)]
        return f"{statistics.mean(values):.{digits}f}" if values else "-"

    one = course.one
    return [
        one.training.name,
        str(one.training.seed),
        f"{plateau.start}-{plateau.stop}",
        f"{plateau.level / CHANCE:.3f}",
        f"{hurst.value:.2f} ({hurst.low:.2f} to {hurst.high:.2f})",
        mean(gradient_norm(one), 3),
        mean(negative_share(one), 2),
        mean(smallest_curvature(one), 3),
    ]


def _panels(courses: Sequence[Course]) -> list[Panel]:
    """Of single numbers only those runs that learned some."""
    chance = {"chance": CHANCE}
    levels = chance | {"one number for all": all_alike(len(courses[0].learned_at))}
    runs = [course.one for course in courses]
    groups = by_name(runs)
    learners = [course.one for course in courses if any(course.learned_at)] or runs
    count = len(courses[0].learned_at)
    ranks = sorted({(count - 1) * k // 4 for k in range(5)})

    def in_means(read: Callable[[Run], Series]) -> dict[str, dict[str, Any]]:
        return {name: curve(group, read, WINDOW) for name, group in groups.items()}

    def best(k: int) -> Callable[[Run], Series]:
        return measurement("output_errors", lambda errors: sorted(errors)[k])

    return [
        Panel("Error", "outer step", "MSE at the last step", in_means(error), True, levels),
        Panel("Gradient norm", "outer step", "norm", in_means(gradient_norm), True),
        Panel(
            f"Error of single numbers: {', '.join(by_name(learners))}",
            "outer step",
            "squared error",
            {f"number {k + 1} of {count}, by error": curve(learners, best(k)) for k in ranks},
            log=True,
            lines=chance,
        ),
        Panel(
            "Left of the sum of the numbers' gradients",
            "outer step",
            "share",
            {name: curve(group, alignment) for name, group in groups.items()},
        ),
    ]
