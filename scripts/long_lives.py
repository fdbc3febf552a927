"""What becomes of the error in long lives: python scripts/long_lives.py.

Shipped policies, which were trained to live for 20 steps, live for thousands, frozen, on tasks that
stay the same. Their errors go to a JSON, to a figure and, as Markdown, to the screen and beside
both.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from badger_graph import plots
from badger_graph.cli import program
from badger_graph.experiments.error_bars import mean_and_bar
from badger_graph.experiments.long_lives import NUMBERS, SHOWN, errors_of_life
from badger_graph.experiments.measurements import shipped_groups
from badger_graph.files import require_outputs, write_json, write_text
from badger_graph.progress import track
from topologies.checks import SEED, checked, size

MICRO = "micro_badger"


def markdown(result: Mapping[str, Any]) -> str:
    """One row a number of steps; ± is one standard error over policies."""
    groups = result["groups"]
    heads = [f"{name} ({len(of)} seed{'s' * (len(of) > 1)})" for name, of in groups.items()]
    lines = [f"| steps lived | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for step in SHOWN:
        if step <= result["steps"][-1]:
            place = result["steps"].index(step)
            cells = [_cell([life[place] for life in of]) for of in groups.values()]
            lines.append(f"| {step:,} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(errors: list[float]) -> str:
    error, bar = mean_and_bar(errors)
    return f"{error:.4f} ± {bar:.4f}" if len(errors) > 1 else f"{error:.4f}"


@checked(num_steps=size(SHOWN[0]), num_tasks=size(), seed=SEED)
def long_lives(
    num_steps: int = 10_000,
    num_tasks: int = 128,
    seed: int = 0,
    out: str = "results/long_lives.json",
) -> None:
    """Let shipped policies live on, and note their errors.

    Args:
        num_steps: inner steps of a life.
        num_tasks: lives of each policy.
        seed: seed of the tasks and of all that agents draw.
        out: where to write the JSON; figure and table go beside it.

    Raises:
        ValueError: when a number is too small.
    """
    torch.set_num_threads(1)
    file = Path(out)
    require_outputs(file)
    policies = {MICRO: [MICRO], **shipped_groups(stages=False)}
    lives: dict[str, list[dict[int, float]]] = {group: [] for group in policies}
    pairs = [(group, policy) for group, names in policies.items() for policy in names]
    for group, policy in track(pairs, "living"):
        lives[group].append(errors_of_life(policy, num_steps, num_tasks, seed))
    steps = list(next(iter(lives.values()))[0])
    groups = {name: [list(life.values()) for life in of] for name, of in lives.items()}
    sizes = {"numbers": NUMBERS, "num_tasks": num_tasks, "seed": seed}
    result = {**sizes, "policies": policies, "steps": steps, "groups": groups}
    write_json(file, result)
    panel = {
        "title": f"Frozen agents that live on, {NUMBERS} numbers",
        "x": "inner step",
        "y": "error (MSE), mean over tasks",
        "curves": {name: {"x": steps, "y": of} for name, of in groups.items()},
        "lines": {"chance": 1 / 3},
        "log": True,
        "log_x": True,
    }
    plots.panels([panel]).savefig(file.with_suffix(".png"))
    table = markdown(result)
    write_text(file.with_suffix(".md"), table + "\n")
    print(table)


if __name__ == "__main__":
    program(long_lives)
