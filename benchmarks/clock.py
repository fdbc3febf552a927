"""How long a training step takes under Lightning, and how long without."""

from __future__ import annotations

import itertools
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast, final

import torch
from lightning import Callback, LightningModule, Trainer

from badger_graph import MetaLearner, unroll
from badger_graph.outer.config import from_config, to_config
from benchmarks.timing import wall_seconds

STEPS = 10
"""Outer steps in a block: fit.py logs once in so many."""

FILE = "clock.json"


@final
class Clock(Callback):
    """Times blocks of ten outer steps, each followed by a block without Lightning.

    A block begins and ends where a training batch does, so that it contains whatever Lightning,
    callbacks and loggers do. Blocks with a validation and the first one are left out. While the
    same steps are taken without Lightning, on a copy of the agent, the training stands still.
    Seconds per outer step go to ``clock.json`` in the folder of the run.
    """

    def __init__(self) -> None:
        self._seconds: dict[str, list[float]] = {"lightning": [], "raw": []}
        self._counts = False
        self._started = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        step = raw_step(cast(MetaLearner, pl_module), trainer.gradient_clip_val or math.inf)
        self._raw_block = lambda: [step() for _ in range(STEPS)]

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step % STEPS:
            return
        block = time.perf_counter() - self._started
        raw_block = wall_seconds(self._raw_block)
        if self._counts:
            self._seconds["lightning"].append(block / STEPS)
            self._seconds["raw"].append(raw_block / STEPS)
        self._counts = trainer.global_step > 0
        self._started = time.perf_counter()

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._counts = False

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        (Path(trainer.default_root_dir) / FILE).write_text(json.dumps(self._seconds))


def raw_step(learner: MetaLearner, clip: float | int) -> Callable[[], None]:
    """One outer step of a copy of a learner: sample, roll out, go back, clip, Adam."""
    agent = from_config(to_config(learner.agent))
    agent.load_state_dict(learner.agent.state_dict())
    parameters = list(agent.parameters())
    optimizer = learner.optimizer(parameters)
    seeds = itertools.count()

    def step() -> None:
        generator = torch.Generator().manual_seed(next(seeds))
        task = learner.task.sample(learner.batch_size, learner.num_outputs, generator)
        rollout = unroll(agent, task, learner.num_experts, learner.num_steps, generator)
        optimizer.zero_grad()
        learner.meta_loss(rollout.loss).backward()
        torch.nn.utils.clip_grad_norm_(parameters, clip)
        optimizer.step()

    return step
