"""Trained agents from files. No code in a checkpoint is ever run."""

from __future__ import annotations

import inspect
import pickle
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from badger_graph.agent import BadgerAgent
from badger_graph.library.moved import current
from badger_graph.outer.config import completed, from_config
from badger_graph.outer.learner import CONFIG_KEY, MetaLearner
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
    return {**checkpoint, CONFIG_KEY: current(checkpoint[CONFIG_KEY])}


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
            CONFIG_KEY: card["config"],
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
        components = {
            name: from_config(value) if isinstance(value, dict) else value
            for name, value in checkpoint[CONFIG_KEY].items()
            if name != "aggregator"  # a description: it made gradients, and may be no module here
        }
        learner = MetaLearner(**components)
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
    saved = {
        name: completed(value)
        for name, value in {**newer, **read_checkpoint(path)[CONFIG_KEY]}.items()
    }
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
