"""Make a trained agent part of the package: python scripts/ship.py CHECKPOINT NAME.

Writes ``NAME.safetensors``, all weights of the agent, and ``NAME.json``, its card: configuration,
seed, outer steps, wall time, machine, commands, versions, and its errors on tasks that it never
saw. Several seeds of one recipe are called ``<recipe>-<seed>``, as in ``recurrent-0``.
"""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from badger_graph import __version__, load_agent
from badger_graph.callbacks.record import recorded_pieces
from badger_graph.cli import program
from badger_graph.experiments.paper.relative_error import ExpertRule, can_live, relative_error
from badger_graph.files import require_outputs
from badger_graph.library.load import TrainedAgent, load_trained, read_checkpoint
from badger_graph.library.shipping import SHIPPED, write_policy
from badger_graph.membranes import CrossbarMembrane
from badger_graph.outer.config import CONFIG_KEY
from badger_graph.progress import track
from topologies.checks import EXPERTS, MAX_EXPERTS, NOT_NEGATIVE, SEED, checked, size

MAX_OUTPUTS = 20
DIGITS = 4


def training(checkpoint: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    """How the weights came about; ``told`` speaks for a checkpoint that kept no record.

    Raises:
        ValueError: when neither says command, machine and seconds.
    """
    pieces = recorded_pieces(checkpoint)
    if not pieces:
        missing = [f"--{name}" for name, value in told.items() if value is None]
        if missing:
            raise ValueError(
                "a checkpoint without a record of its training needs "
                f"--command, --machine and --seconds, got no {', '.join(missing)}"
            )
        pieces = [{**told, "from_step": 0}]
    groups = checkpoint["optimizer_states"][0]["param_groups"]
    settings = {key: value for key, value in groups[0].items() if key != "params" and value}
    return {
        "outer_steps": checkpoint["global_step"],
        "seconds": round(sum(piece["seconds"] for piece in pieces), 1),
        "optimizer_at_the_end": settings,
        "pieces": pieces,
    }


def errors(
    trained: TrainedAgent, experts: ExpertRule, num_steps: int, num_tasks: int, seed: int
) -> dict[str, Any]:
    """The error for every number of outputs that the agent can live with."""
    agent, table = trained.agent, []
    for num_outputs in track(range(1, MAX_OUTPUTS + 1), "measuring"):
        num_experts = None if experts == ExpertRule() else experts(num_outputs)
        if can_live(agent, num_experts, num_outputs, trained.task):
            measured = relative_error(
                agent, trained.task, num_experts, num_outputs, num_steps, num_tasks, seed
            )
            rounded = {name: round(value, DIGITS) for name, value in measured._asdict().items()}
            sizes = {"num_outputs": num_outputs, "num_experts": num_experts}
            table.append(sizes | rounded)
    return {
        "unit": "error of the last step / chance; in the guessing game 3 MSE",
        "experts": {name: value for name, value in experts._asdict().items() if value is not None},
        "num_steps": num_steps,
        "num_tasks": num_tasks,
        "seed": seed,
        "table": table,
    }


@checked(
    num_experts=EXPERTS,
    spare_experts=size(0, MAX_EXPERTS),
    hidden_wires=size(0),
    num_steps=size(),
    num_tasks=size(2),
    seed=SEED,
    seconds=NOT_NEGATIVE,
)
def ship(
    checkpoint: str,
    name: str,
    num_experts: int | None = None,
    spare_experts: int | None = None,
    hidden_wires: int | None = None,
    num_steps: int | None = None,
    num_tasks: int = 1000,
    seed: int = 1,
    command: str | None = None,
    machine: str | None = None,
    seconds: float | None = None,
    folder: str = str(SHIPPED),
) -> None:
    """Write the two files of a policy.

    Args:
        checkpoint: a checkpoint that fit.py wrote.
        name: what the policy is called.
        num_experts: experts N for every number of outputs d; by default as trained, or as many as
            the membrane usually needs.
        spare_experts: instead, N = d + so many.
        hidden_wires: of a crossbar where nobody says how many, more than it was trained with: it
            has grown.
        num_steps: inner steps T; by default as trained.
        num_tasks: tasks for each d.
        seed: seed of the tasks.
        command: what was typed to train it, where the checkpoint does not say.
        machine: where it was trained, where the checkpoint does not say.
        seconds: wall time of the training, where the checkpoint does not say.
        folder: where to write.

    Raises:
        ValueError: for a bad checkpoint, or one that does not say how it came about.
    """
    torch.set_num_threads(1)
    if not name or "." in name or "/" in name:
        raise ValueError(f"the name of a policy must be a word without dot and slash, got {name!r}")
    file = Path(folder) / f"{name}.safetensors"
    require_outputs(file)
    contents = read_checkpoint(checkpoint)
    config = contents[CONFIG_KEY]
    trained = load_trained(checkpoint)
    if hidden_wires is not None:
        membrane = trained.agent.membrane
        if not isinstance(membrane, CrossbarMembrane):
            raise ValueError(
                f"hidden_wires are those of a crossbar, got {hidden_wires} and a policy with a "
                f"{type(membrane).__name__}"
            )
        membrane.hidden_wires = hidden_wires
        config["agent"]["init_args"]["membrane"]["init_args"]["hidden_wires"] = hidden_wires
    trained.agent.eval().requires_grad_(False)
    if num_experts is None and spare_experts is None:
        num_experts = trained.num_experts
    told = {"command": command, "machine": machine, "seconds": seconds}
    card = {
        "config": config,
        "training": training(contents, told),
        "versions": {"badger-graph": __version__, "python": platform.python_version()}
        | {package: version(package) for package in ("torch", "torch-geometric", "lightning")},
        "errors": errors(
            trained,
            ExpertRule(num_experts, spare_experts),
            num_steps or trained.num_steps,
            num_tasks,
            seed,
        ),
    }
    write_policy(file, card, trained.agent.state_dict())
    load_agent(file)
    for row in card["errors"]["table"]:
        sizes = f"d={row['num_outputs']}, N={row['num_experts'] or 'as usual'}"
        print(f"{sizes}: {row['error']:.4f} ± {row['standard_error']:.4f}")
    print(f"{file}: {file.stat().st_size / 1024:.0f} KB")


if __name__ == "__main__":
    program(ship)
