"""Does whatever makes experts different remove the first plateau?"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from badger_graph.experiments.trainings import Run
from badger_graph.experiments.why_hard import variants
from badger_graph.experiments.why_hard.base import by_name, estimate, in_all
from badger_graph.experiments.why_hard.experiment import Scale, TrainingExperiment
from badger_graph.experiments.why_hard.findings import Claim, Findings, Whose
from badger_graph.experiments.why_hard.variants import FIRST, LEARNED_AT, SOLVED_AT
from badger_graph.library.load import load_trained
from badger_graph.rollout import Recorder, unroll

PLAIN = "plain"

VARIANTS = {
    PLAIN: "",
    "identifiers": "--birth.identifiers fixed",
    "random states at birth": "--birth.initial_state random",
    "exponential update": "--policy exponential",
    "own output weights": "--membrane own_readout",
    "diversity rewarded": "--meta_loss sum",
    "larger first weights": "--policy.gain 1.65",
}

REMOVES = "this removes the first plateau"

ALIKE = "the plateau on which all guess the same number"

CLAIMS: tuple[tuple[str, str, str, Whose], ...] = (
    (FIRST, "own output weights", f"Output weights of its own for each expert: {REMOVES}", "blog"),
    (FIRST, "exponential update", f"The exponential update of states: {REMOVES}", "blog"),
    (FIRST, "larger first weights", f"Larger weights at the start: {REMOVES}", "ours"),
    (LEARNED_AT, "own output weights", f"Output weights of its own shorten {ALIKE}", "ours"),
    (LEARNED_AT, "exponential update", f"The exponential update shortens {ALIKE}", "ours"),
    (LEARNED_AT, "diversity rewarded", f"More diverse experts shorten {ALIKE}", "suggested"),
    (LEARNED_AT, "identifiers", f"Identifiers of experts shorten {ALIKE}", "ours"),
    (LEARNED_AT, "random states at birth", f"Random states at birth shorten {ALIKE}", "ours"),
    (LEARNED_AT, "larger first weights", f"Larger weights at the start shorten {ALIKE}", "ours"),
    (SOLVED_AT, "exponential update", "The exponential update solves the game sooner", "ours"),
)

GONE = 64
"""A plateau that is left within fewer outer steps is none."""

LONG = 5
"""Times as many inner steps as in training."""

EXPLODED = 10.0
"""States of a larger root mean square; those of the plain update stay within -1 and 1."""


class Symmetry(TrainingExperiment):
    """Ways to break the symmetry of experts, against the plain policy.

    Source: Šimánek (blog), "Symmetry" and "Mutual Information": different output weights of each
    expert, and the update ``0.5*hid0 + 0.7*(...)``, remove the first plateau.
    """

    name = "symmetry"
    title = "Breaking the symmetry of the experts"
    question = (
        "At birth all experts of the plain agent are in the same state, without identifiers: only "
        "their place in the graph, and whether they speak for an output, tells them apart. Which "
        "way of making them different shortens the plateaus: the first, of guessing zeros, and "
        "the second, on which all four guess the same number (MSE 0.25)?"
    )
    short = Scale(seeds=1, max_steps=1500)
    full = Scale(seeds=5, max_steps=3000)

    told = variants.told(VARIANTS, "symmetry")

    def findings(self, runs: Sequence[Run]) -> Findings:
        comparison = variants.compare(runs)
        columns, rows = variants.table(runs, comparison, stop=0.005)
        return Findings(
            claims=[
                _removes(
                    variants.sooner_claim(says, comparison, level, variant, PLAIN, of),
                    comparison.steps[level][variant],
                )
                for level, variant, says, of in CLAIMS
            ]
            + [_no_explosion(by_name(runs)["exponential update"])],
            panels=[variants.error_panel(runs, "Error in training", 4)],
            columns=columns,
            rows=rows,
            numbers=variants.numbers(comparison),
        )


def _removes(claim: Claim, steps: Sequence[int | None]) -> Claim:
    """What is only shorter is not removed."""
    if REMOVES not in claim.says:
        return claim
    successes = sum(step is not None and step <= GONE for step in steps)
    holds = in_all(successes, len(steps))
    if holds == "no" and claim.holds == "yes":
        holds = "partly"
    evidence = f"{claim.measured}; left within {GONE} in {successes} of {len(steps)} seeds"
    return claim._replace(holds=holds, measured=evidence)


def _no_explosion(runs: Sequence[Run]) -> Claim:
    """In lives as long as those of training, and in longer ones."""
    says = "The exponential update makes no states explode"
    pairs = [sizes for one in runs if (sizes := _sizes(one)) is not None]
    if not pairs:
        return Claim(says, "no run got to a checkpoint", "undecided")
    at_end, later = ([size[k] for size in pairs] for k in range(2))
    evidence = (
        f"root mean square of the states after a life as long as in training "
        f"{estimate(at_end, 1)}, "
        f"after {LONG} times as many inner steps {min(later):.1g} to {max(later):.1g}"
    )
    small, still_small = (sum(size < EXPLODED for size in sizes) for sizes in (at_end, later))
    verdict = in_all(small, len(pairs))
    if verdict == "yes" and still_small < len(pairs):
        verdict = "partly"
    return Claim(says, evidence, verdict)


@torch.no_grad()
def _sizes(one: Run) -> tuple[float, float] | None:
    """Of the states of the trained agent; none if it diverged before its first checkpoint."""
    if not one.checkpoint.is_file():
        return None
    training = load_trained(one.checkpoint)
    generator, recorder = torch.Generator().manual_seed(one.training.seed), Recorder(training.agent)
    num_steps = training.num_steps
    task = training.task.sample(64, training.num_outputs, generator)
    unroll(training.agent, task, training.num_experts, LONG * num_steps, generator, probe=recorder)
    hidden = recorder.arrays()["hidden"].double()
    first, last = (
        hidden[k - 1].square().mean().sqrt().item() for k in (num_steps, LONG * num_steps)
    )
    return first, last
