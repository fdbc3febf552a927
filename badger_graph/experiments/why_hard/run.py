"""An experiment from its trainings to its JSON, table and figure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from badger_graph import plots
from badger_graph.experiments.trainings import train
from badger_graph.experiments.why_hard.base import Claim, Experiment
from badger_graph.files import require_outputs, write_json, write_text
from badger_graph.machine import machine
from topologies.checks import check, size

LARGEST = {"seeds": 1000, "max_steps": 2**53, "jobs": 1000}


def run(
    experiment: Experiment,
    name: str,
    seeds: int,
    max_steps: int,
    jobs: int,
    runs: str,
    out: str,
    command: str,
    arguments: str = "",
) -> dict[str, Any]:
    """Train what is not trained yet, and write ``<name>.json``, ``.md`` and ``.png`` into ``out``.

    Args:
        experiment: what to do.
        name: what it is called.
        seeds: seeds of each training.
        max_steps: outer steps of each at most.
        jobs: trainings side by side, one thread each.
        runs: where the trainings are kept.
        out: where the results go.
        command: what makes them again.
        arguments: further ones of ``fit.py`` for every training, after its own.

    Raises:
        ValueError: when a number is below 1.
    """
    for name_, value in (("seeds", seeds), ("max_steps", max_steps), ("jobs", jobs)):
        check(name_, value, *size(most=LARGEST[name_]))
    torch.set_num_threads(1)
    file = Path(out) / f"{name}.json"
    require_outputs(file)
    wanted = [
        one._replace(arguments=f"{one.arguments} {arguments}".strip())
        for seed in range(seeds)
        for one in experiment.trainings(seed, max_steps)
    ]
    trained = train(wanted, Path(runs) / name, jobs)
    findings = experiment.findings(trained)
    result: dict[str, Any] = {
        "title": experiment.title,
        "question": experiment.question,
        "command": command,
        "seeds": seeds,
        "max_steps": max_steps,
        "trainings": len(trained),
        "cpu_seconds": round(sum(one.cpu_seconds for one in trained)),
        "machine": machine(torch.device("cpu")),
        "claims": [claim._asdict() for claim in findings.claims],
        "columns": findings.columns,
        "rows": findings.rows,
        "numbers": findings.numbers,
        "panels": [panel._asdict() for panel in findings.panels],
    }
    write(file, result)
    return result


def write(file: Path, result: dict[str, Any]) -> None:
    """Write a result, and its table and figure beside it."""
    write_json(file, result)
    plots.panels(result["panels"]).savefig(file.with_suffix(".png"))
    write_text(file.with_suffix(".md"), markdown(result) + "\n")


WHOSE = {"blog": "the study", "suggested": "suggested by the study", "ours": "ours"}
"""Whose a claim is, in the words of the tables."""


def claims_of(result: dict[str, Any]) -> list[Claim]:
    """The claims of a result; those of files from before :attr:`Claim.of` are of the blog."""
    return [Claim(**claim) for claim in result["claims"]]


def markdown(result: dict[str, Any]) -> str:
    """The verdicts, then the table."""
    lines = ["| claim | measured | whose | holds |", "|---|---|---|---|"]
    for claim in claims_of(result):
        lines += [f"| {claim.says} | {claim.measured} | {WHOSE[claim.of]} | **{claim.holds}** |"]
    if result["columns"]:
        lines += ["", f"| {' | '.join(result['columns'])} |", "|---" * len(result["columns"]) + "|"]
        lines += [f"| {' | '.join(row)} |" for row in result["rows"]]
    return "\n".join(lines)
