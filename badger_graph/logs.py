"""What a run wrote down in its folder: its log, and its measurements."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

MEASUREMENTS = "measurements.jsonl"
"""The file in the folder of a run that holds its measurements."""

Log = dict[str, dict[int, float]]
"""Of each column its numbers by outer step, the first of which is 0."""

ERROR = "train/error"


def read_log(folder: Path) -> Log:
    """What Lightning's ``CSVLogger`` wrote of a training, all its pieces as one.

    A resumed run writes a new ``version_*``. Each replaces what earlier ones say from its own first
    training step on: what a piece trained after its last checkpoint, the next one trains again. A
    version without a training error (a validation) is no part of it.

    Args:
        folder: holds ``version_*/metrics.csv``.
    """
    log: Log = {}
    for file in sorted(folder.glob("version_*/metrics.csv"), key=_version):
        piece = _columns(file)
        if not piece.get(ERROR):
            continue
        first = min(piece[ERROR])
        log = {
            name: {step: value for step, value in log.get(name, {}).items() if step < first}
            | piece.get(name, {})
            for name in {**log, **piece}
        }
    return log


def read_measurements(run: Path) -> list[dict[str, Any]]:
    """The rows of a run; a line that a kill cut short is left out. None without a file."""
    file = run / MEASUREMENTS
    if not file.is_file():
        return []
    lines = file.read_text().splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def _version(file: Path) -> int:
    number = file.parent.name.removeprefix("version_")
    return int(number) if number.isdigit() else -1


def _columns(file: Path) -> Log:
    with file.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    columns: Log = {}
    for row in rows:
        step = row.pop("step", None)
        for name, cell in row.items():
            if step and cell:  # a killed run may leave half a line, whose last cells are missing
                columns.setdefault(name, {})[int(step)] = float(cell)
    return columns
