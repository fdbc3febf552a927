"""How an agent makes its parts: for its own interface and sizes, which nobody else says."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

from torch import nn

from badger_graph.membranes import Membrane
from badger_graph.policies import ExpertPolicy
from badger_graph.typing import Interface
from topologies import Topology

PolicyBuilder = Callable[[int | tuple[int, ...], int, int], ExpertPolicy]
"""Makes a policy for the sizes of what is perceived (P), an identifier (I) and a state (H)."""

MembraneBuilder = Callable[[Interface, int, int], Membrane]
"""Makes a membrane for an interface and the sizes of an identifier (I) and a state (H)."""

TopologyBuilder = Callable[[int], Topology]
"""Makes a topology that looks at states of their size H."""

SAID_BY_AGENTS = {"interface", "percept_size", "identifier_size", "hidden_size"}
"""Arguments of parts that the agent says, so nobody else does."""

Part = TypeVar("Part", bound=nn.Module)


def build_part(
    name: str, kind: type, build: Callable[..., Part], said: Mapping[str, object]
) -> Part:
    """A part of an agent, for what its interface and sizes are.

    Raises:
        ValueError: when it is built already, told what the agent says, or of another kind or size.
    """
    if isinstance(build, kind):
        raise ValueError(
            f"{name} must be a class or a functools.partial of one, which the agent builds for its "
            f"own sizes, got a {type(build).__name__}"
        )
    rule = f"{name} must build one of the kind {kind.__name__}"
    chosen = build if isinstance(build, partial) else partial(build)
    twice, missing = sorted(SAID_BY_AGENTS & set(chosen.keywords)), []
    if isinstance(chosen.func, type):  # the command line's partials hold what builds, too
        if not issubclass(chosen.func, kind):
            raise ValueError(f"{rule}, got the class {chosen.func.__name__}")
        twice = [*map(repr, chosen.args), *twice]
        missing = [what for what in said if what not in inspect.signature(chosen.func).parameters]
    if twice:
        raise ValueError(
            f"{name} is told its sizes by the agent, BadgerAgent(identifier_size=, hidden_size=), "
            f"and all else by name, got {', '.join(twice)} for it, too"
        )
    if missing:
        raise ValueError(
            f"{name} that an agent builds must take {', '.join(said)}, got the class "
            f"{chosen.func.__name__} without {', '.join(missing)}; hand over an object of it"
        )
    part = build(**said)
    if not isinstance(part, kind):
        raise ValueError(f"{rule}, got a {type(part).__name__}")
    for what, value in said.items():
        if (own := getattr(part, what, value)) != value:
            raise ValueError(f"{name} must have the {what} that it is told, {value}, got {own}")
    return part
