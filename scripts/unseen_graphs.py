"""One policy on graphs it never saw: python scripts/unseen_graphs.py.

Trains the preset ``redrawn`` (a fresh random graph for every rollout; N=16, d=4, T=20) once for
each seed and evaluates the frozen policies on other kinds of graphs and other numbers of experts,
all on the same 256 tasks. Trained runs are kept in runs/ and not trained again. The table goes to
the screen and, as Markdown, beside the JSON.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch

from badger_graph.cli import program
from badger_graph.evaluation import evaluate
from badger_graph.experiments.error_bars import mean_and_bar
from badger_graph.experiments.trainings import going_on
from badger_graph.files import require_outputs, require_writable, write_json, write_text
from badger_graph.policies.base import check_sizes
from badger_graph.progress import track
from topologies import (
    CompleteTopology,
    GridTopology,
    IsolatedTopology,
    NetworkXTopology,
    RandomTopology,
    RingTopology,
    Topology,
)

FIT = Path(__file__).with_name("fit.py")


def unseen(seed: int) -> dict[str, tuple[Topology, int]]:
    """Graphs and numbers of experts by the name of their row; no random one was trained on."""
    new = 1000 + seed
    small_world = NetworkXTopology("watts_strogatz_graph", {"k": 4, "p": 0.1}, seed=new)
    scale_free = NetworkXTopology("barabasi_albert_graph", {"m": 2}, seed=new)
    random = RandomTopology(k=4, seed=new)
    return {
        "random, 16 experts": (random, 16),
        "ring, 16 experts": (RingTopology(), 16),
        "grid, 16 experts": (GridTopology(), 16),
        "small-world, 16 experts": (small_world, 16),
        "scale-free, 16 experts": (scale_free, 16),
        "complete, 16 experts": (CompleteTopology(), 16),
        "no communication, 16 experts": (IsolatedTopology(), 16),
        "random, 8 experts": (random, 8),
        "random, 12 experts": (random, 12),
        "random, 32 experts": (random, 32),
        "random, 64 experts": (random, 64),
        "random, 256 experts": (random, 256),
    }


def train(seed: int, runs: Path) -> Path:
    """The checkpoint of a run with this seed, trained unless it is there."""
    folder = runs / f"redrawn-{seed}"
    command = [sys.executable, str(FIT), "--config", "redrawn", "--seed", str(seed)]
    if not (folder / "finished").exists():
        command += [*going_on(folder), "--evaluate", "false"]
        done = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
        if done.returncode:
            raise ValueError(f"{shlex.join(command)} must end well, see above")
        (folder / "finished").touch()
    return folder / "checkpoints" / "best.ckpt"


def measure(checkpoint: Path, seed: int) -> dict[str, Any]:
    """The error at the last step on every unseen graph."""
    folder = str(checkpoint.parent.parent / "unseen")
    errors = {}
    for name, (topology, num_experts) in unseen(seed).items():
        result = evaluate(
            str(checkpoint), topology, num_experts, baselines=False, figures=False, folder=folder
        )
        errors[name] = result["errors"]["agent"][-1]
    return {"seed": seed, "outer_steps": result["outer_steps"], "errors": errors}


def markdown(rows: list[dict[str, Any]]) -> str:
    """One row a graph: mean and standard error over seeds."""
    lines = ["| graph of the frozen agent | MSE at step 20 |", "|---|---|"]
    for name in rows[0]["errors"]:
        error, bar = mean_and_bar([row["errors"][name] for row in rows])
        lines.append(f"| {name} | {error:.4f} ± {bar:.4f} |")
    return "\n".join(lines)


def unseen_graphs(
    seeds: int = 5, jobs: int = 2, runs: str = "runs", out: str = "results/unseen_graphs.json"
) -> None:
    """Train on random graphs, then evaluate on graphs never seen.

    Args:
        seeds: policies to train.
        jobs: trainings side by side, one thread each.
        runs: where to keep the runs.
        out: where to write the JSON; the table goes beside it.

    Raises:
        ValueError: when a number is below 1.
    """
    check_sizes(seeds=(seeds, 1), jobs=(jobs, 1))
    torch.set_num_threads(1)
    file = Path(out)
    require_outputs(file)
    require_writable(Path(runs) / "redrawn-0" / "finished")
    with ThreadPoolExecutor(jobs) as pool:
        trained = pool.map(lambda seed: train(seed, Path(runs)), range(seeds))
        checkpoints = list(track(trained, "training", seeds))
    rows = [measure(checkpoints[seed], seed) for seed in track(range(seeds), "measuring")]
    write_json(file, rows)
    table = markdown(rows)
    write_text(file.with_suffix(".md"), table + "\n")
    print(table)


if __name__ == "__main__":
    program(unseen_graphs)
