"""Components to plain data and back, so that a checkpoint holds no code.

Every component (policy, topology, membrane, task family, meta-loss, agent) keeps its constructor's
arguments under their own names; that is all it takes.
"""

from __future__ import annotations

import inspect
import sys
from typing import Any

from badger_graph.agent import BadgerAgent
from badger_graph.membranes import Membrane
from badger_graph.outer.losses import MetaLoss
from badger_graph.policies import ExpertPolicy
from badger_graph.tasks import TaskFamily
from topologies import Topology

COMPONENTS = (BadgerAgent, ExpertPolicy, Topology, Membrane, TaskFamily, MetaLoss)

Config = dict[str, Any]


def to_config(component: object) -> Config:
    """A component as ``{"class_path": ..., "init_args": {...}}``, all plain data.

    Raises:
        TypeError: for an object that is no component.
    """
    if not isinstance(component, COMPONENTS):
        raise TypeError(f"only components have a config, got a {type(component).__name__}")
    cls = type(component)
    arguments = {name: getattr(component, name) for name in inspect.signature(cls).parameters}
    return {
        "class_path": f"{cls.__module__}.{cls.__qualname__}",
        "init_args": {
            name: to_config(value) if isinstance(value, COMPONENTS) else value
            for name, value in arguments.items()
        },
    }


def from_config(config: Config) -> Any:
    """Build the component that :func:`to_config` described.

    Only classes of modules that are already imported are built, and only components: a config
    names classes, it cannot run code.

    Raises:
        ValueError: for an unknown class, one that is no component, or arguments it refuses.
    """
    module_name, _, class_name = str(config.get("class_path")).rpartition(".")
    cls = getattr(sys.modules.get(module_name), class_name, None)
    if not (isinstance(cls, type) and issubclass(cls, COMPONENTS)):
        raise ValueError(
            "a config must name a policy, topology, membrane, task family or meta-loss of a module "
            f"that is imported, got {config.get('class_path')!r}; import your own modules first "
            "(on the command line: --import MODULE)"
        )
    arguments = {
        name: from_config(value) if isinstance(value, dict) and "class_path" in value else value
        for name, value in config.get("init_args", {}).items()
    }
    try:
        return cls(**arguments)
    except TypeError as error:
        raise ValueError(f"{class_name} cannot be built with these arguments: {error}") from error
