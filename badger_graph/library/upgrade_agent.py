"""Agents as files of earlier versions describe them, in the words of this one."""

from __future__ import annotations

from typing import Any

Config = dict[str, Any]

HIDDEN_SIZES = {"AttentionPolicy": 64, "LSTMPolicy": 128}
IDENTIFIER_SIZES = {"AttentionPolicy": 16, "LSTMPolicy": 0}
"""What policies had by default, where it was not 32 and 12."""

INTERFACE = {"class_path": "badger_graph.typing.Interface", "init_args": {"output": 1}}
"""Between an agent and any game of those versions."""

SIZES = ("percept_size", "identifier_size", "hidden_size", "cell_size", "num_outputs", "key_size")
"""Of a policy, which are now said by the agent and its membrane."""


def upgraded_agent(config: Config) -> Config:
    """The constructor arguments of an agent, as they are called now.

    Args:
        config: those arguments, parts as ``{"class_path": ..., "init_args": {...}}``.
    """
    if "rounds" not in config and "worlds" not in config and "identifiers" not in config:
        return config
    new: Config = {name: config[name] for name in ("executor", "compiled") if name in config}
    new["interface"] = INTERFACE
    policy, sizes = _policy(config.get("policy", {}))
    membrane, addresses = _without(config.get("membrane", {}), "addresses", "seed")
    membrane, _ = _without(membrane, "hidden_size", "identifier_size")
    topology, _ = _without(config.get("topology", {}), "hidden_size")
    if "key_size" in sizes and "key_size" not in membrane.get("init_args", {}):
        membrane["init_args"] = {**membrane.get("init_args", {}), "key_size": sizes["key_size"]}
    new |= {"policy": policy, "membrane": membrane, "topology": topology}
    new |= {name: sizes[name] for name in ("identifier_size", "hidden_size")}
    names = {"identifiers": "identifiers", "initial_state": "initial_state"}
    names |= {"worlds": "codebooks", "seed": "seed"}
    birth = {now: config[before] for before, now in names.items() if before in config}
    if "addresses" in addresses:
        birth["addresses"] = addresses["addresses"]
    if "seed" in addresses:
        birth["address_seed"] = addresses["seed"]
    new["birth"] = {"class_path": "badger_graph.birth.Birth", "init_args": birth}
    new["communication"] = {
        "class_path": "badger_graph.communication.fixed_rounds.FixedRounds",
        "init_args": {"rounds": config.get("rounds", 1)},
    }
    return new


def _policy(config: Config) -> tuple[Config, Config]:
    """The policy without its sizes, and the sizes."""
    name = str(config.get("class_path")).rpartition(".")[2]
    policy, said = _without(config, *SIZES)
    sizes = {
        "hidden_size": said.get("hidden_size", HIDDEN_SIZES.get(name, 32)),
        "identifier_size": said.get("identifier_size", IDENTIFIER_SIZES.get(name, 12)),
    }
    if "cell_size" in said:
        sizes["hidden_size"] = 2 * said["cell_size"]
    return policy, sizes | {name: said[name] for name in ("key_size",) if name in said}


def _without(part: Config, *names: str) -> tuple[Config, Config]:
    """A part without some arguments, and those."""
    arguments = part.get("init_args") or {}
    rest = {name: value for name, value in arguments.items() if name not in names}
    return {**part, "init_args": rest}, {n: v for n, v in arguments.items() if n in names}
