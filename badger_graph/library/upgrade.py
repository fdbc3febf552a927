"""Settings and descriptions of runs as they were written before, in the form of today.

Pure functions of plain data: nothing is built, imported or changed in place, and what is in the
form of today already, or in none, stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

OUTER = "badger_graph.outer"

CLASSES = {
    **{
        f"{OUTER}.losses.{name}": f"{OUTER}.losses.{file}.{name}"
        for name, file in {
            "LastStep": "last_step",
            "ConvergeFast": "converge_fast",
            "MeanOverEnd": "mean_over_end",
            "LogError": "log_error",
        }.items()
    },
    f"{OUTER}.regularisers.Alikeness": f"{OUTER}.losses.alikeness.Alikeness",
}
"""Where classes were, and where they are."""

SIZES = ("num_experts", "num_outputs", "num_steps", "batch_size")

OF_GRADIENT = ("detach_every", "checkpoint_every", "aggregator", "cuda_graph")

Plain = dict[str, Any]


def upgrade_settings(settings: Plain) -> Plain:
    """The ``config.yaml`` of a run."""
    settings = _moved(settings)
    model = settings.get("model")
    return {**settings, "model": upgrade_model(model)} if isinstance(model, dict) else settings


def upgrade_model(model: Plain) -> Plain:
    """The arguments of a learner, as settings or a checkpoint name them."""
    model = {name: _moved(value) for name, value in model.items()}
    return _with_sizes(_with_gradient(_with_sum(model)))


def _moved(value: Any) -> Any:
    if isinstance(value, list):
        return [_moved(item) for item in value]
    if not isinstance(value, dict):
        return value
    value = {key: _moved(item) for key, item in value.items()}
    path = value.get("class_path")
    return {**value, "class_path": CLASSES.get(path, path)} if isinstance(path, str) else value


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
    told = {name: model[name] for name in OF_GRADIENT if name in model}
    if not told or "gradient" in model:
        return model
    name, unused = "backpropagation.Backpropagation", {"aggregator", "cuda_graph"}
    if told.get("aggregator") is not None:
        name, unused = "jacobian.JacobianDescent", {"cuda_graph"}
    elif told.get("cuda_graph"):
        name, unused = "captured.Captured", {"aggregator", "cuda_graph", "checkpoint_every"}
    arguments = {argument: told[argument] for argument in told if argument not in unused}
    gradient = {"class_path": f"{OUTER}.gradients.{name}", "init_args": arguments}
    return {**_without(model, OF_GRADIENT), "gradient": gradient}


def _with_sizes(model: Plain) -> Plain:
    """Sizes were arguments of the learner."""
    told = {name: model[name] for name in SIZES if name in model}
    if not told or "sizes" in model:
        return model
    return {**_without(model, SIZES), "sizes": told}


def _without(model: Mapping[str, Any], names: tuple[str, ...]) -> Plain:
    return {name: value for name, value in model.items() if name not in names}
