"""The outer loop: meta-training of the expert policy."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import torch
from jaxtyping import Float
from lightning import LightningModule
from lightning.pytorch.cli import OptimizerCallable
from torch import Tensor, nn

from badger_graph.agent import BadgerAgent
from badger_graph.analysis.gradients import jacobian, output_losses
from badger_graph.outer.captured import CapturedStep, check_run, check_topology
from badger_graph.outer.config import CONFIG_KEY, described, to_config
from badger_graph.outer.curriculum import Curriculum, Lesson
from badger_graph.outer.finite import FiniteWatch
from badger_graph.outer.losses import MeanOverEnd, MetaLoss
from badger_graph.outer.rate import cosine_decay, set_learning_rate
from badger_graph.outer.regularisers import Regulariser
from badger_graph.outer.stream import TaskStream, validation_seeds
from badger_graph.outer.surgery import one_gradient
from badger_graph.rollout import Rollout, unroll
from badger_graph.tasks import SeparableFamily, TaskFamily
from topologies.checks import EXPERTS, SEED, check_numbers, checked, interval, size

MAX_STATES = 2**31
"""Numbers in the states of a rollout: what a step makes besides takes ten times their memory."""

CURRICULUM_KEY = "badger_graph_curriculum"
"""Where a checkpoint keeps how far the curriculum has got."""


class MetaLearner(LightningModule):
    """Searches for the expert policy by backpropagation through rollouts on many tasks.

    One outer step samples a batch of tasks, lets as many agents live through them, turns the
    errors of the rollout into a meta-loss and takes one optimiser step on the shared weights.

    Source: Rosa et al. 2019, "Training Procedure".

    Args:
        agent: the agent whose policy is trained.
        task: the task family.
        meta_loss: what is minimised.
        regulariser: what is added to it; nothing by default.
        aggregator: makes one gradient of those of the single outputs' meta-losses, ``[d, P]`` to
            ``[P]``, such as those of TorchJD, scaled as a mean (see
            :func:`~badger_graph.outer.surgery.one_gradient`); by default the gradient of the
            meta-loss is taken. A backward pass for each output; for one process.
        curriculum: what every outer step is like; the same by default. Validation does not
            follow it: its sizes are always the following two.
        num_experts: experts N of an agent.
        num_outputs: outputs d, the numbers to guess.
        num_steps: inner-loop steps T of a rollout.
        batch_size: agents B per process and outer step.
        detach_every: truncate backpropagation to so many inner steps.
        checkpoint_every: keep the states at every so many inner steps only; see
            :func:`badger_graph.unroll`.
        val_batches: batches of the fixed validation set, over all processes.
        seed: seed of the task stream and of everything drawn in a rollout.
        optimizer: makes the optimiser; fused Adam with a learning rate of 0.003 by default.
        decay_from: from this part of the trainer's ``max_steps`` on, the learning rate falls to
            zero along half a cosine.
        cuda_graph: replay rollout, meta-loss and gradients as one CUDA graph; see
            :class:`badger_graph.outer.captured.CapturedStep`. Not yet run on a GPU.

    Raises:
        ValueError: when a number is below 1, or the agent cannot live with so many experts
            and outputs, anywhere in the curriculum, or ``cuda_graph`` cannot capture its topology
            or curriculum or finds no CUDA device; always before any training.
        NonFiniteLossError: when training diverges; says the outer step.
    """

    @checked(
        num_experts=EXPERTS,
        num_outputs=size(),
        num_steps=size(),
        batch_size=size(),
        detach_every=size(),
        checkpoint_every=size(),
        val_batches=size(),
        seed=SEED,
        decay_from=interval(0, 1, "[)"),
    )
    def __init__(
        self,
        agent: BadgerAgent,
        task: TaskFamily,
        meta_loss: MetaLoss | None = None,
        curriculum: Curriculum | None = None,
        num_experts: int = 16,
        num_outputs: int = 4,
        num_steps: int = 20,
        batch_size: int = 64,
        detach_every: int | None = None,
        checkpoint_every: int | None = None,
        val_batches: int = 8,
        seed: int = 0,
        optimizer: OptimizerCallable | None = None,
        decay_from: float | None = None,
        cuda_graph: bool = False,
        regulariser: Regulariser | None = None,
        aggregator: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.agent = agent
        self.task = task
        self.meta_loss = meta_loss or MeanOverEnd()
        self.curriculum = curriculum
        self.num_experts = num_experts
        self.num_outputs = num_outputs
        self.num_steps = num_steps
        self.batch_size = batch_size
        self.detach_every = detach_every
        self.checkpoint_every = checkpoint_every
        self.val_batches = val_batches
        self.seed = seed
        self.optimizer = optimizer or default_optimizer
        self.decay_from = decay_from
        self.cuda_graph = cuda_graph
        self.regulariser = regulariser
        self.aggregator = aggregator
        self.latest: Tensor | None = None  # errors at the end of the last rollout, [B]
        self._of_outputs: Tensor | None = None  # their meta-losses, for the aggregator
        self.lesson = Lesson(num_outputs, num_experts)
        self._errors: list[Tensor] = []  # of the rollouts of this outer step, if they count
        self._watch = FiniteWatch()
        self._captured: CapturedStep | None = None
        kept = min(num_steps, checkpoint_every or num_steps)
        check_numbers(
            "the states that a rollout keeps for the gradient",
            MAX_STATES,
            num_steps=kept,
            batch_size=batch_size,
            num_experts=num_experts,
            hidden_size=agent.hidden_size,
        )
        if cuda_graph:
            check_topology(agent.topology)
            for name in ("curriculum", "regulariser", "aggregator"):
                if (given := getattr(self, name)) is not None:
                    raise ValueError(
                        f"a CUDA graph repeats one kind of outer step, so {name} must be none, got "
                        f"{type(given).__name__}"
                    )
            if checkpoint_every is not None:
                raise ValueError(
                    "a CUDA graph keeps every step, so checkpoint_every must be none, got "
                    f"{checkpoint_every}"
                )
        if aggregator is not None and regulariser is not None:
            raise ValueError(
                "an aggregator knows of the outputs' meta-losses alone, so regulariser must be "
                f"none, got {type(regulariser).__name__}"
            )
        # One step in the life of one agent finds whatever does not fit together, with gradients,
        # so that an executor sees which weights of edges are to be learned; not compiled.
        eager = torch.compiler.set_stance("force_eager") if agent.compiled else nullcontext()
        with eager:
            generator = torch.Generator(agent.device).manual_seed(seed)
            trial = task.sample(1, num_outputs, generator)
            lived = unroll(agent, trial, num_experts, 1, generator, detach_every, checkpoint_every)
            if aggregator is not None:
                one_gradient(aggregator, torch.ones_like(self.output_losses(lived))[:, None])
        self.executor: str = lived.life.executor.name
        if curriculum is not None:
            curriculum.check(agent, task)

    def rollout(self, seed: int, lesson: Lesson | None = None) -> Rollout:
        """The lives of a batch of agents on the tasks that a seed of the stream stands for.

        Args:
            lesson: what they are like; as in validation by default.
        """
        lesson = lesson or Lesson(self.num_outputs, self.num_experts)
        generator = torch.Generator(self.device).manual_seed(seed)
        task = self.task.sample(self.batch_size, lesson.num_outputs, generator)
        return unroll(
            self.agent,
            task,
            lesson.num_experts,
            self.num_steps,
            generator,
            self.detach_every,
            self.checkpoint_every,
            birth=lesson.birth(self.agent.birth),
        )

    def on_fit_start(self) -> None:
        if self.decay_from is not None and self.trainer.max_steps < 1:
            raise ValueError(
                "decay_from is a part of max_steps, which must be at least 1, got "
                f"{self.trainer.max_steps}"
            )
        if self.aggregator is not None and self.trainer.accumulate_grad_batches > 1:
            raise ValueError(
                "an aggregator makes the whole gradient of an outer step, so "
                "accumulate_grad_batches must be 1, "
                f"got {self.trainer.accumulate_grad_batches}"
            )
        if self.cuda_graph:
            check_run(self.trainer.strategy.root_device, self.trainer.precision)
            self._captured = None  # weights may lie elsewhere than in the last fit

    def on_train_start(self) -> None:
        if self.curriculum is not None and self.curriculum.finished:
            self.trainer.should_stop = True

    def training_step(self, seed: int, batch_idx: int) -> Tensor:
        if self.cuda_graph:
            self._captured = self._captured or CapturedStep(self)
            meta_loss, loss = self._captured(seed)
        else:
            if self.curriculum is not None:
                self.lesson = self.curriculum.lesson(self.seed, self.global_step)
            rollout = self.rollout(seed, self.lesson)
            loss = rollout.loss
            meta_loss = self.meta_loss(loss)
            if self.aggregator is not None:
                self._of_outputs = self.output_losses(rollout)
            if self.regulariser is not None:
                meta_loss = meta_loss + self.regulariser(rollout)
        self.latest = loss[-1].detach()
        self._watch.see("meta-loss", meta_loss, self.global_step)
        if self.curriculum is not None and self.curriculum.judges(self.lesson):
            self._errors.append(loss[-1].mean().detach())
        if self._logs_now():
            error = loss[-1].mean().detach()
            self.log("train/error", error, batch_size=self.batch_size)
            self.log("train/meta_loss", meta_loss.detach(), batch_size=self.batch_size)
            if self.curriculum is not None:
                self.log("train/stage", float(self.curriculum.stage))
                self.log("train/num_outputs", float(self.lesson.num_outputs))
                self.log("train/num_experts", float(self.lesson.num_experts))
        return meta_loss

    def output_losses(self, rollout: Rollout) -> Float[Tensor, " d"]:
        """The meta-loss of each output's own errors.

        Raises:
            ValueError: for a task whose error is not the mean over outputs.
        """
        if not isinstance(self.task, SeparableFamily):
            raise ValueError(
                "only a SeparableFamily has errors of single outputs, "
                f"got a {type(self.task).__name__}"
            )
        return output_losses(rollout, self.task, self.meta_loss)

    def backward(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        """Lightning's own, or one gradient made of those of the outputs."""
        if self.aggregator is None:
            super().backward(loss, *args, **kwargs)
        else:
            parameters = [p for p in self.parameters() if p.requires_grad]
            assert self._of_outputs is not None
            gradient = one_gradient(self.aggregator, jacobian(self._of_outputs, parameters))
            parts = gradient.split([parameter.numel() for parameter in parameters])
            for parameter, part in zip(parameters, parts, strict=True):
                parameter.grad = part.view_as(parameter)
            self._of_outputs = None

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        # The optimiser takes a step at the rate of its lesson; a checkpoint that is saved after
        # it knows what the lesson led to.
        decay = None
        if self.decay_from is not None:
            decay = cosine_decay(self.global_step / self.trainer.max_steps, self.decay_from)
        set_learning_rate(optimizer, self.lesson.learning_rate, decay)
        if self.curriculum is not None:
            self.curriculum.learn(self._error_of_all_processes(), self.task.chance)
            self.trainer.should_stop |= self.curriculum.finished

    def _error_of_all_processes(self) -> float | None:
        errors, self._errors = self._errors, []
        if not errors:
            return None
        error = self.trainer.strategy.reduce(torch.stack(errors).mean(), reduce_op="mean")
        return float(error)

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        # One norm serves to check, to log and to clip.
        groups = optimizer.param_groups  # quicker to go through than the modules
        parameters = [p for group in groups for p in group["params"] if p.grad is not None]
        norm = torch.nn.utils.get_total_norm([p.grad for p in parameters])
        self._watch.see("gradient", norm, self.global_step)
        if self._logs_now():
            self.log("train/gradient_norm", norm, batch_size=self.batch_size)
        by_norm = gradient_clip_algorithm in (None, "norm") and self.trainer.scaler is None
        limit = gradient_clip_val or 0.0
        if by_norm and limit > 0:
            torch.nn.utils.clip_grads_with_norm_(parameters, limit, norm)
        else:
            self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)

    def validation_step(self, seed: int, batch_idx: int) -> None:
        error = self.rollout(seed).loss[-1].mean()
        self._watch.see("validation error", error, self.global_step)
        self.log("val/error", error, batch_size=self.batch_size, sync_dist=True)

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
            ValueError: when ``val_batches`` is no multiple of the number of processes, or several
                are to share an aggregator, whose gradients are not averaged.
        """
        if self.aggregator is not None and num_processes > 1:
            raise ValueError(f"an aggregator needs one process, got {num_processes}")
        if self.val_batches % num_processes:
            raise ValueError(
                "val_batches must be a multiple of the number of processes, "
                f"got val_batches={self.val_batches} for {num_processes} processes"
            )

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return self.optimizer(self.parameters())

    def config(self) -> dict[str, Any]:
        """What was trained, as plain data."""
        return {
            "agent": to_config(self.agent),
            "task": to_config(self.task),
            "meta_loss": to_config(self.meta_loss),
            "curriculum": None if self.curriculum is None else to_config(self.curriculum),
            "num_experts": self.num_experts,
            "num_outputs": self.num_outputs,
            "num_steps": self.num_steps,
            "batch_size": self.batch_size,
            "detach_every": self.detach_every,
            "checkpoint_every": self.checkpoint_every,
            "regulariser": None if self.regulariser is None else to_config(self.regulariser),
            "aggregator": None if self.aggregator is None else described(self.aggregator),
            "seed": self.seed,
        }

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        norm = torch.nn.utils.get_total_norm(self.parameters())
        self._watch.see("norm of the weights", norm, self.global_step)
        self._watch.read()
        checkpoint[CONFIG_KEY] = self.config()
        if self.curriculum is not None:
            checkpoint[CURRICULUM_KEY] = self.curriculum.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if self.curriculum is not None and CURRICULUM_KEY in checkpoint:
            self.curriculum.load_state_dict(checkpoint[CURRICULUM_KEY])

    def _logs_now(self) -> bool:
        # Loggers write what was logged last, at the end of every log_every_n_steps steps.
        every: int = self.trainer.log_every_n_steps  # type: ignore[attr-defined]
        return every > 0 and (self.global_step + 1) % every == 0


def default_optimizer(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, lr=3e-3, fused=True)
