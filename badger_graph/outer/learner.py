"""The outer loop: meta-training of the expert policy."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import Any

import torch
from lightning import LightningModule
from lightning.pytorch.cli import OptimizerCallable
from torch import Tensor

from badger_graph.agent import BadgerAgent
from badger_graph.outer.clipping import clip_gradients
from badger_graph.outer.config import CONFIG_KEY, Config, to_config
from badger_graph.outer.course import Course
from badger_graph.outer.curriculum import Curriculum
from badger_graph.outer.finite import FiniteWatch
from badger_graph.outer.gradients import Backpropagation, OuterGradient
from badger_graph.outer.losses import MeanOverEnd, MetaLoss
from badger_graph.outer.objective import Objective, Outcome
from badger_graph.outer.rate import cosine_decay, set_learning_rate
from badger_graph.outer.sizes import DEFAULT_SIZES, Sizes
from badger_graph.outer.stream import TaskStream, validation_seeds
from badger_graph.tasks import TaskFamily
from topologies.checks import SEED, checked, interval, size

CURRICULUM_KEY = "badger_graph_curriculum"
"""Where a checkpoint keeps how far the curriculum has got."""

GRADIENT_KEY = "badger_graph_gradient"
"""Where a checkpoint keeps what the outer gradient remembers."""


class MetaLearner(LightningModule):
    """Searches for the expert policy by gradients through the lives of agents on many tasks.

    One outer step samples a batch of tasks, lets as many agents live through them, turns the
    rollout into a meta-loss and takes one optimiser step on the shared weights.

    Source: Rosa et al. 2019, "Training Procedure".

    Args:
        agent: the agent whose policy is trained.
        task: the task family.
        meta_loss: what is minimised.
        gradient: how the gradient of an outer step is found; by backpropagation by default.
        curriculum: what every outer step is like; the same by default. Validation does not
            follow it: its sizes are always those of ``sizes``.
        sizes: how many experts, outputs, inner steps and agents there are.
        optimizer: makes the optimiser; fused Adam with a learning rate of 0.003 by default.
        val_batches: batches of the fixed validation set, over all processes.
        seed: seed of the task stream and of everything drawn in a rollout.
        decay_from: from this part of the trainer's ``max_steps`` on, the learning rate falls to
            zero along half a cosine.

    Raises:
        ValueError: when a number is below 1, or the agent cannot live with so many experts
            and outputs, anywhere in the curriculum, or the gradient cannot be found of such
            lives; always before any training.
        NonFiniteLossError: when training diverges; says the outer step.
    """

    @checked(val_batches=size(), seed=SEED, decay_from=interval(0, 1, "[)"))
    def __init__(
        self,
        agent: BadgerAgent,
        task: TaskFamily,
        meta_loss: MetaLoss | None = None,
        gradient: OuterGradient | None = None,
        curriculum: Curriculum | None = None,
        sizes: Sizes = DEFAULT_SIZES,
        optimizer: OptimizerCallable | None = None,
        val_batches: int = 8,
        seed: int = 0,
        decay_from: float | None = None,
    ) -> None:
        super().__init__()
        self.agent = agent
        self.task = task
        self.meta_loss = meta_loss or MeanOverEnd()
        self.gradient = gradient or Backpropagation()
        self.curriculum = curriculum
        self.sizes = sizes
        self.optimizer = optimizer or default_optimizer
        self.val_batches = val_batches
        self.seed = seed
        self.decay_from = decay_from
        self.course = Course(curriculum, self.objective.lesson)
        self.latest: Tensor | None = None  # errors at the end of the last rollout, [B]
        self._watch = FiniteWatch()
        self.objective.check_feedback()
        self.gradient.check(self.objective, curriculum)
        self.executor = self.objective.rehearse(seed)
        if curriculum is not None:
            curriculum.check(agent, task)

    @property
    def objective(self) -> Objective:
        """The meta-loss of a batch of lives, as a function of the weights."""
        return Objective(self.agent, self.task, self.meta_loss, self.sizes)

    def training_step(self, seed: int, batch_idx: int) -> Tensor:
        lesson = self.course.go_on(self.seed, self.global_step)
        outcome = self.gradient(self.objective, seed, lesson)
        self._note(outcome)
        return outcome.meta_loss

    def _note(self, outcome: Outcome) -> None:
        """See that it is finite, let the curriculum judge it, and log it."""
        self.latest = outcome.loss[-1].detach()
        error = self.latest.mean()
        self._watch.see("meta-loss", outcome.meta_loss, self.global_step)
        self.course.mark(error)
        if self._logs_now():
            meta_loss = outcome.meta_loss.detach()
            numbers: dict[str, Tensor | float] = {"error": error, "meta_loss": meta_loss}
            numbers |= self.course.numbers()
            for name, value in numbers.items():
                self._log(f"train/{name}", value)

    def _log(self, name: str, value: Tensor | float, **arguments: Any) -> None:
        self.log(name, value, batch_size=self.sizes.batch_size, **arguments)

    def _logs_now(self) -> bool:
        # Loggers write what was logged last, at the end of every log_every_n_steps steps.
        every: int = self.trainer.log_every_n_steps  # type: ignore[attr-defined]
        return every > 0 and (self.global_step + 1) % every == 0

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        # The optimiser takes a step at the rate of its lesson; a checkpoint that is saved after
        # it knows what the lesson led to.
        decay = None
        if self.decay_from is not None:
            decay = cosine_decay(self.global_step / self.trainer.max_steps, self.decay_from)
        set_learning_rate(optimizer, self.course.lesson.learning_rate, decay)
        self.course.learn(self.task.chance, partial(self.trainer.strategy.reduce, reduce_op="mean"))
        self.trainer.should_stop |= self.course.finished

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        clipping = (gradient_clip_val, gradient_clip_algorithm, self.gradient.largest_norm)
        norm = clip_gradients(self, optimizer, *clipping)
        self._watch.see("gradient", norm, self.global_step)
        if self._logs_now():
            self._log("train/gradient_norm", norm)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return self.optimizer(self.parameters())

    def validation_step(self, seed: int, batch_idx: int) -> None:
        error = self.objective.unroll(seed).loss[-1].mean()
        self._watch.see("validation error", error, self.global_step)
        self._log("val/error", error, sync_dist=True)

    def on_fit_start(self) -> None:
        if self.decay_from is not None and self.trainer.max_steps < 1:
            raise ValueError(
                "decay_from is a part of max_steps, which must be at least 1, got "
                f"{self.trainer.max_steps}"
            )
        self.gradient.begin(self.trainer)

    def on_train_start(self) -> None:
        if self.course.finished:
            self.trainer.should_stop = True

    def on_validation_epoch_end(self) -> None:
        self._watch.read()

    def on_train_end(self) -> None:
        self._watch.read()

    def train_dataloader(self) -> TaskStream:
        # Rollouts already done: with accumulated gradients, several for each outer step.
        start = self.trainer.global_step * self.trainer.accumulate_grad_batches
        return TaskStream(self.seed, self.global_rank, start)

    def val_dataloader(self) -> list[int]:
        world_size = self.trainer.world_size
        self.check_processes(world_size)
        return validation_seeds(self.seed, self.val_batches, self.global_rank, world_size)

    def check_processes(self, num_processes: int) -> None:
        """Refuse to deal out the validation batches unevenly: Lightning would drop some.

        Raises:
            ValueError: when ``val_batches`` is no multiple of the number of processes.
        """
        if self.val_batches % num_processes:
            raise ValueError(
                "val_batches must be a multiple of the number of processes, "
                f"got val_batches={self.val_batches} for {num_processes} processes"
            )

    def config(self) -> Config:
        """What was trained, as plain data."""
        parts = {name: getattr(self, name) for name in ("agent", "task", "meta_loss", "gradient")}
        return {
            **{name: to_config(part) for name, part in parts.items()},
            "curriculum": None if self.curriculum is None else to_config(self.curriculum),
            "sizes": asdict(self.sizes),
            "seed": self.seed,
        }

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        norm = torch.nn.utils.get_total_norm(self.parameters())
        self._watch.see("norm of the weights", norm, self.global_step)
        self._watch.read()
        checkpoint[CONFIG_KEY] = self.config()
        checkpoint[GRADIENT_KEY] = self.gradient.state_dict()
        if self.curriculum is not None:
            checkpoint[CURRICULUM_KEY] = self.curriculum.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if GRADIENT_KEY in checkpoint:
            self.gradient.load_state_dict(checkpoint[GRADIENT_KEY])
        if self.curriculum is not None and CURRICULUM_KEY in checkpoint:
            self.curriculum.load_state_dict(checkpoint[CURRICULUM_KEY])


def default_optimizer(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, lr=3e-3, fused=True)
