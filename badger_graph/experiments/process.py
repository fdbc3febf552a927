"""A training in a process of its own."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from badger_graph.cli import DIVERGED, WRONG
from badger_graph.runs import last_checkpoint

PROGRAM = (sys.executable, "-m", "badger_graph")


class Exit(NamedTuple):
    """How a process ended.

    Attributes:
        diverged: whether its training did.
        cpu_seconds: of the process, from its start, which neighbours on the machine do not change.
    """

    diverged: bool
    cpu_seconds: float


def fit(arguments: Sequence[str], run: Path) -> Exit:
    """Train in a folder to the end, on one thread; a run that was killed there goes on.

    What the process prints goes to ``out.txt`` in the folder.

    Args:
        arguments: of ``fit.py``, but for the folder.
        run: the folder.

    Raises:
        ValueError: when fit.py refuses the arguments; holds the end of what it printed.
        RuntimeError: when the training fails otherwise.
    """
    run.mkdir(parents=True, exist_ok=True)
    command = [*PROGRAM, *arguments, *_going_on(run), "--evaluate", "false"]
    out = run / "out.txt"
    with out.open("a") as printed:
        process = subprocess.Popen(
            command,
            # No module is imported from the current folder, but those that arguments name.
            env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONSAFEPATH": "1"},
            stdout=printed,
            stderr=subprocess.STDOUT,
        )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, DIVERGED):
        end = "\n".join(out.read_text().splitlines()[-12:])
        error = ValueError if process.returncode == WRONG else RuntimeError
        raise error(f"{shlex.join(command)} failed; the end of {str(out)!r}:\n{end}")
    return Exit(process.returncode == DIVERGED, usage.ru_utime + usage.ru_stime)


def _going_on(run: Path) -> list[str]:
    """Arguments of ``fit.py`` that begin a run in a folder, or go on where it was killed."""
    last = last_checkpoint(run)
    checkpoint_arguments = [] if last is None else ["--ckpt_path", str(last)]
    return ["--run_dir", str(run), *checkpoint_arguments]
