"""A checkpoint of every stage of a curriculum."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

from badger_graph.outer.learner import MetaLearner


class StageCheckpoints(Checkpoint):
    """Keeps ``stage0.ckpt``, ``stage1.ckpt``, ...: the agent at the end of each stage.

    That of the stage in which training ends is written then. Without a curriculum it does nothing.

    Args:
        dirpath: folder of the checkpoints.
    """

    def __init__(self, dirpath: str = "checkpoints") -> None:
        self.dirpath = dirpath
        self._stage = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if (curriculum := cast(MetaLearner, pl_module).curriculum) is not None:
            self._stage = curriculum.stage

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        curriculum = cast(MetaLearner, pl_module).curriculum
        if curriculum is not None and curriculum.stage > self._stage:
            self._save(trainer)
            self._stage = curriculum.stage

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # Not on_train_end: a run that was killed after its last step has no training to resume.
        curriculum = cast(MetaLearner, pl_module).curriculum
        if curriculum is not None and not curriculum.finished:
            self._stage = curriculum.stage
            self._save(trainer)

    def _save(self, trainer: Trainer) -> None:
        if not trainer.fast_dev_run:  # type: ignore[attr-defined]
            trainer.save_checkpoint(Path(self.dirpath) / f"stage{self._stage}.ckpt")
