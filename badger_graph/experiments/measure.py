"""Measures of trained agents, as a command.

Prints one line of JSON a checkpoint, with its outer steps and the measures of
``badger_graph.analysis.measures``; the same as ``--measurements.measures`` takes along training.
"""

from __future__ import annotations

import json

import torch
from jsonargparse import ArgumentParser

from badger_graph.analysis.measures import MEASURES, check_measures, take
from badger_graph.analysis.subject import Subject
from badger_graph.cli import saying_what_is_wrong
from badger_graph.library.load import load_trained
from badger_graph.progress import track
from topologies.checks import SEED, checked, size


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = ArgumentParser(description=__doc__, exit_on_error=False)
    parser.add_argument("checkpoints", nargs="+", help="files, or names of shipped policies")
    parser.add_argument(
        "--measures",
        nargs="+",
        default=["output_errors", "total_correlation", "binding_information", "o_information"],
        help=", ".join(MEASURES),
    )
    parser.add_argument("--num_tasks", type=int, default=512, help="lives of each agent")
    parser.add_argument("--seed", type=int, default=1_000_000, help="seed of the tasks")
    with saying_what_is_wrong("-h shows the flags"):
        measure(**parser.parse_args(arguments).as_dict())


@checked(num_tasks=size(), seed=SEED)
def measure(checkpoints: list[str], measures: list[str], num_tasks: int, seed: int) -> None:
    """Print the measures of each checkpoint."""
    torch.set_num_threads(1)
    check_measures(measures)
    for checkpoint in track(checkpoints, "measuring"):
        training = load_trained(checkpoint)
        subject = Subject(*training[:-1], num_tasks, seed)
        row = {"checkpoint": checkpoint, "step": training.outer_steps, **take(measures, subject)}
        print(json.dumps(row, allow_nan=False))
