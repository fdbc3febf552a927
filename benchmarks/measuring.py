"""What the measures along training cost, and by how much they slow it down."""

from __future__ import annotations

import json
import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast, final

from lightning import Callback, LightningModule, Trainer

from badger_graph import MetaLearner
from badger_graph.analysis.measures import MEASURES, take
from badger_graph.callbacks.measurements import Measurements, subject_of
from badger_graph.tasks import SumOfWaves
from benchmarks.clock import plain_step, written_by
from benchmarks.report import Report, milliseconds, table
from benchmarks.timing import interleave

FILE = "costs.json"

STEPS = 10
"""Outer steps that are timed at a time."""

SEVERAL = f"{STEPS} outer steps"

TOGETHER = ("output_errors", "mutual_information", "binding_information", "outputs_alike")
"""Of a usual list, what has the same interval."""

BESIDE = "gradient_conflict"
"""And what has a longer one."""

USUAL = f"{', '.join(TOGETHER)} and {BESIDE}"


@dataclass(frozen=True)
class Measuring:
    """CPU time of an outer step without measures, and of each measure, at the sizes of configs.

    A measure slows training by its cost over that of the outer steps from one measurement to the
    next, here at its default interval. Those that are due at the same outer step share the lives
    they look at, so that several together cost less than their sum. Takes a minute of CPU
    time.

    Args:
        configs: of ``fit.py``, for the sizes: that of the default game, and of twenty numbers.
        rounds: times that each measure is taken.
    """

    configs: tuple[str, ...] = ("fit", "twenty")
    rounds: int = 2

    def run(self) -> Report:
        seconds = {config: train(config, self.rounds) for config in self.configs}
        data = {"workload": asdict(self), "seconds": seconds, "slower_by": slower_by(seconds)}
        return Report(data, markdown(data))


def slower_by(seconds: Mapping[str, Mapping[str, Sequence[float]]]) -> dict[str, dict[str, float]]:
    """By config, the part of the outer steps between that each measure, and a usual list, takes."""
    shares = {}
    for config, own in seconds.items():
        cost = {name: statistics.median(times) for name, times in own.items()}
        step = cost[SEVERAL] / STEPS
        share = {name: cost[name] / (MEASURES[name].every * step) for name in MEASURES}
        together = cost[str(TOGETHER)] / (MEASURES[TOGETHER[0]].every * step)
        shares[config] = share | {USUAL: together + share[BESIDE]}
    return shares


def markdown(data: Mapping[str, Any]) -> str:
    """One row a measure, two columns a config."""
    header, columns = ["CPU time", "outer steps between"], []
    *names, usual = next(iter(data["slower_by"].values()))
    for config, own in data["seconds"].items():
        cost = {name: statistics.median(times) for name, times in own.items()}
        taken = [cost[SEVERAL] / STEPS, *(cost[name] for name in names)]
        header += [f"{config}.yaml", "slower by"]
        columns.append([*map(milliseconds, taken), ""])
        columns.append(["", *map("{:.1%}".format, data["slower_by"][config].values())])
    between = ["", *(str(MEASURES[name].every) for name in names), ""]
    rows = zip(["one outer step", *names, usual], between, *columns, strict=True)
    return table(header, rows)


def train(config: str, rounds: int) -> dict[str, list[float]]:
    """What was found at the sizes of a config, where ``fit.py`` would train."""
    own = ["--trainer.callbacks.rounds", str(rounds)]
    return written_by(Costs, FILE, ["--config", config, "--max_steps", "1"], own)


@final
class Costs(Callback):
    """CPU seconds of outer steps in a plain loop, and of each measure, before training.

    Args:
        rounds: times that each is run.
    """

    def __init__(self, rounds: int) -> None:
        self.rounds = rounds

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        learner = cast(MetaLearner, pl_module)
        step = plain_step(learner, trainer.gradient_clip_val or math.inf)
        costs: dict[str, Callable[[], object]] = {
            SEVERAL: lambda: [step() for _ in range(STEPS)],
            **{name: partial(measure, learner, name) for name in MEASURES},
            str(TOGETHER): partial(measure, learner, *TOGETHER),
        }
        seconds = interleave(costs, self.rounds, warm_up=1, clock=time.process_time)
        (Path(trainer.default_root_dir) / FILE).write_text(json.dumps(seconds))


def measure(learner: MetaLearner, *names: str) -> None:
    """As :class:`Measurements` would, where all are due."""
    told = Measurements()
    subject = subject_of(learner, told.num_tasks, told.seed)
    if "amplitudes" in names:  # of the task of waves only, whose number of outputs is odd
        subject.family, subject.num_outputs = SumOfWaves(), learner.sizes.num_outputs // 2 * 2 + 1
    take(names, subject)
