"""Grow living agents: python scripts/growth.py --checkpoints a.ckpt b.ckpt.

The five steps of Rosa et al. 2019, "Scalability and Growing": agents are trained, which is done
already, and frozen; live for some steps; get experts, clones or newborn ones, in the midst of it;
and go on. Beside it, experts are removed and links are drawn anew. The errors go to a JSON, around
the moment of change to a figure, and as Markdown to the screen and beside both. Give the
checkpoints of one configuration, one a seed: intervals are over them.
"""

from __future__ import annotations

from pathlib import Path

import torch
from jsonargparse import ArgumentParser

from badger_graph import plots
from badger_graph.cli import saying_what_is_wrong
from badger_graph.experiments.growth import growth, markdown
from badger_graph.experiments.measurements import load_policy
from badger_graph.files import require_outputs, write_json, write_text
from topologies.checks import SEED, checked, size


@checked(num_tasks=size(2), after=size(), seed=SEED)
def grow(
    checkpoints: list[str],
    num_tasks: int = 512,
    after: int = 30,
    seed: int = 1,
    out: str = "results/growth.json",
) -> None:
    """Change living agents and watch their errors.

    Args:
        checkpoints: trained agents, one a seed of training; files or names of shipped policies.
        num_tasks: lives of each agent.
        after: inner steps after the change.
        seed: seed of the tasks.
        out: where to write the JSON; figure and table go beside it.
    """
    torch.set_num_threads(1)
    file = Path(out)
    require_outputs(file)
    result = growth([load_policy(name) for name in checkpoints], num_tasks, after, seed)
    write_json(file, {"checkpoints": checkpoints, **result})
    plots.growth(result).savefig(file.with_suffix(".png"))
    table = markdown(result)
    write_text(file.with_suffix(".md"), table + "\n")
    print(table)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = ArgumentParser(description=__doc__, exit_on_error=False)
    parser.add_function_arguments(grow, skip={"checkpoints"})
    parser.add_argument("--checkpoints", nargs="+", required=True, help="trained agents")
    with saying_what_is_wrong("-h shows the flags"):
        grow(**parser.parse_args(arguments).as_dict())


if __name__ == "__main__":
    main()
