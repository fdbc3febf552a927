"""Does another loss or another optimiser help?"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from badger_graph.experiments.trainings import Trained, Training
from badger_graph.experiments.why_hard import variants
from badger_graph.experiments.why_hard.base import (
    Claim,
    Experiment,
    Findings,
    Scale,
    Verdict,
    absent,
    positive,
    shown,
    squared_error,
)

PLAIN = "MSE, Adam"

VARIANTS = {
    PLAIN: "",
    "L1, Adam": "--task.error l1",
    "log of the MSE, Adam": "--meta_loss log_error",
    "PCGrad": "--model.aggregator torchjd.aggregation.PCGrad",
    "UPGrad": "--model.aggregator torchjd.aggregation.UPGrad",
    "SOAP": variants.SOAP,
    "transiently chaotic": "--policy chaotic --trainer.callbacks+ badger_graph.outer.anneal.Anneal "
    "--trainer.callbacks.buffer policy.chaos --trainer.callbacks.factor 0.995",
}

*_, LAST = variants.LEVELS

MARGIN = 0.1
"""What is less than this part of the plain one's is no gain."""


class Losses(Experiment):
    """Losses, gradient surgery between outputs, a second-order optimiser, and transient chaos.

    Source: Šimánek (blog), "Why are the plateaus present?", points 2 to 4, "Transiently chaotic NN"
    and "Future"; Yu et al. 2020 (PCGrad); Quinton and Rey 2024 (UPGrad); Vyas et al. 2024 (SOAP).
    """

    title = "Losses and optimisers"
    question = (
        "Sixteen experts learn to guess four numbers with another loss, with the gradients of the "
        "single numbers' errors made to agree, with an optimiser that knows of curvature, or with "
        "experts that begin chaotic and calm down. Which needs fewer outer steps, and which ends "
        "lower? All errors are MSE, whatever is minimised, and learning rates are the default's."
    )
    short = Scale(seeds=1, max_steps=1200)
    full = Scale(seeds=3, max_steps=3000)

    def trainings(self, seed: int, max_steps: int) -> list[Training]:
        return variants.trainings(VARIANTS, "losses", seed, max_steps)

    def findings(self, trained: Sequence[Trained]) -> Findings:
        compared = variants.compare(trained, squared_error, 1)
        max_steps = trained[0].training.max_steps
        columns, rows = variants.table(trained, compared)
        return Findings(
            claims=[
                _not_sooner(compared, max_steps),
                _sooner(compared, max_steps, "PCGrad", "Gradient surgery (PCGrad) helps"),
                _sooner(compared, max_steps, "UPGrad", "Gradient surgery (UPGrad) helps"),
                _sooner(compared, max_steps, "SOAP", "An optimiser that knows of curvature helps"),
                _chaos(compared),
            ],
            panels=[variants.error_panel(trained, "Error in training", squared_error, 1)],
            columns=columns,
            rows=rows,
            numbers=variants.numbers(compared),
        )


def _sooner(compared: variants.Compared, max_steps: int, variant: str, says: str) -> Claim:
    return variants.sooner_claim(says, compared, LAST, variant, PLAIN, max_steps)


def _not_sooner(compared: variants.Compared, max_steps: int) -> Claim:
    words, saved = variants.sooner(compared, LAST, "L1, Adam", PLAIN, max_steps)
    plain, other = (compared.lowest[name] for name in (PLAIN, "L1, Adam"))
    lower = [a - b for a, b in zip(plain, other, strict=True)]
    needed = [step or max_steps for step in compared.steps[LAST][PLAIN]]
    found = {
        absent(saved, MARGIN * statistics.mean(needed)),
        absent(lower, MARGIN * statistics.mean(plain)),
    }
    verdict: Verdict = "no" if "no" in found else "yes" if found == {"yes"} else "undecided"
    measured = (
        f"outer steps to '{LAST}': {words}; saved {shown(saved, 0)}; lowest MSE less by "
        f"{shown(lower, 4)}; less than {MARGIN:.0%} counts as nothing"
    )
    says = "L1 in the place of MSE converges no faster and to no lower error"
    return Claim(says, measured, verdict)


def _chaos(compared: variants.Compared) -> Claim:
    plain, chaotic = (compared.lowest[name] for name in (PLAIN, "transiently chaotic"))
    worse = [ours - theirs for ours, theirs in zip(chaotic, plain, strict=True)]
    measured = f"lowest MSE {shown(chaotic, 4)}, plain {shown(plain, 4)}"
    return Claim(
        "Transiently chaotic experts are hard to bring to converge", measured, positive(worse)
    )
