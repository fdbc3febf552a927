"""What Lightning adds to a training step."""

from __future__ import annotations

import copy
import dataclasses
import io
import itertools
import json
import math
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from statistics import fmean
from typing import Any, cast, final

import torch
from lightning import Callback, LightningModule, Trainer

from badger_graph import MetaLearner, unroll
from badger_graph.cli import fit_main
from benchmarks.timing import seconds_of

STEPS = 10
"""Outer steps in a block: fit.py logs once in so many."""

FILE = "clock.json"

PARTS = ("lightning", "small", "whole")


@final
class Clock(Callback):
    """Times Lightning's part of an outer step, under ``fit.py`` and all that it configures.

    The learner is given one agent and one inner step, so that a thousandth of a second can be
    seen; what such a step takes in a plain loop is measured beside it. Before each of the two a
    whole outer step, of the size that the learner had, is taken in a plain loop, so that caches
    are as cold as they would be. A step ends where the next batch begins, so it contains whatever
    Lightning, callbacks and loggers do. Blocks of ten steps contain one that is logged; those
    with a validation are left out. CPU seconds per step, the mean of each block, go to
    ``clock.json`` in the folder of the run.
    """

    def __init__(self) -> None:
        self._blocks: list[dict[str, float]] = []
        self._steps: list[dict[str, float]] = []
        self._counts = False
        self._started = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        learner, clip = cast(MetaLearner, pl_module), trainer.gradient_clip_val or math.inf
        self._whole = plain_step(learner, clip)
        learner.sizes = dataclasses.replace(learner.sizes, batch_size=1, num_steps=1)
        self._small = plain_step(learner, clip)

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if self._steps:
            self._steps[-1]["lightning"] = time.process_time() - self._started
        if trainer.global_step % STEPS == 0:
            if self._counts:
                means = {name: fmean(step[name] for step in self._steps) for name in PARTS}
                self._blocks.append(means)
            self._steps, self._counts = [], trainer.global_step > 0
        whole = seconds_of(self._whole, time.process_time)
        small = seconds_of(self._small, time.process_time)
        self._steps.append({"whole": whole, "small": small})
        self._whole()
        self._started = time.process_time()

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._counts = False

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        (Path(trainer.default_root_dir) / FILE).write_text(json.dumps(self._blocks))


def plain_step(learner: MetaLearner, clip: float | int) -> Callable[[], None]:
    """One outer step of a copy of a learner: sample, roll out, go back, clip, Adam."""
    agent = copy.deepcopy(learner.agent)
    parameters = list(agent.parameters())
    optimizer = learner.optimizer(parameters)
    batch_size, num_steps = learner.sizes.batch_size, learner.sizes.num_steps
    seeds = itertools.count()

    def step() -> None:
        generator = torch.Generator().manual_seed(next(seeds))
        task = learner.task.sample(batch_size, learner.sizes.num_outputs, generator)
        rollout = unroll(agent, task, learner.sizes.num_experts, num_steps, generator)
        optimizer.zero_grad()
        learner.meta_loss(rollout).backward()
        torch.nn.utils.clip_grad_norm_(parameters, clip)
        optimizer.step()

    return step


def written_by(
    callback: type[Callback], file: str, arguments: list[str], own: Sequence[str] = ()
) -> Any:
    """What a callback writes into the folder of a training by ``fit.py``.

    Args:
        callback: which.
        file: the JSON that it writes.
        arguments: of ``fit.py``.
        own: those of the callback, which come after it.
    """
    name = f"{callback.__module__}.{callback.__name__}"
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(io.StringIO()):
        usual = ["--run_dir", folder, "--evaluate", "false"]
        usual += ["--threads", str(torch.get_num_threads())]
        fit_main([*arguments, *usual, "--trainer.callbacks+", name, *own])
        return json.loads((Path(folder) / file).read_text())
