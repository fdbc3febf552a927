"""The checkpoint that a run goes on from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint


class LastCheckpoint(Checkpoint):
    """Keeps ``last.ckpt`` up to date: after every validation, and when training ends.

    Lightning's own ``save_last`` writes it only when the best checkpoint is written too, so a
    run on a plateau would not be kept. To be added after the callback that keeps the best one,
    whose state it saves.

    Args:
        dirpath: folder of ``last.ckpt``.
    """

    def __init__(self, dirpath: str = "checkpoints") -> None:
        self.dirpath = dirpath
        self._saved_step = -1

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Let callbacks find their files, such as the best one's, when their run was moved."""
        here = Path(self.dirpath).resolve()
        if trainer.ckpt_path is None or Path(trainer.ckpt_path).resolve().parent != here:
            return
        for state in checkpoint["callbacks"].values():
            if isinstance(state, dict) and isinstance(state.get("dirpath"), str):
                state.update(_relocate(state, Path(state["dirpath"]), here))

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == "fit" and not trainer.sanity_checking:
            self._save(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.global_step > self._saved_step:
            self._save(trainer)

    def _save(self, trainer: Trainer) -> None:
        self._saved_step = trainer.global_step
        if not trainer.fast_dev_run:  # type: ignore[attr-defined]
            trainer.save_checkpoint(Path(self.dirpath) / "last.ckpt")


def _relocate(value: Any, before: Path, now: Path) -> Any:
    """Plain data with every name of a file in one folder changed to one in another."""
    if isinstance(value, dict):
        return {
            _relocate(key, before, now): _relocate(item, before, now) for key, item in value.items()
        }
    if isinstance(value, str) and value and Path(value).is_relative_to(before):
        return str(now / Path(value).relative_to(before))
    return value
