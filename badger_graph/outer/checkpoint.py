"""Trained agents from files. No code in a checkpoint is ever run."""

from __future__ import annotations

import inspect
import pickle
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import torch
from lightning import LightningModule, Trainer
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch.callbacks import Checkpoint
from torch import Tensor

from badger_graph.agent import BadgerAgent
from badger_graph.files import whole_file
from badger_graph.library.upgrade import upgrade_model
from badger_graph.outer.config import Config, completed, from_config, to_config
from badger_graph.outer.gradients import Backpropagation, Captured
from badger_graph.outer.learner import CONFIG_KEY, MetaLearner
from badger_graph.outer.sizes import DEFAULT_SIZES, Sizes
from badger_graph.shipping import SHIPPED, find_policy, read_policy
from topologies.checks import check, checked, shown, size


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """The contents of a checkpoint: tensors and plain data only.

    Raises:
        ValueError: when the file is missing, truncated, holds pickled code (which is not run),
            or was not written by badger-graph.
    """
    checkpoint = read_tensors(path)
    if not isinstance(checkpoint, dict) or CONFIG_KEY not in checkpoint:
        raise ValueError(f"a checkpoint must be written by badger-graph, {str(path)!r} is not")
    return {**checkpoint, CONFIG_KEY: _upgraded(checkpoint[CONFIG_KEY])}


def _upgraded(config: Any) -> Any:
    return upgrade_model(config) if isinstance(config, dict) else config


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


def read_trained(source: str | Path) -> dict[str, Any]:
    """What was trained: description, weights and outer steps, of a checkpoint or shipped policy.

    Args:
        source: a checkpoint that fit.py wrote, the name of a shipped policy, or the
            ``.safetensors`` of one of your own.

    Raises:
        ValueError: when there is no such file or name, or the file is bad; see
            :func:`read_checkpoint` and :func:`badger_graph.shipping.read_policy`.
    """
    if find_policy(source) is None:
        trained = read_checkpoint(source)
    else:
        card, weights = read_policy(source)
        trained = {
            CONFIG_KEY: _upgraded(card["config"]),
            "state_dict": {f"agent.{name}": tensor for name, tensor in weights.items()},
            "global_step": card["training"].get("outer_steps"),
        }
    for part, kind in ((CONFIG_KEY, dict), ("state_dict", dict), ("global_step", int)):
        if not isinstance(trained.get(part), kind):
            raise ValueError(
                f"what was trained must hold {part}, a {kind.__name__}, "
                f"got {shown(trained.get(part))} in {str(source)!r}"
            )
    check("global_step", trained["global_step"], *size(0, MAX_STEPS))
    return trained


@checked()
def load_learner(path: str | Path) -> MetaLearner:
    """The learner of a checkpoint with its agent, task family and sizes, weights loaded.

    Args:
        path: as :func:`read_trained`: a file, or the name of a shipped policy.

    Raises:
        ValueError: for a bad file (see :func:`read_trained`), components whose module is
            not imported, or weights that do not fit the policy that the checkpoint names.
    """
    checkpoint = read_trained(path)
    try:
        learner = build_learner(checkpoint[CONFIG_KEY])
    except (AttributeError, TypeError, KeyError) as error:
        raise ValueError(
            f"a checkpoint must say how its agent is built, {str(path)!r} does not: {error}"
        ) from error
    require_numbers(path, checkpoint["state_dict"], learner.state_dict())
    try:
        learner.load_state_dict(checkpoint["state_dict"])
    except (RuntimeError, KeyError, TypeError) as error:
        raise ValueError(
            f"the weights in {str(path)!r} must fit its {type(learner.agent.policy).__name__}: "
            f"{error}"
        ) from error
    learner.on_load_checkpoint(checkpoint)
    return learner


def build_learner(config: Config) -> MetaLearner:
    """The learner that :meth:`MetaLearner.config` described, with new weights.

    Of an aggregator there is only a description, and it may be no module here: without it,
    gradients are those of backpropagation.

    Raises:
        ValueError: from :func:`badger_graph.outer.config.from_config`, or the constructor.
    """
    gradient = config.get("gradient")
    if gradient is not None and "aggregator" in gradient["init_args"]:
        others = {k: v for k, v in gradient["init_args"].items() if k != "aggregator"}
        gradient = {**to_config(Backpropagation()), "init_args": others}
    parts = {
        name: from_config(value) if isinstance(value, dict) else value
        for name, value in {**config, "gradient": gradient}.items()
        if name != "sizes"
    }
    return MetaLearner(**parts, sizes=Sizes(**config.get("sizes", {})))


