"""Run the native operators' tests under sanitizers: python scripts/sanitize_native.py.

Builds the operators with ``-fsanitize=address,undefined`` and runs the tests that call them with
the sanitizers' runtime loaded first, since Python itself was built without. Any read or write out
of bounds, overflow or misaligned access ends the run. Needs GCC on Linux. Writes the outcome.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from argparse import ArgumentParser
from datetime import UTC, datetime
from pathlib import Path

from badger_graph.executors.native import library
from badger_graph.files import write_json

ROOT = Path(__file__).parent.parent
FLAGS = "-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all"
TESTS = ["tests/test_fused.py", "tests/test_checks.py", "tests/test_executors.py"]

MEASURES_MEMORY = "tests/test_fused.py::test_outer_steps_leave_nothing_behind"
"""Freed memory is kept back by the sanitizer, to see who still reads it."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--tests", nargs="+", default=TESTS, help="what pytest runs")
    parser.add_argument("--out", default="results/reliability/sanitizers.json", help="a JSON file")
    chosen = parser.parse_args(arguments)
    compiler = os.environ.get("CXX", "c++")
    if sys.platform != "linux" or shutil.which(compiler) is None:
        parser.error(f"the sanitizers must have GCC on Linux, got {compiler} on {sys.platform}")
    # libstdc++ too: what catches exceptions is looked up before torch brings it.
    runtimes = [_runtime(compiler, name) for name in ("libasan.so", "libubsan.so", "libstdc++.so")]
    environment = {
        **os.environ,
        library.EXTRA_FLAGS: FLAGS,
        "PYTHONPATH": str(ROOT),
        "LD_PRELOAD": " ".join(runtimes),
        "ASAN_OPTIONS": "detect_leaks=0",  # Python and torch leave to the system what they had
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "OMP_NUM_THREADS": "1",
    }
    pytest = [sys.executable, "-m", "pytest", "-n", "0", "-v", "-m", "native", *chosen.tests]
    pytest += ["--deselect", MEASURES_MEMORY]
    start = time.perf_counter()
    run = subprocess.run(
        pytest,
        env=environment,
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    print(run.stdout)
    passed = re.search(r"(\d+) passed", run.stdout)
    report = {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": _output("git", "-C", str(ROOT), "rev-parse", "HEAD"),
        "compiler": _output(compiler, "--version").splitlines()[0],
        "flags": FLAGS,
        "tests": chosen.tests,
        "passed": int(passed[1]) if passed else 0,
        "outcome": "clean" if passed and run.returncode == 0 else "failed",
        "seconds": round(time.perf_counter() - start),
    }
    write_json(chosen.out, report)
    print(chosen.out)
    raise SystemExit(run.returncode)


def _runtime(compiler: str, name: str) -> str:
    path = _output(compiler, f"-print-file-name={name}")
    if not Path(path).is_file():
        raise SystemExit(f"the sanitizers must be installed, got no {name} from {compiler}")
    return str(Path(path).resolve())


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    main()
