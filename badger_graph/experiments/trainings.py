"""Trainings that an experiment is made of: each in a process and a folder of its own, and once."""

from __future__ import annotations

import json
import re
import shlex
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from badger_graph.arguments import configurations, resolve_files
from badger_graph.callbacks.record import recorded_pieces
from badger_graph.experiments.process import PROGRAM, fit
from badger_graph.files import only_writer, write_json
from badger_graph.library.load import read_checkpoint
from badger_graph.library.upgrade import current
from badger_graph.logs import read_log, read_measurements
from badger_graph.progress import progress

TRAINING_LOCK = ".training.lock"


class Training(NamedTuple):
    """One run of ``fit.py``.

    Attributes:
        name: what the experiment calls it; runs of one name differ in their seed.
        arguments: of ``fit.py``; ``{seed}`` stands for the seed.
        seed: of weights, identifiers and tasks.
        max_steps: outer steps.
    """

    name: str
    arguments: str
    seed: int
    max_steps: int

    def folder(self, runs: Path) -> Path:
        """Where among the runs of its experiment it is kept."""
        slug = re.sub(r"\W+", "-", self.name).strip("-").lower()
        return runs / f"{slug}-{self.max_steps}-{self.seed}"

    def words(self) -> list[str]:
        """What ``fit.py`` is told, but for the folder."""
        words = [*shlex.split(self.arguments.format(seed=self.seed)), "--seed", str(self.seed)]
        return [*words, "--max_steps", str(self.max_steps)]

    def description(self) -> dict[str, Any]:
        """All that decides what is trained: the command, and what each configuration says."""
        configs = current(configurations(resolve_files(self.words())))
        description = {Path(file).name: content for file, content in configs.items()}
        return {"command": shlex.join([*PROGRAM[1:], *self.words()]), **description}


class Run(NamedTuple):
    """A training that is done."""

    training: Training
    folder: Path
    cpu_seconds: float
    diverged: bool = False

    @property
    def checkpoint(self) -> Path:
        """The agent at the end."""
        return self.folder / "checkpoints" / "last.ckpt"

    def log_column(self, column: str) -> tuple[list[int], list[float]]:
        """A column of the log of the training, with the outer steps."""
        series = read_log(self.folder / "logs").get(column, {})
        return [step + 1 for step in series], list(series.values())

    def measurements(self) -> list[dict[str, Any]]:
        """What :class:`badger_graph.callbacks.Measurements` wrote."""
        return read_measurements(self.folder)


def train(
    trainings: Sequence[Training],
    runs: Path,
    jobs: int = 2,
    say: Callable[[str], None] = print,
) -> list[Run]:
    """Train all that are not trained yet, some side by side, one thread each.

    One that was killed goes on from its last checkpoint; one that diverged is done, with what it
    logged and measured until then.

    Raises:
        ValueError: when a folder holds a training that was told something else, or is written by
            another process, or fit.py refuses what one is told.
        RuntimeError: when a training fails.
    """
    lock = threading.Lock()

    def finish(training: Training) -> Run:
        folder = training.folder(runs)
        note = folder / "done.json"
        if note.is_file():
            _remember(training, folder)
            advance()
            return Run(training, folder, **json.loads(note.read_text()))
        with only_writer(folder, TRAINING_LOCK):
            _remember(training, folder)
            diverged = fit(training.words(), folder).diverged
            write_json(note, {"cpu_seconds": _cpu_seconds(folder), "diverged": diverged})
            with lock:
                say(f"{folder} diverged" if diverged else str(folder))
                advance()
        return Run(training, folder, **json.loads(note.read_text()))

    with progress("training", len(trainings)) as advance, ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(finish, trainings))


def first_below(steps: Sequence[int], errors: Sequence[float], level: float) -> int | None:
    """The first outer step with an error at or below a level; none where there is none."""
    return next((step for step, error in zip(steps, errors, strict=True) if error <= level), None)


def _remember(training: Training, folder: Path) -> None:
    note, description = folder / "training.json", training.description()
    if not (note.is_file() and (folder / "logs").is_dir()):  # not begun, or refused
        write_json(note, description)
        return
    before = current(json.loads(note.read_text()))
    for what in description.keys() | before.keys():
        was, now = before.get(what), description.get(what)
        if was != now:
            raise ValueError(
                f"a run must be gone on with as it was begun, but for {str(folder)!r} {what} said "
                f"{was!r} and now {now!r}; remove it, or let --runs name another folder"
            )


def _cpu_seconds(folder: Path) -> float:
    """Up to the last checkpoint; none before the first."""
    last = folder / "checkpoints" / "last.ckpt"
    pieces = recorded_pieces(read_checkpoint(last)) if last.is_file() else []
    return sum(piece["cpu_seconds"] for piece in pieces)
