"""Does another loss or another optimiser help?"""

from __future__ import annotations

import statistics
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from badger_graph.experiments.tables import median_steps
from badger_graph.experiments.trainings import Run
from badger_graph.experiments.why_hard import variants
from badger_graph.experiments.why_hard.base import (
    absent,
    by_name,
    estimate,
    less,
    positive,
)
from badger_graph.experiments.why_hard.experiment import Scale, TrainingExperiment
from badger_graph.experiments.why_hard.findings import Claim, Findings, Panel, Verdict, Whose
from badger_graph.experiments.why_hard.variants import FIRST, SOLVED_AT

PLAIN, L1 = "MSE, Adam", "L1, Adam"

VARIANTS = {
    PLAIN: "",
    L1: "--task.error l1",
    "log of the MSE, Adam": "--meta_loss log_error",
    "PCGrad": "--gradient jacobian --gradient.aggregator torchjd.aggregation.PCGrad",
    "UPGrad": "--gradient jacobian --gradient.aggregator torchjd.aggregation.UPGrad",
    "SOAP": variants.SOAP,
    "transiently chaotic": "--policy chaotic "
    "--trainer.callbacks+ badger_graph.callbacks.annealing.Annealing "
    "--trainer.callbacks.buffer policy.chaos --trainer.callbacks.factor 0.995",
}

HELP: tuple[tuple[str, str, Whose], ...] = (
    ("PCGrad", "Gradient surgery (PCGrad) needs fewer outer steps", "suggested"),
    ("UPGrad", "Gradient surgery (UPGrad) needs fewer outer steps", "suggested"),
    ("SOAP", "An optimiser that knows of curvature (SOAP) needs fewer outer steps", "suggested"),
    ("log of the MSE, Adam", "The log of the MSE needs fewer outer steps", "ours"),
)

LSTM, LSTM_L1 = "LSTM of three numbers, MSE", "LSTM of three numbers, L1"

LSTM_TOLD = (
    "--config lstm --config losses --policy.gain 1.65 --num_outputs 3 "
    f"--membrane.num_outputs 3 {variants.SOAP}"
)
"""With Adam it guesses zeros for more than 1,500 outer steps in most seeds, of either loss."""

LSTMS = {LSTM: LSTM_TOLD, LSTM_L1: f"{LSTM_TOLD} --task.error l1"}

MARGIN = 0.1
"""What is less than this part of the plain one's is no gain."""


class Losses(TrainingExperiment):
    """Losses, gradient surgery between outputs, a second-order optimiser, and transient chaos.

    Source: Šimánek (blog), "Why are the plateaus present?", points 2 to 4, "Transiently chaotic NN"
    and "Future"; Yu et al. 2020 (PCGrad); Quinton and Rey 2024 (UPGrad); Vyas et al. 2024 (SOAP).
    """

    name = "losses"
    title = "Losses and optimisers"
    question = (
        "Sixteen experts, which identifiers tell apart, learn to guess four numbers with another "
        "loss, with the gradients of the single numbers' errors made to agree, with an optimiser "
        "that knows of curvature, or with experts that begin chaotic and calm down. Which needs "
        "fewer outer steps, and which ends lower? All errors are MSE, whatever is minimised, and "
        "learning rates are the default's. The study compared L1 and MSE in an LSTM that is the "
        "whole agent: so does the second figure, for three numbers and with SOAP, as with "
        "Adam it seldom learns either."
    )
    short = Scale(seeds=2, max_steps=600)
    full = Scale(seeds=3, max_steps=1500)

    told = variants.told(VARIANTS, "losses") | LSTMS

    def findings(self, runs: Sequence[Run]) -> Findings:
        comparison = variants.compare(runs)
        columns, rows = variants.table(runs, comparison)
        return Findings(
            claims=[
                _not_sooner(comparison, "the LSTM meta-learner", LSTM_L1, LSTM, "blog"),
                _not_sooner(comparison, "Micro-Badger", L1, PLAIN, "ours"),
                *(
                    variants.sooner_claim(says, comparison, SOLVED_AT, name, PLAIN, of)
                    for name, says, of in HELP
                ),
                *(_cheaper(runs, comparison, name) for name in ("PCGrad", "UPGrad", "SOAP")),
                _chaos(comparison),
            ],
            panels=[
                variants.error_panel(_of_names(runs, VARIANTS), "Sixteen experts", 4),
                variants.error_panel(_of_names(runs, LSTMS), "LSTM meta-learner", 3),
            ],
            columns=columns,
            rows=rows,
            numbers=variants.numbers(comparison),
        )


