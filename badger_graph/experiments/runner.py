"""What every experiment is, and what is done with each: compute, keep, tabulate, draw, print."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from jsonargparse import ArgumentParser
from matplotlib.figure import Figure

from badger_graph.cli import saying_what_is_wrong
from badger_graph.files import require_outputs, write_json, write_text

Result = Any
"""What an experiment gives: plain data, as JSON holds it."""


class Experiment(ABC):
    """A question whose answer is a JSON, a table made of it, and mostly a figure made of it.

    Arguments of the constructor are the flags of its command; it refuses what they may not be.
    """

    name: ClassVar[str]
    """Of its files, in ``results``."""

    @abstractmethod
    def compute(self, file: Path) -> Result:
        """The answer.

        Args:
            file: where it will be kept; what is there already need not be computed again.
        """

    @staticmethod
    @abstractmethod
    def markdown(result: Result) -> str:
        """The table of a result."""

    @staticmethod
    def figure(result: Result) -> Figure | None:
        """The figure of a result; none where the table says it all."""
        return None


def run(experiment: Experiment, file: str | Path) -> Result:
    """Compute an experiment, and write the JSON, and its table and figure beside it.

    Args:
        experiment: which.
        file: the JSON.

    Raises:
        OSError: when a file cannot be written; before anything is computed.
        ValueError: as the experiment says.
    """
    torch.set_num_threads(1)
    require_outputs(file)
    result = experiment.compute(Path(file))
    write(experiment, result, file)
    return result


def write(experiment: Experiment | type[Experiment], result: Result, file: str | Path) -> None:
    """Write a result, and its table and figure beside it."""
    path = Path(file)
    write_json(path, result)
    write_text(path.with_suffix(".md"), experiment.markdown(result) + "\n")
    if (figure := experiment.figure(result)) is not None:
        figure.savefig(path.with_suffix(".png"))


def command(make: type[Experiment]) -> Callable[..., None]:
    """The program of an experiment: its flags, and ``--out``, where the JSON goes.

    A list, which an experiment takes without a default or with a tuple, is typed as several words.
    """

    def main(arguments: Sequence[str] | None = None) -> None:
        says = str(inspect.getdoc(make)).partition("\n\nArgs:")[0]
        parser = ArgumentParser(description=says, exit_on_error=False)
        parser.add_argument("--config", action="config", help="path to a configuration file")
        parameters = inspect.signature(make).parameters.values()
        lists = {p.name: p.default for p in parameters if p.default is p.empty}
        lists |= {p.name: p.default for p in parameters if isinstance(p.default, tuple)}
        parser.add_class_arguments(make, skip={*lists})
        for name, usual in sorted(lists.items()):
            if usual is inspect.Parameter.empty:
                parser.add_argument(f"--{name}", nargs="+", required=True)
            else:
                kind = type(usual[0])
                parser.add_argument(f"--{name}", nargs="+", type=kind, default=[*usual])
        out = f"results/{make.name}.json"
        parser.add_argument(
            "--out", type=str, default=out, help="the JSON; table and figure beside"
        )
        with saying_what_is_wrong("-h shows the flags"):
            options = parser.parse_args(None if arguments is None else [*arguments]).as_dict()
            options.pop("config")
            file = options.pop("out")
            print(make.markdown(run(make(**options), file)))

    return main
