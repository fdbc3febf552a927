"""Trained agents from files. No code in a checkpoint is ever run."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from badger_graph.agent import BadgerAgent
from badger_graph.library.shipping import find_policy, read_policy
from badger_graph.library.upgrade import upgrade_description
from badger_graph.outer.config import CONFIG_KEY, from_config
from badger_graph.outer.losses import MeanOverEnd, MetaLoss
from badger_graph.outer.objective import Objective
from badger_graph.outer.sizes import Sizes
from badger_graph.tasks import TaskFamily
from topologies.checks import brief, check, checked, size

MAX_STEPS = 2**53

SIZES = ("num_experts", "num_outputs", "num_steps")


class TrainedAgent(NamedTuple):
    """What a training left, and the sizes that it was trained at, as plain values.

    Attributes:
        agent: with its weights.
        task: the family of tasks that it was trained on.
        meta_loss: what its policy was trained for.
        num_experts: experts N.
        num_outputs: outputs d.
        num_steps: inner steps T.
        outer_steps: how long it was trained.
    """

    agent: BadgerAgent
    task: TaskFamily
    meta_loss: MetaLoss
    num_experts: int | None
    num_outputs: int
    num_steps: int
    outer_steps: int


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """The contents of a checkpoint: tensors and plain data only.

    Raises:
        ValueError: when the file is missing, truncated, holds pickled code (which is not run),
            or was not written by badger-graph.
    """
    checkpoint = read_tensors(path)
    if not isinstance(checkpoint, dict) or CONFIG_KEY not in checkpoint:
        raise ValueError(f"a checkpoint must be written by badger-graph, {str(path)!r} is not")
    return {**checkpoint, CONFIG_KEY: upgrade_description(checkpoint[CONFIG_KEY])}


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
            :func:`read_checkpoint` and :func:`badger_graph.library.shipping.read_policy`.
    """
    if find_policy(source) is None:
        contents = read_checkpoint(source)
    else:
        card, weights = read_policy(source)
        contents = {
            CONFIG_KEY: upgrade_description(card["config"]),
            "state_dict": {f"agent.{name}": tensor for name, tensor in weights.items()},
            "global_step": card["training"].get("outer_steps"),
        }
    for part, kind in ((CONFIG_KEY, dict), ("state_dict", dict), ("global_step", int)):
        if not isinstance(contents.get(part), kind):
            raise ValueError(
                f"what was trained must hold {part}, a {kind.__name__}, "
                f"got {brief(contents.get(part))} in {str(source)!r}"
            )
    check("global_step", contents["global_step"], *size(0, MAX_STEPS))
    return contents


@checked()
def load_trained(path: str | Path) -> TrainedAgent:
    """An agent with its task family and sizes, weights loaded.

    Args:
        path: as :func:`read_trained`: a file, or the name of a shipped policy.

    Raises:
        ValueError: for a bad file (see :func:`read_trained`), components whose module is not
            imported, sizes that the agent cannot live with, or weights that do not fit the policy
            that the checkpoint names.
    """
    contents = read_trained(path)
    config = contents[CONFIG_KEY]
    try:
        parts = components({name: config[name] for name in ("agent", "task", "meta_loss")})
        sizes = Sizes(**{name: config["sizes"][name] for name in SIZES})
        training = _build(**parts, sizes=sizes, outer_steps=contents["global_step"])
    except (AttributeError, TypeError, KeyError) as error:
        raise undescribed(path, error) from error
    load_weights(path, nn.ModuleDict({"agent": training.agent}), training.agent, contents)
    return training


def load_agent(path: str | Path) -> BadgerAgent:
    """A trained agent, frozen: it learns in its inner loop only.

    Args:
        path: a checkpoint, or the name of a shipped policy: ``load_agent("micro_badger")``.

    Raises:
        ValueError: as :func:`load_trained`.
    """
    return load_trained(path).agent.eval().requires_grad_(False)


def components(config: dict[str, Any]) -> dict[str, Any]:
    """What a description describes, part by part."""
    return {
        name: from_config(part) if isinstance(part, dict) else part for name, part in config.items()
    }


def undescribed(path: str | Path, error: Exception) -> ValueError:
    """What to say where no agent can be built as a checkpoint says."""
    return ValueError(
        f"a checkpoint must say how its agent is built, {str(path)!r} does not: {error}"
    )


@checked()
def _build(
    agent: BadgerAgent, task: TaskFamily, meta_loss: MetaLoss | None, sizes: Sizes, outer_steps: int
) -> TrainedAgent:
    """What was trained, if it fits together."""
    meta_loss = meta_loss or MeanOverEnd()
    with torch.no_grad():
        Objective(agent, task, meta_loss, sizes).rehearse(0)
    numbers = (sizes.num_experts, sizes.num_outputs, sizes.num_steps)
    return TrainedAgent(agent, task, meta_loss, *numbers, outer_steps)


def load_weights(
    path: str | Path, module: nn.Module, agent: BadgerAgent, contents: dict[str, Any]
) -> None:
    """Give a module that holds an agent the weights of a checkpoint.

    Raises:
        ValueError: when they do not fit.
    """
    weights = contents["state_dict"]
    require_numbers(path, weights, module.state_dict())
    try:
        module.load_state_dict(weights)
    except (RuntimeError, KeyError, TypeError) as error:
        raise ValueError(
            f"the weights in {str(path)!r} must fit its {type(agent.policy).__name__}: {error}"
        ) from error


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


@checked()
def begin_with(agent: BadgerAgent, source: str | Path) -> None:
    """Give an agent the weights of a trained one, those of its policy and membrane.

    Args:
        agent: to be trained on.
        source: as :func:`read_trained`: a file, or the name of a shipped policy.

    Raises:
        ValueError: when the two do not have the same weights.
    """
    trained = load_agent(source)
    for part in ("policy", "membrane"):
        own, other = getattr(agent, part), getattr(trained, part)
        weights = other.state_dict()
        sizes, others = (
            {name: tuple(value.shape) for name, value in of.items()}
            for of in (own.state_dict(), weights)
        )
        if sizes != others:
            unlike = {name for name, _ in sizes.items() ^ others.items()}
            raise ValueError(
                f"initial_policy must have the weights of this agent, but the {part} of "
                f"{str(source)!r}, {type(other).__name__}, and {type(own).__name__} differ in "
                f"{', '.join(sorted(unlike))}"
            )
        own.load_state_dict(weights)