def require_numbers(path: str | Path, weights: dict[str, Any], own: dict[str, Tensor]) -> None:
    """Refuse weights of another kind of numbers: torch would round, or drop a part of each.

    Raises:
        ValueError: says which weight it is of which type, or not finite.
    """
    for name, weight in weights.items():
        if not isinstance(weight, Tensor) or name not in own:
            continue  # what loads them says so
        if weight.is_floating_point() != own[name].is_floating_point() or weight.is_complex():
            raise ValueError(
                f"the weights in {str(path)!r} must be numbers like {own[name].dtype}, "
                f"got {name} of {weight.dtype}"
            )
        if not weight.isfinite().all():
            bad = int((~weight.isfinite()).sum())
            raise ValueError(
                f"the weights in {str(path)!r} must be finite, got {bad} of {weight.numel()} "
                f"numbers of {name} that are not"
            )


def load_agent(path: str | Path) -> BadgerAgent:
    """A trained agent, frozen: it learns in its inner loop only.

    Args:
        path: a checkpoint, or the name of a shipped policy: ``load_agent("micro_badger")``.

    Raises:
        ValueError: as :func:`load_learner`.
    """
    agent = load_learner(path).agent.eval()
    return agent.requires_grad_(False)


@checked()
def require_same_agent(path: str | Path, learner: MetaLearner) -> None:
    """Refuse to go on training from the checkpoint of another agent.

    Raises:
        ValueError: when policy, topology, membrane, task or curriculum differ; says which.
    """
    given = learner.config()
    require_numbers(path, read_trained(path)["state_dict"], learner.state_dict())
    # Arguments that are newer than the checkpoint had their defaults.
    newer = {name: p.default for name, p in inspect.signature(MetaLearner).parameters.items()}
    newer |= {"gradient": to_config(Backpropagation()), "sizes": asdict(DEFAULT_SIZES)}
    saved = {
        name: completed(value)
        for name, value in {**newer, **read_checkpoint(path)[CONFIG_KEY]}.items()
    }
    pairs = [(key, saved, given, key) for key in given if key not in ("agent", "sizes")]
    pairs += [(key, saved["sizes"], given["sizes"], key) for key in given["sizes"]]
    pairs += [
        ("agent." + key, saved["agent"]["init_args"], given["agent"]["init_args"], key)
        for key in given["agent"]["init_args"]
    ]
    for label, before, now, key in pairs:
        if _bare(before.get(key)) != _bare(now[key]):
            raise ValueError(
                f"a run must be resumed as it was started, but {label} was {before.get(key)} in "
                f"{str(path)!r} and is {now[key]} now"
            )


def _bare(value: Any) -> Any:
    """A config, but for what carries it out: a CUDA graph does what backpropagation does."""
    if not isinstance(value, dict) or value.get("class_path") != CAPTURED:
        return value
    return to_config(Backpropagation(**value["init_args"]))


CAPTURED = to_config(Captured())["class_path"]


def require_same_optimizer(path: str | Path, optimizer: torch.optim.Optimizer) -> None:
    """Refuse another optimiser or other settings: Lightning would silently keep the old ones.

    Raises:
        ValueError: says which setting differs.
    """
    (saved,) = read_checkpoint(path)["optimizer_states"]
    given = optimizer.state_dict()
    for before, now in zip(saved["param_groups"], given["param_groups"], strict=True):
        # What only the checkpoint has is no setting: SOAP counts its steps there.
        for key in sorted(now.keys() - {"params", "initial_lr"}):
            # A learning rate that follows a schedule is kept beside the one that was given.
            was = before.get("initial_lr", before["lr"]) if key == "lr" else before.get(key)
            if was != now[key]:
                raise ValueError(
                    f"a run must be resumed as it was started, but the optimizer's {key} was "
                    f"{was} in {str(path)!r} and is {now[key]} now"
                )


def run_folder(checkpoint: str | Path) -> Path:
    """The folder of the run that wrote a checkpoint, or the one that holds it.

    That of a shipped policy is ``runs/<name>``, not the package.
    """
    shipped = find_policy(checkpoint)
    if shipped is not None and shipped.parent == SHIPPED:
        return Path("runs") / shipped.stem
    folder = Path(checkpoint).resolve().parent
    return folder.parent if folder.name == "checkpoints" else folder


MAX_STEPS = 2**53


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
                state.update(_moved(state, Path(state["dirpath"]), here))

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


def _moved(value: Any, before: Path, now: Path) -> Any:
    """Plain data with every name of a file in one folder changed to one in another."""
    if isinstance(value, dict):
        return {_moved(key, before, now): _moved(item, before, now) for key, item in value.items()}
    if isinstance(value, str) and value and Path(value).is_relative_to(before):
        return str(now / Path(value).relative_to(before))
    return value


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


class WholeFiles(TorchCheckpointIO):
    """Writes a checkpoint beside the old one and then swaps them: a kill leaves one of the two."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        with whole_file(path) as partial:
            super().save_checkpoint(checkpoint, partial, storage_options)
