"""Agents as files of earlier versions describe them, in the words of this one."""

from __future__ import annotations

from typing import Any

Config = dict[str, Any]

HIDDEN_SIZES = {"AttentionPolicy": 64, "LSTMPolicy": 128}
IDENTIFIER_SIZES = {"AttentionPolicy": 16, "LSTMPolicy": 0}
"""What policies had by default, where it was not 32 and 12."""

BIRTH = "badger_graph.birth.Birth"

REAL = {"class_path": "badger_graph.actions.real.Real", "init_args": {}}

INTERFACE = {
    "class_path": "badger_graph.typing.Interface",
    "init_args": {"feedback": 1, "input": 0, "output": 1, "action": REAL},
}
"""Between an agent and any game of those versions."""

CLEAR = {"class_path": "badger_graph.channels.clear.ClearChannel", "init_args": {}}

SIZES = ("percept_size", "identifier_size", "hidden_size", "cell_size", "num_outputs", "key_size")
"""Of a policy, which are now said by the agent and its membrane."""


def upgrade_agent(agent: Config) -> Config:
    """An agent, as a checkpoint or the settings of a run describe it.

    In a checkpoint, every part is ``{"class_path": ..., "init_args": {...}}``, and the agent knows
    its interface; in settings, where classes leave no choice, there are only their arguments, and
    the interface is that of the task.
    """
    if "class_path" not in agent:
        return _upgraded(agent, as_description=False)
    return {**agent, "init_args": _upgraded(agent.get("init_args") or {}, as_description=True)}


def _upgraded(config: Config, as_description: bool) -> Config:
    if not {"rounds", "identifiers", "initial_state", "worlds", "seed"} & config.keys():
        return config
    policy, sizes = _policy(config.get("policy") or {})
    membrane, addresses = _without(config.get("membrane") or {}, "addresses", "seed")
    membrane, _ = _without(membrane, "hidden_size", "identifier_size")
    topology, _ = _without(config.get("topology") or {}, "hidden_size")
    if "key_size" in sizes:
        membrane["init_args"] = {"key_size": sizes.pop("key_size"), **membrane["init_args"]}
    names = {"identifiers": "identifiers", "initial_state": "initial_state"}
    names |= {"worlds": "codebooks", "seed": "seed"}
    birth = {now: config[before] for before, now in names.items() if before in config}
    names = {"addresses": "addresses", "seed": "address_seed"}
    birth |= {now: addresses[before] for before, now in names.items() if before in addresses}
    agent_keys = ("executor", "compiled")
    return {
        **({"interface": INTERFACE} if as_description else {}),
        **{name: config[name] for name in agent_keys if name in config},
        "policy": policy,
        "topology": topology,
        "membrane": membrane,
        **sizes,
        "birth": {"class_path": BIRTH, "init_args": birth} if as_description else birth,
        "communication": {
            "class_path": "badger_graph.communication.fixed_rounds.FixedRounds",
            "init_args": {"rounds": config.get("rounds", 1), "channel": CLEAR},
        },
    }


def _policy(config: Config) -> tuple[Config, Config]:
    """The policy without its sizes, and the sizes."""
    name = str(config.get("class_path")).rpartition(".")[2]
    policy, arguments = _without(config, *SIZES)
    sizes = {
        "hidden_size": arguments.get("hidden_size", HIDDEN_SIZES.get(name, 32)),
        "identifier_size": arguments.get("identifier_size", IDENTIFIER_SIZES.get(name, 12)),
    }
    if "cell_size" in arguments:
        sizes["hidden_size"] = 2 * arguments["cell_size"]
    return policy, sizes | {name: arguments[name] for name in ("key_size",) if name in arguments}


def _without(part: Config, *names: str) -> tuple[Config, Config]:
    """A part without some arguments, and those."""
    arguments = part.get("init_args") or {}
    rest = {name: value for name, value in arguments.items() if name not in names}
    return {**part, "init_args": rest}, {n: v for n, v in arguments.items() if n in names}
