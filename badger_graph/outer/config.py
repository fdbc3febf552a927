"""Components to plain data and back, so that a checkpoint holds no code.

Every component (policy, topology, membrane, task family, meta-loss, outer gradient, curriculum,
agent) keeps its constructor's arguments under their own names; that is all it takes.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from torch import nn

from badger_graph.actions import Action
from badger_graph.agent import BadgerAgent
from badger_graph.birth import Birth
from badger_graph.building import SAID_BY_AGENTS
from badger_graph.channels import Channel
from badger_graph.communication import Communication
from badger_graph.events import Event
from badger_graph.membranes import Membrane
from badger_graph.outer.curriculum import Curriculum, Stage
from badger_graph.outer.gradients import OuterGradient
from badger_graph.outer.losses import MetaLoss
from badger_graph.policies import ExpertPolicy
from badger_graph.tasks import TaskFamily
from badger_graph.typing import Interface
from topologies import Topology

COMPONENTS = (
    *(BadgerAgent, ExpertPolicy, Topology, Membrane, Communication, Channel, Birth, Interface),
    *(Action, TaskFamily, MetaLoss, OuterGradient, Curriculum, Stage, Event),
)

BUILT_BY_AGENTS = (ExpertPolicy, Membrane, Topology)

Config = dict[str, Any]

CONFIG_KEY = "badger_graph"
"""Where a checkpoint keeps the plain description of what was trained."""


def to_config(component: object) -> Config:
    """A component as ``{"class_path": ..., "init_args": {...}}``, all plain data.

    Raises:
        TypeError: for an object that is no component.
    """
    if not isinstance(component, COMPONENTS):
        raise TypeError(f"only components have a config, got a {type(component).__name__}")
    cls = type(component)
    omissions = SAID_BY_AGENTS if isinstance(component, BUILT_BY_AGENTS) else ()
    arguments = {
        name: getattr(component, name) for name in _arguments(cls) if name not in omissions
    }
    return {
        "class_path": f"{cls.__module__}.{cls.__qualname__}",
        "init_args": {name: _plain(value) for name, value in arguments.items()},
    }


def description(module: nn.Module) -> str:
    """What is no component of ours, such as an aggregator of TorchJD, for who wants to know."""
    return f"{type(module).__module__}.{re.sub(' at 0x[0-9a-f]+', '', repr(module))}"


def _plain(value: Any) -> Any:
    if isinstance(value, list | nn.ModuleList):
        return [_plain(item) for item in value]
    if isinstance(value, COMPONENTS):
        return to_config(value)
    return description(value) if isinstance(value, nn.Module) else value


def from_config(config: Config) -> Any:
    """Build the component that :func:`to_config` described.

    Of a part that an agent builds it makes what the agent calls: the class with its arguments.

    Only classes of modules that are already imported are built, and only components: a config
    names classes, it cannot run code.

    Raises:
        ValueError: for an unknown class, one that is no component, or arguments it refuses.
    """
    cls = _class_of(config)
    if cls is None:
        raise ValueError(
            "a config must name a policy, topology, membrane, task family, meta-loss, curriculum "
            "or outer gradient of a module that is imported, got "
            f"{config.get('class_path')!r}; import your own modules first (on the command line: "
            "--import MODULE)"
        )
    arguments = {name: _build(value) for name, value in config.get("init_args", {}).items()}
    required = _arguments(cls).keys() - defaults_of(cls).keys()
    if issubclass(cls, BUILT_BY_AGENTS) and SAID_BY_AGENTS & required:
        return partial(cls, **arguments)
    try:
        return cls(**arguments)
    except TypeError as error:
        raise ValueError(f"{cls.__name__} cannot be built with these arguments: {error}") from error


def _arguments(cls: type) -> dict[str, inspect.Parameter]:
    """Those of a constructor, but for ``*args`` of a module that has none of its own."""
    parameters = inspect.signature(cls).parameters.items()
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {name: one for name, one in parameters if one.kind in kinds}


def defaults_of(make: Callable[..., Any]) -> dict[str, Any]:
    """Of the arguments of a class or function, those that there are."""
    parameters = inspect.signature(make).parameters.items()
    return {name: one.default for name, one in parameters if one.default is not one.empty}


def _build(value: Any) -> Any:
    if isinstance(value, list):
        return [_build(item) for item in value]
    return from_config(value) if isinstance(value, dict) and "class_path" in value else value


def with_defaults(value: Any) -> Any:
    """A config with the arguments that came into being after it was written, at their defaults."""
    if isinstance(value, list):
        return [with_defaults(item) for item in value]
    if not (isinstance(value, dict) and "class_path" in value):
        return value
    cls = _class_of(value)
    defaults = defaults_of(cls) if cls else {}
    arguments = {
        name: with_defaults(argument) for name, argument in value.get("init_args", {}).items()
    }
    return {**value, "init_args": {**defaults, **arguments}}


def _class_of(config: Config) -> type | None:
    module_name, _, class_name = str(config.get("class_path")).rpartition(".")
    cls = getattr(sys.modules.get(module_name), class_name, None)
    return cls if isinstance(cls, type) and issubclass(cls, COMPONENTS) else None
