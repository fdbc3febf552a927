"""Measures of :mod:`badger_graph.analysis`, taken while an agent is trained."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from badger_graph.analysis.checks import DivergedError, UndefinedError
from badger_graph.analysis.measures import Measurement, intervals, take
from badger_graph.analysis.subject import Subject
from badger_graph.files import append_line, write_text
from badger_graph.logs import MEASUREMENTS, read_measurements
from badger_graph.outer.finite import NonFiniteLossError
from badger_graph.outer.learner import MetaLearner
from topologies.checks import SEED, checked, size


class Measurements(Callback):
    """Measures the agent on fixed tasks every so many outer steps, the first before training.

    The rows go to ``measurements.jsonl`` in the folder of the run, one a line: ``step``, the outer
    steps done, and each measure that is due then. A resumed run goes on where its checkpoint was.

    A measure that means nothing of the agent as it is, such as how much guesses of zero move, is
    left out of that row, with a warning the first time. Where the agent's states or guesses are not
    finite, training has diverged, and ends.

    Args:
        measures: outer steps from one measurement to the next by name, or a list of names, see
            :data:`badger_graph.analysis.measures.MEASURES`: each at its default interval, at
            which it slows training by about 5% or less, and a list of several, which share the
            lives they look at, by less than 10% (``scripts/benchmark.py --workload measuring``).
            None, no file.
        num_tasks: tasks that are lived through each time.
        seed: seed of the tasks, which training never sees, and of what measures draw.

    Raises:
        ValueError: for an unknown measure, an interval or number below 1, or sizes that a measure
            cannot work with; before training.
        NonFiniteLossError: when weights, states or guesses are not finite; says the outer step.
    """

    @checked(num_tasks=size(), seed=SEED)
    def __init__(
        self,
        measures: list[str] | dict[str, int] | None = None,
        num_tasks: int = 512,
        seed: int = 1_000_000,
    ) -> None:
        self._every = intervals(measures or [])
        self.measures = measures
        self.num_tasks = num_tasks
        self.seed = seed

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._last_step = -1
        self._warnings: set[str] = set()
        if not self._works(trainer):
            return
        self._file = Path(trainer.default_root_dir) / MEASUREMENTS
        rows = [
            row for row in read_measurements(self._file.parent) if row["step"] < trainer.global_step
        ]
        write_text(self._file, "".join(json.dumps(row) + "\n" for row in rows))
        self._measure(trainer, pl_module)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._measure(trainer, pl_module)

    def _measure(self, trainer: Trainer, pl_module: LightningModule) -> None:
        step = trainer.global_step
        due = [name for name, every in self._every.items() if step % every == 0]
        if not self._works(trainer) or not due or step == self._last_step:
            return
        self._last_step = step  # with accumulated gradients, several batches are one outer step
        learner = cast(MetaLearner, pl_module)
        if not all(parameter.isfinite().all() for parameter in learner.parameters()):
            raise NonFiniteLossError(
                f"weights must be finite, got some that are not at outer step {step}"
            )
        subject = subject_of(learner, self.num_tasks, self.seed)
        try:
            row = {"step": step, **self._defined(due, subject)}
        except DivergedError as error:
            raise NonFiniteLossError(f"{error} at outer step {step}") from error
        append_line(self._file, json.dumps(row, allow_nan=False))

    def _defined(self, names: Sequence[str], subject: Subject) -> dict[str, Measurement]:
        """The measures that mean something of this agent; of each that does not, one warning."""
        measurements: dict[str, Measurement] = {}
        for name in names:
            try:
                measurements |= take([name], subject)
            except UndefinedError as error:
                if name not in self._warnings:
                    warnings.warn(
                        f"{name} is left out where it is undefined: {error}", stacklevel=2
                    )
                    self._warnings.add(name)
        return measurements

    def _works(self, trainer: Trainer) -> bool:
        dry: int = trainer.fast_dev_run  # type: ignore[attr-defined]
        return bool(self._every) and trainer.is_global_zero and not dry


def subject_of(learner: MetaLearner, num_tasks: int, seed: int) -> Subject:
    """The agent that is trained, at the sizes of its validation."""
    sizes = (learner.sizes.num_experts, learner.sizes.num_outputs, learner.sizes.num_steps)
    return Subject(learner.agent, learner.task, learner.meta_loss, *sizes, num_tasks, seed)
