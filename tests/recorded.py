"""Trainings that never were: their folders, with what they are said to have logged."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from badger_graph.experiments.trainings import Run, Training
from badger_graph.logs import MEASUREMENTS


def recorded(
    folder: Path,
    seed: int,
    errors: Sequence[float],
    rows: Sequence[dict[str, Any]] = (),
    gradients: Sequence[float] = (),
    every: int = 10,
    name: str = "a",
    max_steps: int | None = None,
    diverged: bool = False,
) -> Run:
    """A training that is said to have logged these errors, and measured these rows.

    Args:
        folder: where the folder of the training goes.
        seed: its seed.
        errors: one every so many outer steps.
        rows: its measurements.
        gradients: norms, one beside each error; none by default.
        every: outer steps from one error to the next.
        name: what its experiment calls it.
        max_steps: outer steps that were asked for; by default those that were logged.
        diverged: whether it is said to have.
    """
    told = Training(name, "", seed, max_steps or every * len(errors))
    version = told.folder(folder) / "logs" / "version_0"
    version.mkdir(parents=True)
    columns = {"train/error": errors} | ({"train/gradient_norm": gradients} if gradients else {})
    lines = [",".join(["step", *columns])]
    for k, values in enumerate(zip(*columns.values(), strict=True)):
        lines.append(",".join(map(str, [every * (k + 1) - 1, *values])))
    (version / "metrics.csv").write_text("\n".join(lines) + "\n")
    (version.parents[1] / MEASUREMENTS).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return Run(told, version.parents[1], cpu_seconds=1.0, diverged=diverged)
