"""Every figure of a run, from the files in its folder."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from badger_graph.plots.animation import animate
from badger_graph.plots.communication import communication
from badger_graph.plots.error_after_queries import error_after_queries
from badger_graph.plots.learning_curve import learning_curve
from badger_graph.plots.rollouts import rollouts
from badger_graph.plots.topology import topology
from badger_graph.progress import track


def save_all(folder: str | Path) -> list[Path]:
    """Draw every figure of a run into its folder.

    Args:
        folder: holds ``evaluation.json``, ``rollouts.npz`` and, after a fit,
            ``logs/version_*/metrics.csv``. An optional number ``solved`` in the first is the
            error at which the task counts as solved.

    Returns:
        The files written: five pictures and an animation, without ``learning_curve.png`` where
        there are no logs.

    Raises:
        FileNotFoundError: when one of the first two files is missing.
        ValueError: when a file does not hold what it should; pickled objects are never loaded.
    """
    folder = Path(folder)
    evaluation = json.loads((folder / "evaluation.json").read_text())
    with np.load(folder / "rollouts.npz", allow_pickle=False) as arrays:
        record = dict(arrays)
    history = read_history(folder / "logs")

    figures = {
        "error_after_queries": error_after_queries(evaluation),
        "rollouts": rollouts(record),
        "communication": communication(record),
        "topology": topology(record),
    }
    if history is not None:
        curve = learning_curve(history, evaluation["chance"], evaluation.get("solved"))
        figures = {"learning_curve": curve} | figures
    for name, figure in track(figures.items(), "drawing"):
        figure.savefig(folder / f"{name}.png")
    return [*(folder / f"{name}.png" for name in figures), animate(record, folder / "rollout.gif")]


def read_history(folder: Path) -> dict[str, list[float]] | None:
    """The learning curve in the files of Lightning's ``CSVLogger``; none without such files.

    A resumed run writes a new ``version_*``. Each version replaces what earlier ones say from
    its own first training step on, so that steps which were run twice are drawn once. A version
    without a training error (a validation run) is no part of the curve.

    Args:
        folder: holds ``version_*/metrics.csv`` with columns step, train/error and val/error.
    """
    train: dict[float, float] = {}
    val: dict[float, float] = {}
    for path in sorted(folder.glob("version_*/metrics.csv"), key=_version):
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        new_train, new_val = _column(rows, "train/error"), _column(rows, "val/error")
        if new_train:
            first = min(new_train)
            train = {step: e for step, e in train.items() if step < first} | new_train
            val = {step: e for step, e in val.items() if step < first} | new_val
    if not train:
        return None
    return {
        "step": sorted(train),
        "train": [train[step] for step in sorted(train)],
        "val_step": sorted(val),
        "val": [val[step] for step in sorted(val)],
    }


def _version(path: Path) -> int:
    number = path.parent.name.removeprefix("version_")
    return int(number) if number.isdigit() else -1


def _column(rows: Sequence[Mapping[str, str | None]], name: str) -> dict[float, float]:
    # A killed run may leave half a line, in which the last cells are missing.
    cells = [(row.get("step"), row.get(name)) for row in rows]
    return {float(step): float(cell) for step, cell in cells if step and cell}
