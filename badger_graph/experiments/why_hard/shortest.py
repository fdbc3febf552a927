"""What shortens the first plateau most?"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence

from badger_graph.experiments.tables import median_steps
from badger_graph.experiments.trainings import Run
from badger_graph.experiments.why_hard import variants
from badger_graph.experiments.why_hard.base import (
    LEFT,
    by_name,
    estimate,
    in_all,
    measurement,
    positive,
    squared_error,
    steps_to_level,
)
from badger_graph.experiments.why_hard.experiment import Scale, TrainingExperiment
from badger_graph.experiments.why_hard.findings import Claim, Findings, Verdict
from badger_graph.experiments.why_hard.variants import FIRST, SOLVED_AT

PLAIN = "Adam, MSE over the last half"

CURRICULUM = "curriculum in d"
ONE_MORE = "--curriculum one_more_output --curriculum.num_experts 24 --curriculum.last_share 1.0"

VARIANTS = {
    PLAIN: "",
    "larger first weights": "--policy.gain 1.65",
    "log of the error": "--meta_loss log_error",
    "last step alone": "--meta_loss last_step",
    CURRICULUM: ONE_MORE,
    "SOAP": variants.SOAP,
    "exponential update": "--policy exponential",
    "own output weights": "--membrane own_readout",
    "--config fast": "--config fast",
    f"--config fast, {CURRICULUM}": f"--config fast {ONE_MORE}",
}

CONFLICT, LEFT_OF_SUM, ALIKE, GROWTH = WHY = (
    "pairs of gradients in conflict",
    "left of their sum",
    "guesses that are one number",
    "growth of the guesses",
)
"""Measured until the first plateau is left, on games of twenty numbers: means, and the factor in
100 outer steps by which the part of the guesses grows that depends on the task.
"""

SIZE = measurement("outputs_alike", "size")
"""Root mean square of the part of the guesses that depends on the task."""

TOGETHER = ("--config fast", f"--config fast, {CURRICULUM}")
"""Larger first weights, the log of the last error, SOAP and a falling rate; and on top of these."""

LONGEST = 1500
"""Outer steps of a single change at most: what counts is the first plateau."""

ASKED = 3000
"""Outer steps in which the game of twenty numbers is to be solved."""

SOONER = (
    ("Together (`--config fast`) they shorten it", FIRST, TOGETHER[0], PLAIN),
    ("A curriculum in d by error reached shortens the first plateau", FIRST, CURRICULUM, PLAIN),
    ("On top of `--config fast` it solves twenty numbers sooner", SOLVED_AT, *TOGETHER[::-1]),
)
"""Claims that a variant gets to a level sooner than another."""


class Shortest(TrainingExperiment):
    """The game of twenty numbers with one thing changed, and with all.

    Source: Šimánek (blog), "Plateaus in training" and "Conclusion": ways out.
    """

    name = "shortest"
    title = "What shortens the first plateau most"
    question = (
        "Twenty-four experts, which identifiers tell apart, guess twenty numbers in thirty steps. "
        "Trained plainly, they guess zeros for more than a thousand outer steps. How soon is that "
        "plateau left, and the game solved to an MSE of 0.01, when one thing is changed (for at "
        "most 1,500 outer steps), and with `--config fast`: larger first weights, the log of the "
        "error of the last step alone, SOAP, and a rate that falls to zero? And why?"
    )
    short = Scale(seeds=1, max_steps=700)
    full = Scale(seeds=3, max_steps=3000)

    told = variants.told(VARIANTS, "twenty --config shortest")
    longest = dict.fromkeys(VARIANTS.keys() - {*TOGETHER}, LONGEST)

    def findings(self, runs: Sequence[Run]) -> Findings:
        comparison = variants.compare(runs)
        columns, rows = variants.table(runs, comparison, stop=0.001)
        groups = by_name(runs)
        why = {name: [_on_first(one) for one in group] for name, group in groups.items()}
        together, curriculum, on_top = (
            variants.sooner_claim(says, comparison, level, variant, plain, "ours")
            for says, level, variant, plain in SOONER
        )
        return Findings(
            claims=[
                _most(comparison),
                together,
                _solvable(comparison),
                curriculum,
                on_top,
                _agree(why),
                _grow(why),
            ],
            panels=[variants.error_panel(runs, "Error in training", 20)],
            columns=[*columns, *WHY],
            rows=[
                [*row, *(_cell(why[name], what) for what in WHY)]
                for row, name in zip(rows, groups, strict=True)
            ],
            numbers={**variants.numbers(comparison), "on the first plateau": why},
        )


def _most(comparison: variants.Comparison) -> Claim:
    """The best single change against the second best: somebody is always best."""
    steps = comparison.steps[FIRST]
    single = [name for name in VARIANTS if name not in (PLAIN, *TOGETHER)]
    longest = comparison.max_steps[PLAIN]
    best, second, *_ = sorted(
        single, key=lambda name: statistics.mean(step or longest for step in steps[name])
    )
    _, savings = variants.sooner(comparison, FIRST, best, PLAIN)
    words, more = variants.sooner(comparison, FIRST, best, second)
    return Claim(
        f"Of single changes, '{best}' shortens the first plateau most",
        f"outer steps until it is left: {words}; saved {estimate(more, 0)} against the second, "
        f"{estimate(savings, 0)} against plain",
        positive(more),
        "ours",
    )


def _solvable(comparison: variants.Comparison) -> Claim:
    name = TOGETHER[0]
    steps = comparison.steps[SOLVED_AT][name]
    within = sum(step is not None and step < ASKED for step in steps)
    return Claim(
        f"Twenty numbers can be solved to MSE 0.01 in fewer than {ASKED:,} outer steps",
        f"{name}: {median_steps(steps)}; plain: {median_steps(comparison.steps[SOLVED_AT][PLAIN])}",
        in_all(within, len(steps)) if comparison.max_steps[name] >= ASKED else "undecided",
        "ours",
    )


def _on_first(one: Run) -> dict[str, float] | None:
    """Why it stands still there, or does not, by WHY; none if nothing was measured there."""
    (left,) = steps_to_level([one], LEFT, squared_error, 1)
    reads = {
        CONFLICT: measurement("gradient_conflict", "negative_share"),
        LEFT_OF_SUM: measurement("gradient_conflict", "alignment"),
        ALIKE: measurement("outputs_alike", "common"),
    }
    courses = {what: zip(*read(one), strict=True) for what, read in reads.items()}
    values = {
        what: [v for step, v in course if 0 < step <= (left or step)]
        for what, course in courses.items()
    }
    sizes = {
        step: size for step, size in zip(*SIZE(one), strict=True) if 0 < step <= (left or step)
    }
    if len(sizes) < 2 or not all(values.values()):
        return None
    (first, *_, last) = sizes
    growth = math.exp(math.log(sizes[last] / sizes[first]) * 100 / (last - first))
    return {what: statistics.mean(of_one) for what, of_one in values.items()} | {GROWTH: growth}


def _cell(why: Sequence[dict[str, float] | None], what: str) -> str:
    numbers = [of_one[what] for of_one in why if of_one is not None]
    return estimate(numbers, 2)


def _agree(why: Mapping[str, Sequence[dict[str, float] | None]]) -> Claim:
    """On the tasks of all twenty numbers, which a curriculum has not come to yet."""
    pairs = zip(why[CURRICULUM], why[PLAIN], strict=True)
    more = [ours[LEFT_OF_SUM] - plain[LEFT_OF_SUM] for ours, plain in pairs if ours and plain]
    words = (
        f"{what}: {_cell(why[CURRICULUM], what)}, plain {_cell(why[PLAIN], what)}" for what in WHY
    )
    return Claim(
        "With a curriculum in d the gradients of all twenty numbers agree more, before the first "
        "plateau is left",
        "; ".join(words),
        positive(more),
        "ours",
    )


def _grow(why: Mapping[str, Sequence[dict[str, float] | None]]) -> Claim:
    """Whose guesses say nothing of the task gets no gradient to say more, nor to listen."""
    plain, ours = (
        [math.log(of_one[GROWTH]) for of_one in why[name] if of_one is not None]
        for name in (PLAIN, TOGETHER[0])
    )
    says = (
        "On the first plateau plain guesses depend less and less on the task, and so do gradients; "
        f"with {TOGETHER[0]} more and more"
    )
    if not plain or not ours:
        return Claim(says, "not measured on the plateau", "undecided", "ours")
    verdicts = {positive([-rate for rate in plain]), positive(ours)}
    verdict: Verdict = "no" if "no" in verdicts else "yes" if verdicts == {"yes"} else "undecided"
    words = (
        f"grow in 100 outer steps by a factor of {_cell(why[PLAIN], GROWTH)}, with {TOGETHER[0]} "
        f"of {_cell(why[TOGETHER[0]], GROWTH)}"
    )
    return Claim(says, words, verdict, "ours")
