"""Does whatever makes experts different remove the first plateau?"""

from __future__ import annotations

from collections.abc import Sequence

from badger_graph.experiments.trainings import Trained, Training
from badger_graph.experiments.why_hard import variants
from badger_graph.experiments.why_hard.base import (
    Claim,
    Experiment,
    Findings,
    Scale,
    Whose,
    in_all,
)
from badger_graph.experiments.why_hard.variants import FIRST, LEARNED_AT, SOLVED_AT

PLAIN = "plain"

VARIANTS = {
    PLAIN: "",
    "identifiers": "--model.agent.identifiers fixed",
    "random states at birth": "--model.agent.initial_state random",
    "exponential update": "--policy exponential",
    "own output weights": "--membrane own_readout",
    "diversity rewarded": "--model.regulariser badger_graph.outer.regularisers.Alikeness",
    "larger first weights": "--policy.gain 1.65",
}

REMOVES = "this removes the first plateau"

ALIKE = "the plateau on which all guess the same number"

CLAIMS: tuple[tuple[str, str, str, Whose], ...] = (
    (FIRST, "own output weights", f"Output weights of its own for each expert: {REMOVES}", "blog"),
    (LEARNED_AT, "own output weights", f"... shortens {ALIKE}", "blog"),
    (FIRST, "exponential update", f"The exponential update of states: {REMOVES}", "blog"),
    (LEARNED_AT, "exponential update", f"The exponential update shortens {ALIKE}", "blog"),
    (SOLVED_AT, "exponential update", "The exponential update solves the game sooner", "blog"),
    (LEARNED_AT, "diversity rewarded", f"More diverse experts shorten {ALIKE}", "blog"),
    (LEARNED_AT, "identifiers", f"Identifiers of experts shorten {ALIKE}", "ours"),
    (LEARNED_AT, "random states at birth", f"Random states at birth shorten {ALIKE}", "ours"),
    (LEARNED_AT, "larger first weights", f"Larger weights at the start shorten {ALIKE}", "ours"),
)

GONE = 64
"""A plateau that is left within fewer outer steps is none."""


class Symmetry(Experiment):
    """Ways to break the symmetry of experts, against the plain policy.

    Source: Šimánek (blog), "Symmetry" and "Mutual Information": different output weights of each
    expert, and the update ``0.5*hid0 + 0.7*(...)``, remove the first plateau.
    """

    title = "Breaking the symmetry of the experts"
    question = (
        "At birth all experts of the plain agent are in the same state, without identifiers: only "
        "their place in the graph, and whether they speak for an output, tells them apart. Which "
        "way of making them different shortens the plateaus: the first, of guessing zeros, and "
        "the second, on which all four guess the same number (MSE 0.25)?"
    )
    short = Scale(seeds=1, max_steps=1500)
    full = Scale(seeds=5, max_steps=3000)

    def trainings(self, seed: int, max_steps: int) -> list[Training]:
        return variants.trainings(VARIANTS, "symmetry", seed, max_steps)

    def findings(self, trained: Sequence[Trained]) -> Findings:
        compared = variants.compare(trained)
        max_steps = trained[0].training.max_steps
        columns, rows = variants.table(trained, compared, stop=0.005)
        return Findings(
            claims=[
                _removes(
                    variants.sooner_claim(says, compared, level, variant, PLAIN, max_steps, of),
                    compared.steps[level][variant],
                )
                for level, variant, says, of in CLAIMS
            ],
            panels=[variants.error_panel(trained, "Error in training")],
            columns=columns,
            rows=rows,
            numbers=variants.numbers(compared),
        )


def _removes(claim: Claim, steps: Sequence[int | None]) -> Claim:
    """What is only shorter is not removed."""
    if REMOVES not in claim.says:
        return claim
    gone = sum(step is not None and step <= GONE for step in steps)
    holds = in_all(gone, len(steps))
    if holds == "no" and claim.holds == "yes":
        holds = "partly"
    measured = f"{claim.measured}; left within {GONE} in {gone} of {len(steps)} seeds"
    return claim._replace(holds=holds, measured=measured)
