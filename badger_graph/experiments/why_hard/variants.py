"""Variants of one training beside each other: how soon each leaves the plateaus."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from badger_graph.experiments.tables import median_steps
from badger_graph.experiments.trainings import Run
from badger_graph.experiments.why_hard.base import (
    CHANCE,
    LEARNED,
    LEFT,
    SOLVED,
    all_alike,
    by_name,
    curve,
    estimate,
    less,
    lowest,
    positive,
    squared_error,
    steps_to_level,
)
from badger_graph.experiments.why_hard.findings import Claim, Panel, Whose

SOAP = (
    "--optimizer pytorch_optimizer.SOAP --optimizer.betas [0.9,0.999] --optimizer.weight_decay 0.0"
)
"""At the learning rate and with the averages of Adam."""

FIRST, LEARNED_AT, SOLVED_AT = (
    "first plateau left (MSE < 0.30)",
    f"MSE {LEARNED}",
    f"MSE {SOLVED}",
)

LEVELS = {FIRST: LEFT, LEARNED_AT: LEARNED, SOLVED_AT: SOLVED}
"""Errors whose first outer step is told."""


class Comparison(NamedTuple):
    """What variants did.

    Attributes:
        steps: by level, then by variant, the outer step of each seed; none if it never got there.
        lowest: by variant, the lowest error of each seed.
        max_steps: by variant, the outer steps of a training at most.
    """

    steps: dict[str, dict[str, list[int | None]]]
    lowest: dict[str, list[float]]
    max_steps: dict[str, int]


def told(variants: Mapping[str, str], config: str) -> dict[str, str]:
    """What each variant is told; its arguments come after those of the config."""
    start = f"--config {config} --topology.seed {{seed}}"
    return {name: f"{start} {arguments}".strip() for name, arguments in variants.items()}


def compare(runs: Sequence[Run]) -> Comparison:
    """Steps to each level and the lowest error of every variant, on the same tasks for all."""
    groups = by_name(runs)
    return Comparison(
        steps={
            label: {
                name: steps_to_level(group, level, squared_error, 1)
                for name, group in groups.items()
            }
            for label, level in LEVELS.items()
        },
        lowest={name: lowest(group) for name, group in groups.items()},
        max_steps={name: group[0].training.max_steps for name, group in groups.items()},
    )


def table(
    runs: Sequence[Run], comparison: Comparison, stop: float | None = None
) -> tuple[list[str], list[list[str]]]:
    """One row a variant; ``stop`` is the error below which training ends."""
    rows = []
    for name, group in by_name(runs).items():
        cells = [median_steps(steps[name]) for steps in comparison.steps.values()]
        seconds = statistics.mean(one.cpu_seconds for one in group)
        diverged = sum(one.diverged for one in group)
        label = f"{name} ({diverged} diverged)" if diverged else name
        rows.append([label, *cells, estimate(comparison.lowest[name], 4), f"{seconds:.0f}"])
    lowest_error = "lowest MSE" + ("" if stop is None else f" (training ends below {stop})")
    return ["variant", *LEVELS, lowest_error, "CPU seconds a run"], rows


def error_panel(runs: Sequence[Run], title: str, num_outputs: int) -> Panel:
    """The errors of all variants, beside those of the two plateaus."""
    curves = {name: curve(group, squared_error) for name, group in by_name(runs).items()}
    lines = {"chance": CHANCE, "one number for all": all_alike(num_outputs)}
    return Panel(title, "outer step", "MSE at the last step", curves, log=True, lines=lines)


def sooner(comparison: Comparison, level: str, variant: str, plain: str) -> tuple[str, list[float]]:
    """How much sooner than another, the plain one, a variant gets to a level: words, and each
    seed's difference in outer steps. One that never gets there counts as if it did at the end of
    the shorter of the two.
    """
    ours, theirs = (comparison.steps[level][name] for name in (variant, plain))
    end = min(comparison.max_steps[name] for name in (variant, plain))
    savings = less([step or end for step in ours], [step or end for step in theirs])
    return f"{variant}: {median_steps(ours)}, {plain}: {median_steps(theirs)}", savings


def sooner_claim(
    says: str,
    comparison: Comparison,
    level: str,
    variant: str,
    plain: str,
    of: Whose = "blog",
) -> Claim:
    """That a variant gets to a level in fewer outer steps than the plain one."""
    words, savings = sooner(comparison, level, variant, plain)
    evidence = f"outer steps to '{level}': {words}; saved {estimate(savings, 0)}"
    return Claim(says, evidence, positive(savings), of)


def numbers(comparison: Comparison) -> dict[str, Any]:
    """The comparison as plain data."""
    return {"steps": comparison.steps, "lowest": comparison.lowest}
