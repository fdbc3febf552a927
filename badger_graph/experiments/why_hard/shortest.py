"""What shortens the first plateau most?"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from operator import itemgetter

from badger_graph.experiments.trainings import Trained, Training
from badger_graph.experiments.why_hard import variants
from badger_graph.experiments.why_hard.base import (
    LEFT,
    Claim,
    Experiment,
    Findings,
    Scale,
    by_name,
    measured,
    positive,
    reached,
    shown,
    shown_steps,
    squared_error,
)

PLAIN = "Adam, MSE over the last half"

VARIANTS = {
    PLAIN: "",
    "larger first weights": "--policy.gain 1.65",
    "log of the error": "--meta_loss log_error",
    "last step alone": "--meta_loss last_step",
    "curriculum in d": "--curriculum one_more_output --curriculum.num_experts 24 "
    "--curriculum.last_share 1.0",
    "SOAP": variants.SOAP,
    "falling learning rate": "--model.decay_from 0.3",
    "all but the curriculum": "--config twenty_fast",
    "all": "--config twenty_fast --curriculum one_more_output --curriculum.num_experts 24 "
    "--curriculum.last_share 1.0",
}

FIRST, *_, LAST = variants.LEVELS

CONFLICT, LEFT_OF_SUM, ALIKE = WHY = (
    "pairs of gradients in conflict",
    "left of their sum",
    "guesses that are one number",
)
"""Measured in the mean until the first plateau is left, on games of twenty numbers."""

ASKED = 3000
"""Outer steps in which the game of twenty numbers is to be solved."""


class Shortest(Experiment):
    """The game of twenty numbers with one thing changed, and with all.

    Source: Šimánek (blog), "Plateaus in training" and "Conclusion": ways out.
    """

    title = "What shortens the first plateau most"
    question = (
        "Twenty-four experts guess twenty numbers in thirty steps. Trained plainly, they guess "
        "zeros for more than a thousand outer steps. How soon is that plateau left, and the game "
        "solved to an MSE of 0.01, when one thing is changed, and when all are?"
    )
    short = Scale(seeds=1, max_steps=1000)
    full = Scale(seeds=3, max_steps=3000)

    def trainings(self, seed: int, max_steps: int) -> list[Training]:
        return variants.trainings(VARIANTS, "twenty --config shortest", seed, max_steps)

    def findings(self, trained: Sequence[Trained]) -> Findings:
        compared = variants.compare(trained, squared_error, 1)
        columns, rows = variants.table(trained, compared, stop=0.001)
        groups = by_name(trained)
        why = {name: [_on_first(one) for one in group] for name, group in groups.items()}
        max_steps = trained[0].training.max_steps
        return Findings(
            claims=[
                _most(compared, max_steps),
                _solved(compared),
                variants.sooner_claim(
                    "A curriculum in d by error reached solves twenty numbers sooner",
                    compared,
                    LAST,
                    "curriculum in d",
                    PLAIN,
                    max_steps,
                ),
                _why(why),
            ],
            panels=[variants.error_panel(trained, "Error in training", squared_error, 1)],
            columns=[*columns, *WHY],
            rows=[
                [*row, *(_cell(why[name], what) for what in WHY)]
                for row, name in zip(rows, groups, strict=True)
            ],
            numbers={**variants.numbers(compared), "on the first plateau": why},
        )


def _most(compared: variants.Compared, max_steps: int) -> Claim:
    """The best single change against the second best: somebody is always best."""
    steps = compared.steps[FIRST]
    single = [name for name in VARIANTS if not name.startswith(("all", PLAIN))]
    best, second, *_ = sorted(
        single, key=lambda name: statistics.mean(step or max_steps for step in steps[name])
    )
    _, saved = variants.sooner(compared, FIRST, best, PLAIN, max_steps)
    words, more = variants.sooner(compared, FIRST, best, second, max_steps)
    return Claim(
        f"Of single changes, '{best}' shortens the first plateau most",
        f"outer steps until it is left: {words}; saved {shown(more, 0)} against the second, "
        f"{shown(saved, 0)} against plain",
        positive(more),
    )


def _solved(compared: variants.Compared) -> Claim:
    name = "all but the curriculum"
    steps = compared.steps[LAST][name]
    within = all(step is not None and step < ASKED for step in steps)
    return Claim(
        f"Twenty numbers can be solved to MSE 0.01 in fewer than {ASKED:,} outer steps",
        f"{name}: {shown_steps(steps)}; plain: {shown_steps(compared.steps[LAST][PLAIN])}",
        "yes" if within else "no",
    )


def _on_first(one: Trained) -> dict[str, float]:
    """Why it stands still there, or does not, by WHY."""
    (left,) = reached([one], LEFT, squared_error, 1)
    reads = {
        CONFLICT: measured("gradient_conflict", itemgetter("negative_share")),
        LEFT_OF_SUM: measured("gradient_conflict", itemgetter("alignment")),
        ALIKE: measured("outputs_alike", itemgetter("common")),
    }
    courses = {what: zip(*read(one), strict=True) for what, read in reads.items()}
    return {
        what: statistics.mean(value for step, value in course if left is None or step <= left)
        for what, course in courses.items()
    }


def _cell(why: Sequence[dict[str, float]], what: str) -> str:
    return shown([of_one[what] for of_one in why], 2)


def _why(why: Mapping[str, Sequence[dict[str, float]]]) -> Claim:
    """On the tasks of all twenty numbers, which a curriculum has not come to yet."""
    pairs = zip(why["curriculum in d"], why[PLAIN], strict=True)
    more = [ours[LEFT_OF_SUM] - plain[LEFT_OF_SUM] for ours, plain in pairs]
    words = (
        f"{what}: {_cell(why['curriculum in d'], what)}, plain {_cell(why[PLAIN], what)}"
        for what in WHY
    )
    return Claim(
        "With a curriculum in d the gradients of all twenty numbers agree more, before the first "
        "plateau is left",
        "; ".join(words),
        positive(more),
    )
