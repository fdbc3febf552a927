"""Every figure of a run, from the files in its folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from badger_graph.logs import read_log
from badger_graph.plots.animation import animate
from badger_graph.plots.communication import communication
from badger_graph.plots.error_after_queries import error_after_queries
from badger_graph.plots.error_over_steps import error_over_steps
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
    figures = {
        "error_after_queries": error_after_queries(evaluation),
        "rollouts": rollouts(record),
        "communication": communication(record),
        "topology": topology(record),
    }
    pictures = _save(folder, _curve(folder, evaluation) | figures)
    return [*pictures, animate(record, folder / "rollout.gif")]


def save_errors(folder: str | Path) -> list[Path]:
    """Draw what there is of a run whose tasks have no target: its errors.

    Args:
        folder: as of :func:`save_all`, without ``rollouts.npz``.

    Returns:
        The files written.

    Raises:
        FileNotFoundError: when ``evaluation.json`` is missing.
        ValueError: when a file does not hold what it should.
    """
    folder = Path(folder)
    evaluation = json.loads((folder / "evaluation.json").read_text())
    figures = _curve(folder, evaluation) | {"error_over_steps": error_over_steps(evaluation)}
    return _save(folder, figures)


def _curve(folder: Path, evaluation: dict[str, Any]) -> dict[str, Figure]:
    """The learning curve, where there are logs."""
    history = read_history(folder / "logs")
    if history is None:
        return {}
    return {
        "learning_curve": learning_curve(history, evaluation["chance"], evaluation.get("solved"))
    }


def _save(folder: Path, figures: dict[str, Figure]) -> list[Path]:
    for name, figure in track(figures.items(), "drawing"):
        figure.savefig(folder / f"{name}.png")
    return [folder / f"{name}.png" for name in figures]


def read_history(folder: Path) -> dict[str, list[float]] | None:
    """The learning curve in the files of Lightning's ``CSVLogger``; none without such files.

    Args:
        folder: as :func:`badger_graph.logs.read_log` takes it.
    """
    log = read_log(folder)
    if not log:
        return None
    train, val = (
        dict(sorted(log.get(column, {}).items())) for column in ("train/error", "val/error")
    )
    return {
        "step": [*train],
        "train": [*train.values()],
        "val_step": [*val],
        "val": [*val.values()],
    }
