"""Do experts have to become more diverse before anything is learned?"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from badger_graph.experiments.trainings import Trained, Training, first_below
from badger_graph.experiments.why_hard.base import (
    LEARNED,
    LEFT,
    Claim,
    Experiment,
    Findings,
    Panel,
    Scale,
    curve,
    mean_error,
    measured,
    plateaus_panel,
    positive,
    reached,
    shown,
    shown_steps,
    sign_claim,
    with_error,
)

mean_pair = measured("mutual_information", statistics.mean)
"""In the mean over all pairs of experts."""


class MutualInformation(Experiment):
    """Mutual information between pairs of experts, while 14 of them learn to guess 4 numbers.

    Source: Šimánek (blog), "Mutual Information" and its two figures.
    """

    title = "Mutual information between experts"
    question = (
        "Fourteen experts, which nothing but their places in the graph tells apart at birth, learn "
        "to guess four numbers. At regular intervals the states that each "
        "pair of them is in at the end of its life are compared over 512 tasks: how much does one "
        "say about the other? If experts must first become different from each other, this "
        "falls when the plateaus of the error are left: that of guessing zeros, and that on which "
        "all four guess the same number."
    )
    short = Scale(seeds=2, max_steps=1500)
    full = Scale(seeds=5, max_steps=5000)

    def trainings(self, seed: int, max_steps: int) -> list[Training]:
        return [
            Training(
                "14 experts", "--config mutual_information --topology.seed {seed}", seed, max_steps
            )
        ]

    def findings(self, trained: Sequence[Trained]) -> Findings:
        left = reached(trained, LEFT)
        changes = [_change(one) for one in trained]
        known = [change for change in changes if change is not None]
        largest = curve(trained, measured("mutual_information", max))
        smallest = curve(trained, measured("mutual_information", min))
        return Findings(
            claims=[_falls(known), _goes_with_error(trained)],
            panels=[
                Panel(
                    "Mutual information of pairs",
                    "outer step",
                    "nats",
                    {
                        "mean of all pairs": curve(trained, mean_pair),
                        "largest": largest,
                        "smallest": smallest,
                    },
                    log_x=True,
                ),
                plateaus_panel(trained, 4),
            ],
            columns=[
                "seed",
                "first plateau left at",
                "on the plateaus",
                f"when left (MSE {LEARNED})",
                "at the end",
                "highest",
            ],
            rows=[
                [str(one.training.seed), shown_steps([step]), *_cells(change)]
                for one, step, change in zip(trained, left, changes, strict=True)
            ],
            numbers={"left": left, "changes": changes},
        )


def _change(one: Trained) -> dict[str, float] | None:
    """Mutual information on the plateaus, when they have been left, and later; none if they never
    are, or at once.
    """
    learned = first_below(*mean_error(one), LEARNED)
    if learned is None:
        return None
    steps, values = mean_pair(one)
    pairs = list(zip(steps, values, strict=True))
    before = [value for step, value in pairs if 0 < step <= 0.9 * learned]
    after = [value for step, value in pairs if step >= learned]
    if not before:
        return None
    return {
        "on them": statistics.mean(before),
        "left": statistics.mean(after[:3]),
        "end": statistics.mean(after[-3:]),
        "highest": max(values),
    }


def _cells(change: dict[str, float] | None) -> list[str]:
    if change is None:
        return ["-"] * 4
    return [f"{change[name]:.3f}" for name in ("on them", "left", "end", "highest")]


def _falls(changes: list[dict[str, float]]) -> Claim:
    says = "Mutual information stays high on the plateaus and falls when they are left"
    if not changes:
        return Claim(says, "no run left the plateaus", "undecided")
    falls = [change["on them"] - change["left"] for change in changes]
    later = [change["on them"] - change["end"] for change in changes]
    peaks = [change["highest"] for change in changes]
    measured = (
        f"{shown([change['on them'] for change in changes])} nats a pair on the plateaus, highest "
        f"{shown(peaks)}; when they have been left (MSE {LEARNED}) lower by {shown(falls)}, "
        f"at the end by {shown(later)} ({len(changes)} seeds)"
    )
    verdict = positive(falls)
    if verdict != "yes" and positive(later) == "yes":
        verdict = "partly"
    return Claim(says, measured, verdict)


def _goes_with_error(trained: Sequence[Trained]) -> Claim:
    return sign_claim(
        "Less mutual information goes with a lower error",
        "rank correlation with the error while it learns, given the outer step: {}",
        with_error(trained, mean_pair),
    )
