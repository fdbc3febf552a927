"""One line that says how the outer loop is doing."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from badger_graph.outer.learner import MetaLearner


class OuterLoopBar(ProgressBar):
    """Outer steps done, steps per second, validation error and chance, stage of a curriculum.

    Until the first validation the training error is shown, read once a second: a GPU waits for it.

    A terminal gets a bar; a file or pipe gets one line for each validation.
    """

    def __init__(self) -> None:
        super().__init__()
        self._console = Console()
        self._bar: Progress | None = None
        self._error: str | None = None  # of the last validation
        self._training_error = ""
        self._read = -math.inf  # when it was read

    def disable(self) -> None:
        self._console.quiet = True

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._origin = (time.monotonic(), trainer.global_step)
        if not self._console.is_terminal or self._console.quiet:
            return
        self._bar = Progress(
            TextColumn("outer step {task.completed}{task.fields[end]}"),
            BarColumn(),
            TextColumn("{task.fields[status]}"),
            TimeRemainingColumn(),
            console=self._console,
            refresh_per_second=2,
        )
        endless = trainer.max_steps < 0
        self._task = self._bar.add_task(
            "",
            total=None if endless else trainer.max_steps,
            completed=trainer.global_step,
            end="" if endless else f"/{trainer.max_steps}",
            status="",
        )
        self._bar.start()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step % 5 == 0:
            self._update(trainer, pl_module)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.sanity_checking or trainer.state.fn != "fit":
            return
        self._error = f"{float(trainer.callback_metrics['val/error']):.4g}"
        if self._bar is None:
            status = self._status(trainer, pl_module)
            self._console.print(f"outer step {trainer.global_step}: {status}", highlight=False)
        self._update(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._update(trainer, pl_module)
        self._stop()

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        self._stop()
        if isinstance(exception, KeyboardInterrupt):
            has_checkpoint = any(Path(trainer.default_root_dir).glob("checkpoints/*.ckpt"))
            left = "--ckpt_path last goes on from the last checkpoint"
            left = left if has_checkpoint else "no checkpoint was written before"
            self._console.print(
                f"interrupted at outer step {trainer.global_step}; {left}", highlight=False
            )

    def _update(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._bar is not None:
            status = self._status(trainer, pl_module)
            self._bar.update(self._task, completed=trainer.global_step, status=status)

    def _stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _status(self, trainer: Trainer, pl_module: LightningModule) -> str:
        start, first_step = self._origin
        speed = (trainer.global_step - first_step) / max(time.monotonic() - start, 1e-9)
        learner = cast(MetaLearner, pl_module)
        error = self._latest(learner) if self._error is None else f"error {self._error}"
        status = f"{speed:.1f} steps/s, {error} (chance {learner.task.chance:.3f})"
        if (curriculum := learner.curriculum) is None:
            return status
        stage = min(curriculum.stage, curriculum.num_stages - 1)
        num_outputs, num_experts = zip(*curriculum.sizes(stage), strict=True)
        experts = "" if None in num_experts else f", N={_span(num_experts)}"
        return f"{status}, stage {stage}: d={_span(num_outputs)}{experts}"

    def _latest(self, learner: MetaLearner) -> str:
        now = time.monotonic()
        if learner.latest is not None and now - self._read >= 1:
            self._read = now
            self._training_error = f"training error {float(learner.latest.mean()):.4g}"
        return self._training_error or "no error yet"


def _span(sizes: Sequence[int]) -> str:
    low, high = min(sizes), max(sizes)
    return str(low) if low == high else f"{low}..{high}"
