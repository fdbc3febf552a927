"""What comes of bad inputs: python scripts/bad_inputs.py.

Types every input of ``tests/bad_inputs/command_line.yaml`` into the program it is for, in a process
of its own with a limit of time and memory, makes every call of ``python_api.yaml``, and writes the
counts of the answers, and the inputs that were not answered clearly, to a JSON file.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import IO, Any

import torch

from badger_graph.cli import program
from badger_graph.files import require_outputs, write_json
from badger_graph.machine import machine
from topologies.checks import POSITIVE, checked

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.bad_inputs import command_line, python_api  # noqa: E402
from tests.bad_inputs.files import make_files  # noqa: E402

ANSWERED = "answered"


def answer(
    one: command_line.BadInput, folder: Path, seconds: float, gigabytes: float, fresh: bool
) -> tuple[str, float, str]:
    """What comes of an input of the command line, in how many seconds of the processor, and what
    was said.
    """
    limit = partial(_limit, int(8 * seconds), int(gigabytes * 2**30))
    before = os.times()
    with tempfile.TemporaryFile() as said:
        code = (_start if fresh else _copy)(one, folder, said, limit)
        said.seek(0)
        text = said.read().decode(errors="replace")
    after = os.times()
    took = after.children_user + after.children_system
    took -= before.children_user + before.children_system
    if code < 0:
        return "slow" if code == -signal.SIGALRM else "killed", took, text
    fault = command_line.fault(one.words, code, text)
    return fault or ("slow" if took > seconds else ANSWERED), took, text


def _copy(
    one: command_line.BadInput, folder: Path, said: IO[bytes], limit: Callable[[], None]
) -> int:
    """Type it in a copy of this process, which has imported all there is: the same, but quicker."""
    main = command_line.main_of(one.script)

    def type_it() -> None:
        limit()
        os.chdir(folder)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(said.fileno(), 2)
        sys.argv[:] = [f"{one.script}.py", *one.arguments]
        main(one.arguments)

    copy = multiprocessing.get_context("fork").Process(target=type_it)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # a copy of a process with threads
        copy.start()
    copy.join()
    return copy.exitcode or 0


def _start(
    one: command_line.BadInput, folder: Path, said: IO[bytes], limit: Callable[[], None]
) -> int:
    """Type it in a new process."""
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, str(ROOT / "scripts" / f"{one.script}.py"), *one.arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg"},
        stdout=subprocess.DEVNULL,
        stderr=said,
        preexec_fn=limit,
    ).returncode


def _limit(seconds: int, memory: int) -> None:
    """Let this process end after so long, and have no more than so much address space."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(seconds)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def typed(seconds: float, gigabytes: float, fresh: bool) -> list[dict[str, Any]]:
    """All inputs of the command line."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with contextlib.chdir(folder):
            make_files(folder)
        for one in command_line.bad_inputs():
            verdict, took, said = answer(one, folder, seconds, gigabytes, fresh)
            rows.append({"input": str(one), "verdict": verdict, "seconds": took, "said": said})
            print(f"{verdict:<10} {took:5.1f} s  {one}", flush=True)
    return rows


def called(seconds: float) -> list[dict[str, Any]]:
    """All calls of the Python API, in this process."""
    rows = []
    for one in python_api.bad_calls():
        start = time.perf_counter()
        fault = python_api.fault(one)
        took = time.perf_counter() - start
        verdict = (fault or ("slow" if took > seconds else ANSWERED)).partition(":")[0]
        rows.append({"input": str(one), "verdict": verdict, "seconds": took, "said": fault or ""})
    return rows


def counts(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """How many of each verdict, the seconds, and all that were not answered."""
    times = [row["seconds"] for row in rows]
    return {
        "inputs": len(rows),
        "verdicts": dict(Counter(row["verdict"] for row in rows)),
        "seconds": {
            "median": round(statistics.median_high(times), 2),
            "largest": round(max(times), 2),
        },
        "left": [
            {**row, "seconds": round(row["seconds"], 2), "said": row["said"][-500:]}
            for row in rows
            if row["verdict"] != ANSWERED
        ],
    }


@checked(seconds=POSITIVE, gigabytes=POSITIVE)
def bad_inputs(
    seconds: float = 10.0,
    gigabytes: float = 16.0,
    fresh: bool = False,
    out: str = "results/reliability/bad_inputs.json",
) -> None:
    """Type and call all bad inputs, and count the answers.

    Args:
        seconds: of the processor; an answer that takes more is slow, and one that takes eight times
            as long by the clock is ended.
        gigabytes: address space of each process; torch alone takes a few.
        fresh: start Python anew for each input, which takes an hour, and not a copy of a process
            that has started.
        out: where to write the JSON.
    """
    file = Path(out)
    require_outputs(file)
    torch.set_num_threads(1)
    answers = {
        "python_api": counts(called(seconds)),
        "command_line": counts(typed(seconds, gigabytes, fresh)),
    }
    result = {
        "command": "python scripts/bad_inputs.py" + " --fresh true" * fresh,
        "machine": machine(torch.device("cpu")),
        "limits": {"seconds": seconds, "gigabytes": gigabytes},
        **answers,
    }
    write_json(file, result)
    for name, counted in answers.items():
        print(name, counted["verdicts"])


if __name__ == "__main__":
    program(bad_inputs)
