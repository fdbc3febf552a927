"""Training on every kind of graph, with error bars."""

from __future__ import annotations

import statistics
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from badger_graph.analysis.seeds import mean_and_bar
from badger_graph.experiments.process import fit
from badger_graph.experiments.runner import Experiment
from badger_graph.experiments.tables import median_steps, table
from badger_graph.files import read_json, write_json
from badger_graph.logs import read_log
from badger_graph.progress import track
from topologies.checks import checked, size

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


class CompareTopologies(Experiment):
    """Trains on every kind of graph and tabulates the errors.

    Every run is one call of ``fit.py`` with its defaults (N=16 experts guess d=4 numbers in T=20
    steps, all experts are told the error) and stops when it is solved. Where everybody is told the
    error, experts can agree on who guesses when without a word; the last two rows are the case
    where they cannot: three experts of whom only one is told (figure 6 of the paper), with and
    without communication. Finished runs are kept in the JSON and not run again.

    Args:
        seeds: runs of each kind.
        max_steps: outer steps of a run at most.
        jobs: runs side by side, one thread each.

    Raises:
        ValueError: when a number is below 1.
    """

    name = "topologies"

    @checked(seeds=size(most=1000), max_steps=size(most=2**40), jobs=size(most=1000))
    def __init__(self, seeds: int = 5, max_steps: int = 2000, jobs: int = 2) -> None:
        self.seeds = seeds
        self.max_steps = max_steps
        self.jobs = jobs

    def compute(self, file: Path) -> list[dict[str, Any]]:
        runs: list[dict[str, Any]] = read_json(file) if file.exists() else []
        past_jobs = {(run["name"], run["seed"], run["max_steps"]) for run in runs}
        jobs = [(name, seed, self.max_steps) for seed in range(self.seeds) for name in RUNS]
        left = [job for job in jobs if job not in past_jobs]
        with ThreadPoolExecutor(self.jobs) as pool:
            for run in track(pool.map(lambda job: train(*job), left), "training", len(left)):
                runs.append(run)
                write_json(file, runs)
                print(
                    f"{run['name']}, seed {run['seed']}: MSE {run['best_error']:.4f}, "
                    f"{run['cpu_seconds']:.0f} CPU s",
                    flush=True,
                )
        return runs

    @staticmethod
    def markdown(result: list[dict[str, Any]]) -> str:
        """The runs as a table: one row a topology, error bars over seeds."""
        runs = sorted(result, key=lambda run: run["seed"])
        rows = []
        for name in RUNS:
            group = [run for run in runs if run["name"] == name]
            if group:
                best, bar = mean_and_bar([run["best_error"] for run in group])
                steps = [run["solved_at"] for run in group if run["solved_at"]]
                seconds = statistics.median(run["cpu_seconds"] for run in group)
                solved = f"{len(steps)} of {len(group)}"
                soon = median_steps(steps) if steps else "-"
                rows.append([name, solved, soon, f"{best:.4f} ± {bar:.4f}", f"{seconds:.0f}"])
        heads = ["topology", "solved", f"outer steps to MSE ≤ {SOLVED}", "best validation MSE"]
        return table([*heads, "CPU seconds a run"], rows)


def train(name: str, seed: int, max_steps: int) -> dict[str, Any]:
    """One run of ``fit.py``; what its validations say."""
    arguments = [*RUNS[name].format(seed=seed).split(), "--seed", str(seed)]
    with tempfile.TemporaryDirectory() as folder:
        seconds = fit([*arguments, "--max_steps", str(max_steps)], Path(folder)).cpu_seconds
        log = read_log(Path(folder) / "logs")["val/error"]
    errors = {step + 1: error for step, error in log.items()}
    return {
        "name": name,
        "seed": seed,
        "max_steps": max_steps,
        "steps": [*errors],
        "errors": [*errors.values()],
        "best_error": min(errors.values()),
        "solved_at": next((step for step, error in errors.items() if error <= SOLVED), None),
        "cpu_seconds": seconds,
    }
