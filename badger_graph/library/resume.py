"""Trainings that go on: the learner of a checkpoint, and whether it is the one asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

import torch

from badger_graph.library.load import (
    components,
    load_weights,
    read_trained,
    require_numbers,
    undescribed,
)
from badger_graph.outer.config import CONFIG_KEY, Config, defaults_of, to_config, with_defaults
from badger_graph.outer.gradients import Backpropagation, Captured
from badger_graph.outer.learner import MetaLearner
from badger_graph.outer.sizes import DEFAULT_SIZES, Sizes
from topologies.checks import checked

Change = tuple[str, Any, Any]
"""A setting, what it was and what it is."""


@checked()
def load_learner(path: str | Path) -> MetaLearner:
    """The learner of a checkpoint with its agent, task family and sizes, weights loaded.

    Args:
        path: as :func:`badger_graph.library.load.read_trained`: a file, or the name of a shipped
            policy.

    Raises:
        ValueError: as :func:`badger_graph.library.load.load_trained`.
    """
    contents = read_trained(path)
    try:
        learner = build_learner(contents[CONFIG_KEY])
    except (AttributeError, TypeError, KeyError) as error:
        raise undescribed(path, error) from error
    load_weights(path, learner, learner.agent, contents)
    learner.on_load_checkpoint(contents)
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
    parts = {name: value for name, value in config.items() if name != "sizes"}
    sizes = Sizes(**config.get("sizes", {}))
    return MetaLearner(**components({**parts, "gradient": gradient}), sizes=sizes)


@checked()
def require_same_run(
    path: str | Path, learner: MetaLearner, optimizer: torch.optim.Optimizer | None = None
) -> None:
    """Refuse to go on training from the checkpoint of another run.

    Args:
        path: of the checkpoint.
        learner: what goes on.
        optimizer: of the learner, if it goes on as well: Lightning would silently keep the old
            settings.

    Raises:
        ValueError: when policy, topology, membrane, task, curriculum or a setting of the optimiser
            differs; says which.
    """
    contents = read_trained(path)
    require_numbers(path, contents["state_dict"], learner.state_dict())
    changes = [_changes_of_parts(contents[CONFIG_KEY], learner.config())]
    if optimizer is not None:
        changes.append(_changes_of_optimizer(contents["optimizer_states"], optimizer))
    for label, before, now in chain(*changes):
        raise ValueError(
            f"a run must be resumed as it was started, but {label} was {before} in "
            f"{str(path)!r} and is {now} now"
        )


def _changes_of_parts(before: Config, now: Config) -> Iterator[Change]:
    # Arguments that are newer than the checkpoint had their defaults.
    newer = {"gradient": to_config(Backpropagation()), "sizes": asdict(DEFAULT_SIZES)}
    before = {**defaults_of(MetaLearner), **newer, **before}
    for name in now:
        yield from _differences(name, _bare(with_defaults(before[name])), _bare(now[name]))


def _changes_of_optimizer(states: list[Any], optimizer: torch.optim.Optimizer) -> Iterator[Change]:
    (state,) = states
    groups = optimizer.state_dict()["param_groups"]
    for before, now in zip(state["param_groups"], groups, strict=True):
        # What only the checkpoint has is no setting: SOAP counts its steps there.
        for key in sorted(now.keys() - {"params", "initial_lr"}):
            # A learning rate that follows a schedule is kept beside the one that was given.
            was = before.get("initial_lr", before["lr"]) if key == "lr" else before.get(key)
            if was != now[key]:
                yield f"the optimizer's {key}", was, now[key]


def _differences(label: str, before: Any, now: Any) -> Iterator[Change]:
    """Which settings differ, what they were and what they are; whole parts of another class."""
    both = isinstance(before, dict) and isinstance(now, dict)
    if both and before.get("class_path") == now.get("class_path"):
        for key, value in now.items():
            inner = label if key == "init_args" else f"{label}.{key}"
            yield from _differences(inner, before.get(key), value)
    elif before != now:
        yield label, before, now


def _bare(value: Any) -> Any:
    """A config, but for what carries it out: a CUDA graph does what backpropagation does."""
    if not isinstance(value, dict) or value.get("class_path") != CAPTURED:
        return value
    return to_config(Backpropagation(**value["init_args"]))


CAPTURED = to_config(Captured())["class_path"]
