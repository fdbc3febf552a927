"""What comes of bad inputs: python scripts/bad_inputs.py.

Types every input of ``tests/bad_inputs/command_line.yaml`` into the program it is for, in a process
of its own with a limit of time and memory, makes every call of ``python_api.yaml``, and writes the
counts of the answers, and the inputs that were not answered clearly, to a JSON file.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import torch

from badger_graph.cli import program
from badger_graph.files import require_outputs, write_json
from badger_graph.outer.record import machine
from topologies.checks import POSITIVE, checked

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.bad_inputs import command_line, python_api  # noqa: E402
from tests.bad_inputs.files import make_files  # noqa: E402

ANSWERED = "answered"


def environment() -> dict[str, str]:
    """One thread, no screen, and this code."""
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg"}


def answer(
    one: command_line.BadInput, folder: Path, seconds: float, gigabytes: float
) -> tuple[str, float, str]:
    """What comes of an input of the command line, after how many seconds, and what was said."""
    command = [sys.executable, str(ROOT / "scripts" / f"{one.script}.py"), *one.arguments]
    limit = int(gigabytes * 2**30)
    start = time.perf_counter()
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment(),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=4 * seconds,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
        )
    except subprocess.TimeoutExpired:
        return "slow", 4 * seconds, ""
    took = time.perf_counter() - start
    fault = command_line.fault(one.words, done.returncode, done.stderr)
    if fault is None and took > seconds:
        fault = "slow"
    return fault or ANSWERED, took, done.stderr


def typed(seconds: float, gigabytes: float) -> list[dict[str, Any]]:
    """All inputs of the command line."""
    rows = []
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.chdir(folder)
        try:
            make_files(folder)
        finally:
            os.chdir(before)
        for one in command_line.bad_inputs():
            verdict, took, said = answer(one, folder, seconds, gigabytes)
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
        verdict = (fault or ANSWERED).partition(":")[0]
        verdict = "slow" if fault is None and took > seconds else verdict
        rows.append({"input": str(one), "verdict": verdict, "seconds": took, "said": fault or ""})
    return rows


def counts(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """How many of each verdict, the seconds, and all that were not answered."""
    times = sorted(row["seconds"] for row in rows)
    return {
        "inputs": len(rows),
        "verdicts": dict(Counter(row["verdict"] for row in rows)),
        "seconds": {"median": round(times[len(times) // 2], 2), "largest": round(times[-1], 2)},
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
    out: str = "results/reliability/bad_inputs.json",
) -> None:
    """Type and call all bad inputs, and count the answers.

    Args:
        seconds: an answer that takes longer is slow.
        gigabytes: address space of each process; torch alone takes a few.
        out: where to write the JSON.
    """
    file = Path(out)
    require_outputs(file)
    torch.set_num_threads(1)
    result = {
        "command": "python scripts/bad_inputs.py",
        "machine": machine(torch.device("cpu")),
        "limits": {"seconds": seconds, "gigabytes": gigabytes},
        "python_api": counts(called(seconds)),
        "command_line": counts(typed(seconds, gigabytes)),
    }
    write_json(file, result)
    for name in ("python_api", "command_line"):
        print(name, result[name]["verdicts"])  # type: ignore[index]


if __name__ == "__main__":
    program(bad_inputs)
