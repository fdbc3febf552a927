"""How good a trained agent is, beside what a user would compare it with."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from badger_graph import plots
from badger_graph.baselines import SOLVERS, error_after_queries
from badger_graph.files import require_writable, whole_file, write_json
from badger_graph.library.load import TrainedAgent, load_trained
from badger_graph.outer.config import to_config
from badger_graph.pyg import split
from badger_graph.rollout import Recorder, unroll
from badger_graph.runs import run_folder
from badger_graph.tasks import GuessingGame, Targeted, target_of
from topologies import Topology
from topologies.checks import EXPERTS, SEED, checked, size

DRAWN_ROLLOUTS = 10
"""Rollouts in a figure, as in figures 6, 8 and 9 of Rosa et al. 2019."""


@torch.no_grad()
@checked(
    num_experts=EXPERTS, num_outputs=size(), num_steps=size(most=2**30), num_tasks=size(), seed=SEED
)
def evaluate(
    checkpoint: str,
    topology: Topology | None = None,
    num_experts: int | None = None,
    num_outputs: int | None = None,
    num_steps: int | None = None,
    num_tasks: int = 256,
    seed: int = 1,
    baselines: bool = True,
    figures: bool = True,
    folder: str | None = None,
) -> dict[str, Any]:
    """Evaluate a trained agent, frozen, on tasks it never saw, and draw what it does.

    Writes ``evaluation.json``, ``rollouts.npz`` and the figures into a folder. Of tasks without a
    target there are the errors alone, and a figure of them.

    Args:
        checkpoint: a checkpoint that fit.py wrote, or the name of a shipped policy.
        topology: another topology than the one trained on.
        num_experts: another number of experts than trained on.
        num_outputs: another number of outputs than trained on.
        num_steps: another number of inner steps than trained on; where tasks say themselves how
            long a life with them is, that holds.
        num_tasks: how many tasks to evaluate on; fewer, where a family draws no more at once.
        seed: seed of the tasks.
        baselines: whether to run the baselines on the same tasks; only the guessing game has any.
        figures: whether to draw.
        folder: where to write; by default ``evaluation`` in the folder of the run.

    Returns:
        What ``evaluation.json`` holds.

    Raises:
        ValueError: for a bad checkpoint, or sizes that the agent cannot live with; before any
            rollout.
    """
    out = Path(folder) if folder else run_folder(checkpoint) / "evaluation"
    require_writable(out / "evaluation.json", out / "rollouts.npz")
    sizes = {"num_experts": num_experts, "num_outputs": num_outputs, "num_steps": num_steps}
    overrides = {name: value for name, value in sizes.items() if value is not None}
    training = load_trained(checkpoint)._replace(**overrides)  # type: ignore[arg-type]
    agent, family = training.agent.eval(), training.task
    if topology is not None:
        agent.topology = topology
    generator = torch.Generator(agent.device).manual_seed(seed)
    task = family.sample(num_tasks, training.num_outputs, generator)
    has_target = isinstance(task, Targeted)
    rollout = unroll(agent, task, training.num_experts, training.num_steps, generator)
    if not rollout.loss.isfinite().all():
        raise ValueError("the errors of an agent must be finite, got some that are not")
    errors = {"agent": rollout.loss.double().cpu().numpy()}
    if baselines and isinstance(family, GuessingGame):
        errors |= baseline_errors(family, target_of(task), training.num_steps, seed)
    result = {
        "checkpoint": str(checkpoint),
        "outer_steps": training.outer_steps,
        "num_experts": rollout.life.num_experts,
        "num_outputs": task.num_outputs,
        "num_steps": len(rollout.loss),
        "topology": to_config(agent.topology),
        "task": to_config(family),
        "has_target": has_target,
        "num_tasks": task.batch_size,
        "seed": seed,
        "chance": family.chance,
        "errors": {name: table.mean(axis=1).tolist() for name, table in errors.items()},
        "standard_error": {
            name: (table.std(axis=1) / math.sqrt(task.batch_size)).tolist()
            for name, table in errors.items()
        },
    }
    out.mkdir(parents=True, exist_ok=True)
    if has_target:
        with whole_file(out / "rollouts.npz") as partial, partial.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **_record(training, generator))
    write_json(out / "evaluation.json", result)
    if figures:
        draw = plots.save_all if has_target else plots.save_errors
        draw(out)
    return result


def baseline_errors(
    family: GuessingGame, target: Tensor, num_queries: int, seed: int
) -> dict[str, np.ndarray]:
    """The error of every baseline after each number of queries, ``[num_queries, tasks]`` each.

    A baseline sees one scalar, the mean error, in bins where the task has bins, and is scored
    like the agent. The exact solver is left out where it is not the limit: it needs exact
    squared errors, and an agent that is told each output's own error knows more than it.
    """

    def error(guess: np.ndarray, target: np.ndarray) -> float:
        return float(family.output_errors(_tensor(guess), _tensor(target)).mean())

    def feedback(guess: np.ndarray, target: np.ndarray) -> float:
        return float(family.quantise(torch.tensor(error(guess, target), dtype=torch.float64)))

    targets = target.double().cpu().numpy()
    exact = (family.error, family.feedback, family.bins) == ("mse", "scalar", None)
    return {
        solver.name: error_after_queries(solver(), targets, num_queries, feedback, error, seed)
        for name, solver in SOLVERS.items()
        if exact or name != "exact"
    }


def print_evaluation(result: dict[str, Any]) -> None:
    """Print the errors after each number of queries, or steps, as a table."""
    if result["has_target"]:
        steps, after, outputs = "queries", "after each number of queries", "numbers"
    else:
        steps, after, outputs = "step", "at each step of a life", "outputs"
    title = (
        f"error {after}: N={result['num_experts']} experts, "
        f"d={result['num_outputs']} {outputs}, {result['num_tasks']} tasks "
        f"(chance {result['chance']:.3f})"
    )
    table = Table(title=title)
    table.add_column(steps, justify="right")
    for name in result["errors"]:
        table.add_column(name, justify="right", style="bold" if name == "agent" else "")
    num_steps, num_outputs = result["num_steps"], result["num_outputs"]
    queries = {1, 2, 3, 5, 10, 15, 20, 50, 100, num_outputs, num_outputs + 1, num_steps}
    for query in sorted(q for q in queries if q <= num_steps):
        row = [_short(column[query - 1]) for column in result["errors"].values()]
        table.add_row(str(query), *row)
    # In a pipe there is no width to keep to.
    Console(width=None if sys.stdout.isatty() else 120).print(table)


def _record(training: TrainedAgent, generator: torch.Generator) -> dict[str, np.ndarray]:
    few = training.task.sample(DRAWN_ROLLOUTS, training.num_outputs, generator)
    recorder = Recorder(training.agent)
    rollout = unroll(
        training.agent, few, training.num_experts, training.num_steps, generator, probe=recorder
    )
    arrays = recorder.arrays()
    first = split(rollout.graph)[0]
    tensors = {
        "action": rollout.action,
        "target": target_of(few),
        "loss": rollout.loss,
        "message": arrays["message"],
        "hidden": arrays["hidden"],
        "edge_index": first.edge_index,
        "edge_weight": first.edge_weight,
    }
    return {name: tensor.cpu().numpy() for name, tensor in tensors.items()}


def _tensor(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.asarray(values, dtype=np.float64))


def _short(error: float) -> str:
    return f"{error:.4f}" if error >= 5e-5 or error == 0 else f"{error:.0e}"
