"""Train on every kind of graph, with error bars: python scripts/compare_topologies.py.

Every run is one call of ``fit.py`` with its defaults (N=16 experts guess d=4 numbers in T=20
steps, all experts are told the error) and stops when it is solved. Where everybody is told the
error, experts can agree on who guesses when without a word; the last two rows are the case where
they cannot: three experts of whom only one is told (figure 6 of the paper), with and without
communication. Finished runs are kept in the JSON and not run again. The table goes to the screen
and, as Markdown, beside the JSON.
"""

from __future__ import annotations

import csv
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from badger_graph.cli import program
from badger_graph.experiments.error_bars import mean_and_bar
from badger_graph.files import read_json, require_outputs, write_json, write_text
from badger_graph.progress import track
from topologies.checks import checked, size

FIT = Path(__file__).with_name("fit.py")

SOLVED = 0.002
"""Validation error from which a run counts as solved; chance is 1/3."""

RUNS = {
    "random (4 in-links)": "--topology random --topology.seed {seed}",
    "layered": "--topology layered",
    "ring": "--topology ring",
    "complete": "--topology complete",
    "small-world": "--topology networkx --topology.generator watts_strogatz_graph "
    "--topology.kwargs.k=4 --topology.kwargs.p=0.1 --topology.seed {seed}",
    "scale-free": "--topology networkx --topology.generator barabasi_albert_graph "
    "--topology.kwargs.m=2 --topology.seed {seed}",
    "grid (4 x 4)": "--topology networkx --topology.generator grid_2d_graph "
    "--topology.kwargs.m=4 --topology.kwargs.n=4",
    "no communication": "--topology isolated",
    "figure 6: complete, one expert told": "--config figure6",
    "figure 6: no communication, one expert told": "--config figure6 --topology isolated",
}
"""The rows of the table and what they tell ``fit.py``."""


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


def train(name: str, seed: int, max_steps: int) -> dict[str, Any]:
    """One run of ``fit.py``; what its validations say."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(FIT), "--run_dir", folder, "--evaluate", "false"]
        command += [*RUNS[name].format(seed=seed).split(), "--seed", str(seed)]
        command += ["--max_steps", str(max_steps)]
        seconds = run_alone(command)
        with next(Path(folder).glob("logs/version_*/metrics.csv")).open() as file:
            rows = [row for row in csv.DictReader(file) if row["val/error"]]
    steps = [int(row["step"]) + 1 for row in rows]
    errors = [float(row["val/error"]) for row in rows]
    solved = [step for step, error in zip(steps, errors, strict=True) if error <= SOLVED]
    return {
        "name": name,
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
        "| topology | solved | outer steps to MSE ≤ 0.002 | best validation MSE "
        "| CPU seconds a run |",
        "|---|---|---|---|---|",
    ]
    for name in RUNS:
        group = [run for run in runs if run["name"] == name]
        if group:
            best, bar = mean_and_bar([run["best_error"] for run in group])
            steps = [run["solved_at"] for run in group if run["solved_at"]]
            needed = f"{statistics.median(steps):.0f} ({min(steps)}-{max(steps)})" if steps else "-"
            seconds = statistics.median(run["cpu_seconds"] for run in group)
            lines.append(
                f"| {name} | {len(steps)} of {len(group)} | {needed} "
                f"| {best:.4f} ± {bar:.4f} | {seconds:.0f} |"
            )
    return "\n".join(lines)


@checked(seeds=size(most=1000), max_steps=size(most=2**40), jobs=size(most=1000))
def compare_topologies(
    seeds: int = 5, max_steps: int = 2000, jobs: int = 2, out: str = "results/topologies.json"
) -> None:
    """Train on every kind of graph and tabulate the errors.

    Args:
        seeds: runs of each kind.
        max_steps: outer steps of a run at most.
        jobs: runs side by side, one thread each.
        out: where to keep the runs; the table goes beside it.

    Raises:
        ValueError: when a number is below 1.
    """
    file = Path(out)
    require_outputs(file)
    runs: list[dict[str, Any]] = read_json(file) if file.exists() else []
    done = {(run["name"], run["seed"], run["max_steps"]) for run in runs}
    wanted = [(name, seed, max_steps) for seed in range(seeds) for name in RUNS]
    with ThreadPoolExecutor(jobs) as pool:
        left = [job for job in wanted if job not in done]
        for run in track(pool.map(lambda job: train(*job), left), "training", len(left)):
            runs.append(run)
            write_json(file, runs)
            print(
                f"{run['name']}, seed {run['seed']}: MSE {run['best_error']:.4f}, "
                f"{run['cpu_seconds']:.0f} CPU s",
                flush=True,
            )
    table = markdown(sorted(runs, key=lambda run: run["seed"]))
    write_text(file.with_suffix(".md"), table + "\n")
    print(table)


if __name__ == "__main__":
    program(compare_topologies)
