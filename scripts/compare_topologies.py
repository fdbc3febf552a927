"""Train on every kind of graph, with error bars: python scripts/compare_topologies.py.

Every run is one call of ``fit.py`` with its defaults (N=16 experts guess d=4 numbers in T=20
steps) and stops when it is solved. First all experts read the feedback, as by default; then only
expert 0 does, so that the others must be told, and the control without communication must fail.
Finished runs are kept in the JSON and not run again. The table goes to the screen and, as
Markdown, beside the JSON.
"""

from __future__ import annotations

import csv
import json
import math
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from jsonargparse import auto_cli

FIT = Path(__file__).with_name("fit.py")

SOLVED = 0.002
"""Validation error from which a run counts as solved; chance is 1/3."""

TOPOLOGIES = {
    "random (4 in-links)": "random --topology.seed {seed}",
    "layered": "layered",
    "ring": "ring",
    "complete": "complete",
    "small-world": "networkx --topology.generator watts_strogatz_graph "
    "--topology.kwargs.k=4 --topology.kwargs.p=0.1 --topology.seed {seed}",
    "scale-free": "networkx --topology.generator barabasi_albert_graph "
    "--topology.kwargs.m=2 --topology.seed {seed}",
    "grid (4 x 4)": "networkx --topology.generator grid_2d_graph "
    "--topology.kwargs.m=4 --topology.kwargs.n=4",
    "no communication": "isolated",
}
TOLD = ("random (4 in-links)", "complete", "no communication")
"""The graphs to train with a single reader of the feedback as well."""

KINDS = [("all", topology) for topology in TOPOLOGIES] + [("one", topology) for topology in TOLD]


def run_alone(command: list[str]) -> float:
    """Run a command on one thread; its CPU seconds, which neighbours do not change."""
    process = subprocess.Popen(
        command, env=os.environ | {"OMP_NUM_THREADS": "1"}, stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{shlex.join(command)} failed, see above")
    return usage.ru_utime + usage.ru_stime


def train(topology: str, readers: str, seed: int, max_steps: int) -> dict[str, Any]:
    """One run of ``fit.py``; what its validations say."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(FIT), "--run_dir", folder, "--evaluate", "false"]
        command += ["--topology", *TOPOLOGIES[topology].format(seed=seed).split()]
        command += ["--membrane", "hardwired", "--membrane.readers", readers]
        command += ["--seed", str(seed), "--max_steps", str(max_steps)]
        seconds = run_alone(command)
        with next(Path(folder).glob("logs/version_*/metrics.csv")).open() as file:
            rows = [row for row in csv.DictReader(file) if row["val/error"]]
    steps = [int(row["step"]) + 1 for row in rows]
    errors = [float(row["val/error"]) for row in rows]
    solved = [step for step, error in zip(steps, errors, strict=True) if error <= SOLVED]
    return {
        "topology": topology,
        "readers": readers,
        "seed": seed,
        "max_steps": max_steps,
        "steps": steps,
        "errors": errors,
        "best_error": min(errors),
        "solved_at": solved[0] if solved else None,
        "cpu_seconds": seconds,
    }


def markdown(runs: list[dict[str, Any]]) -> str:
    """The runs as a table: one row a topology, error bars over seeds."""
    lines = [
        "| topology | feedback read by | solved | outer steps to MSE ≤ 0.002 | best validation MSE "
        "| CPU seconds a run |",
        "|---|---|---|---|---|---|",
    ]
    for readers, topology in KINDS:
        group = [r for r in runs if (r["readers"], r["topology"]) == (readers, topology)]
        if group:
            errors = [run["best_error"] for run in group]
            bar = statistics.stdev(errors) / math.sqrt(len(errors)) if len(errors) > 1 else 0.0
            steps = [run["solved_at"] for run in group if run["solved_at"]]
            needed = f"{statistics.median(steps):.0f} ({min(steps)}-{max(steps)})" if steps else "-"
            seconds = statistics.median(run["cpu_seconds"] for run in group)
            lines.append(
                f"| {topology} | {'all experts' if readers == 'all' else 'one expert'} "
                f"| {len(steps)} of {len(group)} | {needed} "
                f"| {statistics.mean(errors):.4f} ± {bar:.4f} | {seconds:.0f} |"
            )
    return "\n".join(lines)


def compare_topologies(
    seeds: int = 5, max_steps: int = 2000, jobs: int = 2, out: str = "results/topologies.json"
) -> None:
    """Train on every kind of graph and tabulate the errors.

    Args:
        seeds: runs of each kind.
        max_steps: outer steps of a run at most; twice as many with a single reader.
        jobs: runs side by side, one thread each.
        out: where to keep the runs; the table goes beside it.
    """
    file = Path(out)
    file.parent.mkdir(parents=True, exist_ok=True)
    runs: list[dict[str, Any]] = json.loads(file.read_text()) if file.exists() else []
    done = {(r["topology"], r["readers"], r["seed"], r["max_steps"]) for r in runs}
    wanted = [
        (topology, readers, seed, max_steps if readers == "all" else 2 * max_steps)
        for only in ("all", "one")
        for seed in range(seeds)
        for readers, topology in KINDS
        if readers == only
    ]
    with ThreadPoolExecutor(jobs) as pool:
        for run in pool.map(lambda job: train(*job), [job for job in wanted if job not in done]):
            runs.append(run)
            file.write_text(json.dumps(runs, indent=1))
            print(
                f"{run['topology']}, feedback read by {run['readers']}, seed {run['seed']}: "
                f"MSE {run['best_error']:.4f}, {run['cpu_seconds']:.0f} CPU s",
                flush=True,
            )
    table = markdown(sorted(runs, key=lambda run: run["seed"]))
    file.with_suffix(".md").write_text(table + "\n")
    print(table)


if __name__ == "__main__":
    auto_cli(compare_topologies)
