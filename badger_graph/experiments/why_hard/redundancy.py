"""What does a further expert bring?"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from badger_graph.experiments.tables import median_steps
from badger_graph.experiments.trainings import Run
from badger_graph.experiments.why_hard.base import (
    CHANCE,
    SOLVED,
    absent,
    by_name,
    estimate,
    less,
    measurements_of,
    positive,
    steps_to_level,
)
from badger_graph.experiments.why_hard.experiment import Scale, TrainingExperiment
from badger_graph.experiments.why_hard.findings import Claim, Findings, Panel

MARGIN = 0.1
"""Less than this part of the outer steps, or of the error that counts as solved, is no gain."""

EXPERTS = (4, 6, 8, 12, 16, 24, 32)


SHARED = {
    "shared": "What the n-th of 16 experts shares",
    "binding": "Binding information of n experts",
}
"""Of what each further expert brings, and what is drawn of it, beside the untrained."""


class Redundancy(TrainingExperiment):
    """Agents of more and more experts that guess 4 numbers, and what each expert shares.

    Source: Šimánek (blog), "Organization": redundancy-dominated, so that more than some number of
    experts do not help and slow training down; Rosas et al. 2018 and 2019.
    """

    name = "redundancy"
    title = "Redundancy or synergy: what a further expert brings"
    question = (
        "Agents of 4 to 32 experts, which identifiers tell apart, learn to guess four numbers. In "
        "those of 16, how much does each further expert share with those before it? Where the "
        "first few tell nearly all, experts are redundant; where nothing can be told until nearly "
        "all are known, synergistic. And from how many experts on does nothing get better? Four is "
        "the least: each number has an expert who guesses it."
    )
    short = Scale(seeds=1, max_steps=1500)
    full = Scale(seeds=3, max_steps=3000)

    told: ClassVar = {
        f"{n} experts": f"--config redundancy --num_experts {n} --topology.k {min(4, n - 1)} "
        "--topology.seed {seed}"
        for n in EXPERTS
    }

    def findings(self, runs: Sequence[Run]) -> Findings:
        groups = by_name(runs)
        curves = {
            name: [measurements_of(one, "binding_curve")[1][k] for one in groups["16 experts"]]
            for name, k in (("trained", -1), ("untrained", 0))
        }
        errors = {n: [_final_error(one) for one in groups[f"{n} experts"]] for n in EXPERTS}
        steps = {n: steps_to_level(groups[f"{n} experts"], SOLVED) for n in EXPERTS}
        seconds = {n: [one.cpu_seconds for one in groups[f"{n} experts"]] for n in EXPERTS}
        before, after = (
            [curve["redundancy"] for curve in curves[name]] for name in ("untrained", "trained")
        )
        numbers = {
            "curves": curves,
            "redundancy": {"untrained": before, "trained": after},
            "errors": {str(n): of_size for n, of_size in errors.items()},
            "steps": {str(n): of_size for n, of_size in steps.items()},
        }
        return Findings(
            claims=[
                *_redundant(before, after),
                *_saturates(errors, steps, seconds, runs[0].training.max_steps),
            ],
            panels=[
                *_shared_panels(numbers),
                Panel(
                    "Error after training",
                    "experts N",
                    "MSE at the last step",
                    {"error": {"x": list(EXPERTS), "y": _by_seed(list(errors.values()))}},
                    log=True,
                ),
                Panel(
                    f"Outer steps until MSE {SOLVED}",
                    "experts N",
                    "outer steps",
                    {"steps": {"x": list(EXPERTS), "y": _by_seed(list(steps.values()))}},
                ),
            ],
            columns=["experts", f"outer steps to MSE {SOLVED}", "MSE at the end", "CPU seconds"],
            rows=[
                [
                    str(n),
                    median_steps(steps[n]),
                    estimate(errors[n], 4),
                    estimate(seconds[n], 0),
                ]
                for n in EXPERTS
            ],
            numbers=numbers,
        )


def judge(numbers: Mapping[str, Any], max_steps: int) -> tuple[list[Claim], list[Panel]]:
    """What the curves of a result show, without its trainings."""
    redundancy = numbers["redundancy"]
    return _redundant(redundancy["untrained"], redundancy["trained"]), _shared_panels(numbers)


def _shared_panels(numbers: Mapping[str, Any]) -> list[Panel]:
    def along(measure: str, curves: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        rows = [curve[measure] for curve in curves]
        return {"x": list(range(1, len(rows[0]) + 1)), "y": rows}

    return [
        Panel(
            title,
            "n",
            "nats",
            {name: along(measure, curves) for name, curves in numbers["curves"].items()},
        )
        for measure, title in SHARED.items()
    ]


def _final_error(one: Run) -> float:
    """The mean over the last tenth of training; chance if it diverged before it logged any."""
    _, errors = one.log_column("train/error")
    return statistics.mean(errors[-max(1, len(errors) // 10) :] or [CHANCE])


def _by_seed(columns: Sequence[Sequence[float | None]]) -> list[list[float | None]]:
    return [list(row) for row in zip(*columns, strict=True)]


def _redundant(before: Sequence[float], after: Sequence[float]) -> list[Claim]:
    """Against the untrained: who hears the same is redundant before anything is learned."""
    more = less(before, than=after)
    share = "(TC - B) / (TC + B) of 16 experts, from -1 for synergy to 1 for redundancy"
    return [
        Claim(
            "Trained experts are redundancy-dominated: each new one brings less",
            f"{share}: {estimate(after, 2)}",
            positive(after),
        ),
        Claim(
            "It is training that makes them so",
            f"untrained {estimate(before, 2)}, trained more by {estimate(more, 2)}",
            positive(more),
            "ours",
        ),
    ]


def _saturates(
    errors: dict[int, list[float]],
    steps: dict[int, list[int | None]],
    seconds: dict[int, list[float]],
    max_steps: int,
) -> list[Claim]:
    """Whether the largest agent is no better than some smaller one, and slower."""
    says = "From some number of experts on, more do not help"
    slow, dear = "... they slow training down", "... they cost more for each outer step"
    largest = EXPERTS[-1]

    def soon(n: int) -> list[float]:
        return [float(step or max_steps) for step in steps[n]]

    enough = next(
        (
            n
            for n in EXPERTS[:-1]
            if None not in steps[n]
            and absent(less(errors[largest], than=errors[n]), MARGIN * SOLVED) == "yes"
            and absent(less(soon(largest), soon(n)), MARGIN * statistics.mean(soon(n))) == "yes"
        ),
        None,
    )
    fewest = EXPERTS[0] if enough is None else enough
    words = (
        f"outer steps to MSE {SOLVED}: {fewest} experts {median_steps(steps[fewest])}, {largest} "
        f"experts {median_steps(steps[largest])}"
    )
    lower = f"error at the end lower by {estimate(less(errors[largest], than=errors[fewest]), 5)}"
    slower, dearer = less(soon(fewest), soon(largest)), less(seconds[fewest], seconds[largest])
    return [
        Claim(
            says,
            f"{words}; {lower}; less than {MARGIN:.0%} of the steps, or of {SOLVED}, is no help",
            "undecided" if enough is None else "yes",
        ),
        Claim(slow, f"{words}, more by {estimate(slower, 0)}", positive(slower)),
        Claim(
            dear,
            f"CPU seconds for all outer steps: {fewest} experts {estimate(seconds[fewest], 0)}, "
            f"{largest} experts more by {estimate(dearer, 0)}",
            positive(dearer),
            "ours",
        ),
    ]
