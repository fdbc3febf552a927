"""Trained agents from files. No code in a checkpoint is ever run."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import torch
from lightning import LightningModule, Trainer
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch.callbacks import Checkpoint

from badger_graph.agent import BadgerAgent
from badger_graph.outer.config import from_config
from badger_graph.outer.learner import CONFIG_KEY, MetaLearner


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """The contents of a checkpoint: tensors and plain data only.

    Raises:
        ValueError: when the file is missing, truncated, holds pickled code (which is not run),
            or was not written by badger-graph.
    """
    checkpoint = read_tensors(path)
    if not isinstance(checkpoint, dict) or CONFIG_KEY not in checkpoint:
        raise ValueError(f"a checkpoint must be written by badger-graph, {str(path)!r} is not")
    return checkpoint


def read_tensors(path: str | Path) -> Any:
    """What ``torch.save`` wrote: tensors and plain data only.

    Raises:
        ValueError: when the file is missing, truncated, or holds pickled code (which is not run).
    """
    if not Path(path).is_file():
        raise ValueError(f"a checkpoint must be a file, got {str(path)!r}, which is none")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(
            "a checkpoint must hold tensors and plain data, no pickled code, "
            f"but {str(path)!r} does (nothing of it was run) or is no checkpoint at all"
        ) from error
    except Exception as error:  # damaged bytes may raise anything while they are read
        raise ValueError(
            f"a checkpoint must be a whole file, but {str(path)!r} is truncated or damaged: "
            f"{str(error).splitlines()[0] if str(error) else type(error).__name__}"
        ) from error


def load_learner(path: str | Path) -> MetaLearner:
    """The learner of a checkpoint with its agent, task family and sizes, weights loaded.

    Raises:
        ValueError: for a bad file (see :func:`read_checkpoint`), components whose module is
            not imported, or weights that do not fit the policy that the checkpoint names.
    """
    checkpoint = read_checkpoint(path)
    try:
        components = {
            name: from_config(value) if isinstance(value, dict) else value
            for name, value in checkpoint[CONFIG_KEY].items()
        }
        learner = MetaLearner(**components)
    except (AttributeError, TypeError) as error:
        raise ValueError(
            f"a checkpoint must say how its agent is built, {str(path)!r} does not: {error}"
        ) from error
    try:
        learner.load_state_dict(checkpoint["state_dict"])
    except (RuntimeError, KeyError, TypeError) as error:
        raise ValueError(
            f"the weights in {str(path)!r} must fit its {type(learner.agent.policy).__name__}: "
            f"{error}"
        ) from error
    return learner


def load_agent(path: str | Path) -> BadgerAgent:
    """The trained agent of a checkpoint, frozen: it learns in its inner loop only.

    Raises:
        ValueError: as :func:`load_learner`.
    """
    agent = load_learner(path).agent.eval()
    return agent.requires_grad_(False)


def require_same_agent(path: str | Path, learner: MetaLearner) -> None:
    """Refuse to go on training from the checkpoint of another agent.

    Raises:
        ValueError: when policy, topology, membrane or task differ; says which.
    """
    saved, given = read_checkpoint(path)[CONFIG_KEY], learner.config()
    pairs = [
        ("agent." + key, saved["agent"]["init_args"], given["agent"]["init_args"], key)
        for key in given["agent"]["init_args"]
    ]
    pairs += [(key, saved, given, key) for key in given if key != "agent"]
    for label, before, now, key in pairs:
        if before.get(key) != now[key]:
            raise ValueError(
                f"a run must be resumed as it was started, but {label} was {before.get(key)} in "
                f"{str(path)!r} and is {now[key]} now"
            )


def require_same_optimizer(path: str | Path, optimizer: torch.optim.Optimizer) -> None:
    """Refuse another optimiser or other settings: Lightning would silently keep the old ones.

    Raises:
        ValueError: says which setting differs.
    """
    (saved,) = read_checkpoint(path)["optimizer_states"]
    given = optimizer.state_dict()
    for before, now in zip(saved["param_groups"], given["param_groups"], strict=True):
        for key in sorted((before.keys() | now.keys()) - {"params"}):
            if before.get(key) != now.get(key):
                raise ValueError(
                    f"a run must be resumed as it was started, but the optimizer's {key} was "
                    f"{before.get(key)} in {str(path)!r} and is {now.get(key)} now"
                )


def run_folder(checkpoint: str | Path) -> Path:
    """The folder of the run that wrote a checkpoint, or the one that holds it."""
    folder = Path(checkpoint).resolve().parent
    return folder.parent if folder.name == "checkpoints" else folder


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


class WholeFiles(TorchCheckpointIO):
    """Writes a checkpoint beside the old one and then swaps them: a kill leaves one of the two."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        partial = f"{path}.partial"
        super().save_checkpoint(checkpoint, partial, storage_options)
        os.replace(partial, path)
