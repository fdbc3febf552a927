"""Experiments on training: from their trainings to their findings."""

from __future__ import annotations

import re
import shlex
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import torch
from matplotlib.figure import Figure

from badger_graph import plots
from badger_graph.experiments.runner import Experiment
from badger_graph.experiments.trainings import Run, Training, train
from badger_graph.experiments.why_hard.findings import Findings, markdown
from badger_graph.machine import machine
from topologies.checks import checked, size


class Scale(NamedTuple):
    """How much is trained: seeds of each training, and outer steps at most."""

    seeds: int
    max_steps: int


class TrainingExperiment(Experiment):
    """One question about training, answered by trainings of several seeds.

    Args:
        full: as many seeds and outer steps as the committed results have.
        seeds: other than those.
        max_steps: outer steps of a training at most, other than those.
        jobs: trainings side by side, one thread each.
        runs: where to keep the trainings.
        arguments: further ones of fit.py, for every training, after its own.

    Raises:
        ValueError: when a number is below 1, or ``arguments`` are no words of a shell.
    """

    title: ClassVar[str]
    question: ClassVar[str]
    """What is asked, for a reader who never saw the blog."""

    told: ClassVar[Mapping[str, str]]
    """What is trained with each seed, by name: arguments of fit.py, ``{seed}`` for the seed."""

    longest: ClassVar[Mapping[str, int]] = {}
    """Outer steps at most of those trainings that take fewer than the others."""

    short: ClassVar[Scale]
    """Within a quarter of an hour on two cores."""

    full: ClassVar[Scale]
    """What the committed results are made with."""

    @checked(seeds=size(most=1000), max_steps=size(most=2**53), jobs=size(most=1000))
    def __init__(
        self,
        full: bool = False,
        seeds: int | None = None,
        max_steps: int | None = None,
        jobs: int = 2,
        runs: str = "runs/why_hard",
        arguments: str = "",
    ) -> None:
        usual = self.full if full else self.short
        self.scale = Scale(seeds or usual.seeds, max_steps or usual.max_steps)
        self.jobs = jobs
        self.runs = Path(runs)
        self.arguments = arguments
        try:
            shlex.split(arguments)
        except ValueError as error:
            raise ValueError(
                f"arguments must be words of a shell, got {arguments!r}: {error}"
            ) from error

    def trainings(self, seed: int, max_steps: int) -> list[Training]:
        """What is trained with a seed."""
        return [
            Training(name, arguments, seed, min(max_steps, self.longest.get(name, max_steps)))
            for name, arguments in self.told.items()
        ]

    @abstractmethod
    def findings(self, runs: Sequence[Run]) -> Findings:
        """What the trainings of all seeds say."""

    @property
    def slug(self) -> str:
        """The name of its files and of the folder of its trainings."""
        return self.name + re.sub(r"\W+", "-", self.arguments).rstrip("-")

    @property
    def is_full(self) -> bool:
        """Whether it is done as the committed results were."""
        return self.scale == self.full and not self.arguments

    @property
    def command(self) -> str:
        """What is typed to do it again."""
        seeds, max_steps = self.scale
        scale = f"--seeds {seeds} --max_steps {max_steps}"
        words = ["--full true" if self.scale == self.full else scale]
        words += [f"--arguments {shlex.quote(self.arguments)}"] if self.arguments else []
        return " ".join([f"python scripts/why_hard.py {self.name}", *words])

    def compute(self, file: Path) -> dict[str, Any]:
        """Train what is not trained yet, and say what came out."""
        trainings = [
            one._replace(arguments=f"{one.arguments} {self.arguments}".strip())
            for seed in range(self.scale.seeds)
            for one in self.trainings(seed, self.scale.max_steps)
        ]
        runs = train(trainings, self.runs / self.slug, self.jobs)
        findings = self.findings(runs)
        return {
            "title": self.title,
            "question": self.question,
            "command": self.command,
            "seeds": self.scale.seeds,
            "max_steps": self.scale.max_steps,
            "trainings": len(runs),
            "cpu_seconds": round(sum(one.cpu_seconds for one in runs)),
            "machine": machine(torch.device("cpu")),
            "claims": [claim._asdict() for claim in findings.claims],
            "columns": findings.columns,
            "rows": findings.rows,
            "numbers": findings.numbers,
            "panels": [panel._asdict() for panel in findings.panels],
        }

    markdown = staticmethod(markdown)

    @staticmethod
    def figure(result: dict[str, Any]) -> Figure:
        return plots.panels(result["panels"])
