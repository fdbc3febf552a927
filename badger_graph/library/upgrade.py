"""Settings and descriptions of runs as they were written before, in the form of today.

Pure functions of plain data: nothing is built, imported or changed in place, and what is in the
form of today already, or in none, stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from lightning_utilities import apply_to_collection

OUTER = "badger_graph.outer"
CALLBACKS = "badger_graph.callbacks"
MORE_CODEBOOKS = f"{OUTER}.curriculum.more_codebooks.MoreCodebooks"

MOVED = {
    f"{OUTER}.losses.LastStep": f"{OUTER}.losses.last_step.LastStep",
    f"{OUTER}.losses.ConvergeFast": f"{OUTER}.losses.converge_fast.ConvergeFast",
    f"{OUTER}.losses.MeanOverEnd": f"{OUTER}.losses.mean_over_end.MeanOverEnd",
    f"{OUTER}.losses.LogError": f"{OUTER}.losses.log_error.LogError",
    f"{OUTER}.regularisers.Alikeness": f"{OUTER}.losses.alikeness.Alikeness",
    f"{OUTER}.curriculum.more_worlds.MoreWorlds": MORE_CODEBOOKS,
    "topologies.attention.AttentionTopology": "topologies.scored.AttentionTopology",
    "topologies.attention.TopKTopology": "topologies.scored.TopKTopology",
    "badger_graph.MoreWorlds": MORE_CODEBOOKS,
    f"{OUTER}.anneal.Anneal": f"{CALLBACKS}.annealing.Annealing",
    f"{OUTER}.checkpoint.LastCheckpoint": f"{CALLBACKS}.last_checkpoint.LastCheckpoint",
    f"{OUTER}.checkpoint.StageCheckpoints": f"{CALLBACKS}.stage_checkpoints.StageCheckpoints",
    f"{OUTER}.checkpoint.WholeFiles": f"{CALLBACKS}.whole_files.WholeFiles",
    f"{OUTER}.measuring.Measurements": f"{CALLBACKS}.measurements.Measurements",
    f"{OUTER}.progress.OuterLoopBar": f"{CALLBACKS}.progress.OuterLoopBar",
    f"{OUTER}.record.TrainingRecord": f"{CALLBACKS}.record.TrainingRecord",
}
"""Where each class was, and where it is."""

OF_SIZES = ("num_experts", "num_outputs", "num_steps", "batch_size")
OF_GRADIENT = ("detach_every", "checkpoint_every", "aggregator", "cuda_graph")
"""Arguments that a learner had, and its sizes and its gradient have."""

OF_AGENT = (
    *("percept_size", "identifier_size", "hidden_size", "cell_size"),
    *("num_outputs", "key_size"),
)
"""Arguments that a policy had, and the agent and its membrane have."""

HIDDEN_SIZES = {"AttentionPolicy": 64, "LSTMPolicy": 128}
IDENTIFIER_SIZES = {"AttentionPolicy": 16, "LSTMPolicy": 0}
"""What policies had by default, where it was not 32 and 12."""

Plain = dict[str, Any]


def _part(class_path: str, **arguments: Any) -> Plain:
    return {"class_path": class_path, "init_args": arguments}


INTERFACE = _part(
    "badger_graph.typing.Interface",
    feedback=1,
    input=0,
    output=1,
    action=_part("badger_graph.actions.real.Real"),
)
"""Between an agent and any game before an agent knew of one."""


def current(value: Any) -> Any:
    """Plain data or text with every class of ours named where it is now."""
    return apply_to_collection(
        value, str, lambda text: _NAMED.sub(lambda name: MOVED[name[0]], text)
    )


_NAMED = re.compile(rf"(?<![\w.])(?:{'|'.join(map(re.escape, MOVED))})(?![\w.])")


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
    rest, taken = _without(model, ("regulariser",))
    if taken.get("regulariser") is None:
        return rest
    meta_loss = rest.get("meta_loss") or {"class_path": f"{OUTER}.losses.mean_over_end.MeanOverEnd"}
    both = [meta_loss, taken["regulariser"]]
    return {**rest, "meta_loss": _part(f"{OUTER}.losses.sum.Sum", of=both)}


def _with_gradient(model: Plain) -> Plain:
    """How the gradient is found was told by arguments of the learner."""
    rest, settings = _without(model, OF_GRADIENT)
    if not settings or "gradient" in model:
        return model
    name, surplus = "backpropagation.Backpropagation", {"aggregator", "cuda_graph"}
    if settings.get("aggregator") is not None:
        name, surplus = "jacobian.JacobianDescent", {"cuda_graph"}
    elif settings.get("cuda_graph"):
        name, surplus = "captured.Captured", {"aggregator", "cuda_graph", "checkpoint_every"}
    arguments, _ = _without(settings, surplus)
    return {**rest, "gradient": _part(f"{OUTER}.gradients.{name}", **arguments)}


def _with_sizes(model: Plain) -> Plain:
    """Sizes were arguments of the learner."""
    rest, sizes = _without(model, OF_SIZES)
    return {**rest, "sizes": sizes} if sizes and "sizes" not in model else model


def upgrade_agent(agent: Plain) -> Plain:
    """An agent, as a checkpoint or the settings of a run describe it.

    In a checkpoint, every part is ``{"class_path": ..., "init_args": {...}}``, and the agent knows
    its interface; in settings, where classes leave no choice, there are only their arguments, and
    the interface is that of the task.
    """
    if "class_path" not in agent:
        return _upgraded(agent, as_description=False)
    return {**agent, "init_args": _upgraded(agent.get("init_args") or {}, as_description=True)}


def _upgraded(config: Plain, as_description: bool) -> Plain:
    if not {"rounds", "identifiers", "initial_state", "worlds", "seed"} & config.keys():
        return config
    policy, sizes = _policy(config.get("policy") or {})
    membrane, addresses = _part_without(config.get("membrane"), ("addresses", "seed"))
    membrane, _ = _part_without(membrane, ("hidden_size", "identifier_size"))
    topology, _ = _part_without(config.get("topology"), ("hidden_size",))
    if "key_size" in sizes:
        membrane["init_args"] = {"key_size": sizes.pop("key_size"), **membrane["init_args"]}
    names = {"identifiers": "identifiers", "initial_state": "initial_state"}
    names |= {"worlds": "codebooks", "seed": "seed"}
    birth = {now: config[before] for before, now in names.items() if before in config}
    names = {"addresses": "addresses", "seed": "address_seed"}
    birth |= {now: addresses[before] for before, now in names.items() if before in addresses}
    return {
        **({"interface": INTERFACE} if as_description else {}),
        **{name: config[name] for name in ("executor", "compiled") if name in config},
        "policy": policy,
        "topology": topology,
        "membrane": membrane,
        **sizes,
        "birth": _part("badger_graph.birth.Birth", **birth) if as_description else birth,
        "communication": _part(
            "badger_graph.communication.fixed_rounds.FixedRounds",
            rounds=config.get("rounds", 1),
            channel=_part("badger_graph.channels.clear.ClearChannel"),
        ),
    }


def _policy(config: Plain) -> tuple[Plain, Plain]:
    """The policy without its sizes, and the sizes."""
    name = str(config.get("class_path")).rpartition(".")[2]
    policy, arguments = _part_without(config, OF_AGENT)
    sizes = {
        "hidden_size": arguments.get("hidden_size", HIDDEN_SIZES.get(name, 32)),
        "identifier_size": arguments.get("identifier_size", IDENTIFIER_SIZES.get(name, 12)),
    }
    if "cell_size" in arguments:
        sizes["hidden_size"] = 2 * arguments["cell_size"]
    return policy, sizes | {name: arguments[name] for name in ("key_size",) if name in arguments}


def _part_without(part: Plain | None, names: Collection[str]) -> tuple[Plain, Plain]:
    """A part without some arguments, and those."""
    rest, taken = _without((part or {}).get("init_args") or {}, names)
    return {**(part or {}), "init_args": rest}, taken


def _without(arguments: Plain, names: Collection[str]) -> tuple[Plain, Plain]:
    """The arguments without some, and those."""
    rest = {name: value for name, value in arguments.items() if name not in names}
    return rest, {name: value for name, value in arguments.items() if name in names}