def judge(numbers: Mapping[str, Any], max_steps: int) -> tuple[list[Claim], list[Panel]]:
    """What the outer steps of a result say of chaos, without its trainings."""
    ends = dict.fromkeys(VARIANTS, max_steps)
    return [_chaos(variants.Comparison(**numbers, max_steps=ends))], []


def _cheaper(runs: Sequence[Run], comparison: variants.Comparison, variant: str) -> Claim:
    """In CPU time, of which an outer step takes more."""
    groups = by_name(runs)

    def seconds(name: str) -> list[float]:
        return [
            one.cpu_seconds * min(1, (step or one.training.max_steps) / one.training.max_steps)
            for one, step in zip(groups[name], comparison.steps[SOLVED_AT][name], strict=True)
        ]

    ours, plain = seconds(variant), seconds(PLAIN)
    return Claim(
        f"... and {variant} does so in less CPU time",
        f"CPU seconds to '{SOLVED_AT}': {variant} {estimate(ours, 0)}, {PLAIN} "
        f"{estimate(plain, 0)}",
        positive(less(ours, than=plain)),
        "ours",
    )


def _of_names(runs: Sequence[Run], names: Collection[str]) -> list[Run]:
    return [one for one in runs if one.training.name in names]


def _not_sooner(
    comparison: variants.Comparison, learner: str, variant: str, plain_one: str, of: Whose
) -> Claim:
    """Undecided where the plain one never gets there: a gain is a part of its outer steps."""
    says = f"L1 in the place of MSE is no faster and ends no lower: {learner}"
    words, savings = variants.sooner(comparison, SOLVED_AT, variant, plain_one)
    plain, other = (comparison.lowest[name] for name in (plain_one, variant))
    steps = [step for step in comparison.steps[SOLVED_AT][plain_one] if step is not None]
    if not steps:
        return Claim(says, f"outer steps to '{SOLVED_AT}': {words}", "undecided", of)
    lower = less(other, than=plain)
    verdicts = {
        absent(savings, MARGIN * statistics.mean(steps)),
        absent(lower, MARGIN * statistics.mean(plain)),
    }
    verdict: Verdict = "no" if "no" in verdicts else "yes" if verdicts == {"yes"} else "undecided"
    evidence = (
        f"outer steps to '{SOLVED_AT}': {words}; saved {estimate(savings, 0)}; lowest MSE less by "
        f"{estimate(lower, 4)}; a gain of less than {MARGIN:.0%} counts as none"
    )
    return Claim(says, evidence, verdict, of)


def _chaos(comparison: variants.Comparison) -> Claim:
    """One schedule that nobody tuned can show that it is easy, not that it is hard."""
    name = "transiently chaotic"
    words, savings = variants.sooner(comparison, SOLVED_AT, name, PLAIN)
    left = median_steps(comparison.steps[FIRST][name])
    later = positive([-step for step in savings])
    return Claim(
        "Transiently chaotic experts are hard to bring to converge",
        f"with one schedule of chaos, not tuned: outer steps to '{SOLVED_AT}': {words}; first "
        f"plateau left: {left}; what others would do was not tried",
        "no" if later == "no" else "undecided",
    )
