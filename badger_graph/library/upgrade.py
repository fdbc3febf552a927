"""Settings and descriptions of runs as they were written before, in the form of today.

Pure functions of plain data: nothing is built, imported or changed in place, and what is in the
form of today already, or in none, stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from badger_graph.library.moved import current
from badger_graph.library.upgrade_agent import upgrade_agent

OUTER = "badger_graph.outer"

SIZES = ("num_experts", "num_outputs", "num_steps", "batch_size")

OF_GRADIENT = ("detach_every", "checkpoint_every", "aggregator", "cuda_graph")

Plain = dict[str, Any]


def upgrade_settings(settings: Plain) -> Plain:
    """The ``config.yaml`` of a run."""
    settings = {name: current(value) for name, value in settings.items()}
    model = settings.get("model")
    return {**settings, "model": upgrade_model(model)} if isinstance(model, dict) else settings


def upgrade_description(config: Any) -> Any:
    """What a checkpoint or a card says of what was trained."""
    return upgrade_model(current(config)) if isinstance(config, dict) else config


def upgrade_model(model: Plain) -> Plain:
    """The arguments of a learner, as settings or a checkpoint name them."""
    model = _with_sizes(_with_gradient(_with_sum(model)))
    agent = model.get("agent")
    return {**model, "agent": upgrade_agent(agent)} if isinstance(agent, dict) else model


def _with_sum(model: Plain) -> Plain:
    """A regulariser was added to the meta-loss: it is one, and their sum another."""
    rest, regulariser = _without(model, ("regulariser",)), model.get("regulariser")
    if regulariser is None:
        return rest
    meta_loss = rest.get("meta_loss") or {"class_path": f"{OUTER}.losses.mean_over_end.MeanOverEnd"}
    both = {"of": [meta_loss, regulariser]}
    return {**rest, "meta_loss": {"class_path": f"{OUTER}.losses.sum.Sum", "init_args": both}}


def _with_gradient(model: Plain) -> Plain:
    """How the gradient is found was told by arguments of the learner."""
    settings = {name: model[name] for name in OF_GRADIENT if name in model}
    if not settings or "gradient" in model:
        return model
    name, surplus = "backpropagation.Backpropagation", {"aggregator", "cuda_graph"}
    if settings.get("aggregator") is not None:
        name, surplus = "jacobian.JacobianDescent", {"cuda_graph"}
    elif settings.get("cuda_graph"):
        name, surplus = "captured.Captured", {"aggregator", "cuda_graph", "checkpoint_every"}
    arguments = {argument: settings[argument] for argument in settings if argument not in surplus}
    gradient = {"class_path": f"{OUTER}.gradients.{name}", "init_args": arguments}
    return {**_without(model, OF_GRADIENT), "gradient": gradient}


def _with_sizes(model: Plain) -> Plain:
    """Sizes were arguments of the learner."""
    sizes = {name: model[name] for name in SIZES if name in model}
    if not sizes or "sizes" in model:
        return model
    return {**_without(model, SIZES), "sizes": sizes}


def _without(model: Mapping[str, Any], names: tuple[str, ...]) -> Plain:
    return {name: value for name, value in model.items() if name not in names}
