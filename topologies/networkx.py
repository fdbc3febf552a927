"""Graphs made by the generators of NetworkX."""

from __future__ import annotations

import difflib
import inspect
import json
from collections.abc import Callable
from typing import Any, TypeGuard

import networkx as nx
import torch

from topologies.base import GraphTopology, Redraw
from topologies.checks import checked
from topologies.edges import Edges
from topologies.given import from_networkx
from topologies.rehearsal import rehearse

_GROWS_FASTER_THAN_N = frozenset(
    {
        "binomial_tree",
        "dorogovtsev_goltsev_mendes_graph",
        "hypercube_graph",
        "kneser_graph",
        "margulis_gabber_galil_graph",
        "mycielski_graph",
        "navigable_small_world_graph",
        "random_cograph",
        "sudoku_graph",
    }
)
"""Generators whose ``n`` is not a number of nodes but, say, an exponent of it.

Filled in with the number of experts they would fill the memory before anyone could count.
"""


class NetworkXTopology(GraphTopology):
    """A graph made by any generator of NetworkX, by name and with its own arguments.

    Where the generator has a parameter ``n`` that is not given, it gets the number of experts;
    where it has a ``seed`` that is not given, it gets one from the torch generator. The graph is
    then taken as :func:`~topologies.given.from_networkx` says: undirected edges go both ways,
    weights are kept.

    Args:
        generator: name of a function of ``networkx.generators``, such as
            ``"watts_strogatz_graph"``.
        kwargs: its arguments, plain data, such as ``{"k": 4, "p": 0.1}``.
        redraw: draw the graph ``"once"``, for every ``"rollout"``, or for every ``"agent"`` of
            every rollout.
        seed: seed of the graph that is drawn once.
        strongly_connected: draw again until every expert can reach every other.

    Raises:
        ValueError: when there is no such generator or it has no such argument; when drawn, if
            the generator refuses the values or does not make one node for every expert.
    """

    @checked()
    def __init__(
        self,
        generator: str,
        kwargs: dict[str, Any] | None = None,
        redraw: Redraw = "once",
        seed: int = 0,
        strongly_connected: bool = False,
    ) -> None:
        super().__init__(redraw, seed, strongly_connected)
        self.generator = generator
        self.kwargs = dict(kwargs or {})
        self._rehearsed: set[int] = set()
        _check_arguments(generator, self.kwargs)

    def draw(self, num_graphs: int, num_experts: int, generator: torch.Generator) -> Edges:
        graphs = [self._draw_one(num_experts, generator) for _ in range(num_graphs)]
        return Edges.join(graphs, num_experts).to(generator.device)

    def _draw_one(self, num_experts: int, generator: torch.Generator) -> Edges:
        arguments = self._arguments(num_experts, generator)
        call = f"{self.generator}({', '.join(f'{k}={v!r}' for k, v in arguments.items())})"
        self._rehearse(num_experts, arguments, call)
        try:
            graph = _find(self.generator)(**arguments)
        except Exception as error:  # generators raise nearly anything at values they dislike
            raise ValueError(
                f"a NetworkX generator must accept its arguments, {_describe(self.generator)}, "
                f"got {call}: {error}"
            ) from error
        if not isinstance(graph, nx.Graph):
            raise ValueError(
                f"a NetworkX generator must make one graph, got {type(graph).__name__} from {call}"
            )
        if len(graph) != num_experts:
            raise ValueError(
                "a NetworkX generator must make one node for every expert, "
                f"got {len(graph)} nodes for {num_experts} experts from {call}"
            )
        return from_networkx(graph).edges(num_experts)

    def _rehearse(self, num_experts: int, arguments: dict[str, Any], call: str) -> None:
        """Refuse a generator that would take all time or memory, once for each number of experts.

        Raises:
            ValueError: when it takes too much.
        """
        if num_experts in self._rehearsed:
            return
        if excess := rehearse(lambda: _find(self.generator)(**arguments), num_experts):
            raise ValueError(
                f"a NetworkX generator must make a graph of {num_experts} experts in less than "
                f"{excess}, got {call}"
            )
        self._rehearsed.add(num_experts)

    def _arguments(self, num_experts: int, generator: torch.Generator) -> dict[str, Any]:
        arguments = dict(self.kwargs)
        parameters = _signature(self.generator).parameters
        if "n" in parameters and self.generator not in _GROWS_FASTER_THAN_N:
            arguments.setdefault("n", num_experts)
        if "seed" in parameters and "seed" not in arguments:
            seed = torch.randint(2**31, (1,), generator=generator, device=generator.device)
            arguments["seed"] = int(seed)
        return arguments


def _check_arguments(generator: str, kwargs: dict[str, Any]) -> None:
    _find(generator)
    try:
        _signature(generator).bind_partial(**kwargs)
    except TypeError as error:
        raise ValueError(
            f"a NetworkX generator must be given arguments it has, {_describe(generator)}, "
            f"got {kwargs}: {error}"
        ) from error
    try:
        json.dumps(kwargs)
    except (TypeError, ValueError) as error:
        raise ValueError(
            "the arguments of a NetworkX generator must be plain data, to be saved with the "
            f"agent, got {kwargs}: {error}"
        ) from error


def _find(generator: str) -> Callable[..., Any]:
    # Only generators: a name may come from a file, and NetworkX has functions that write files.
    function: Any = getattr(nx, generator, None)
    if _is_generator(function):
        return function
    names = [name for name in dir(nx) if _is_generator(getattr(nx, name))]
    close = difflib.get_close_matches(generator, names, n=5)
    hint = f"; close to it: {', '.join(close)}" if close else ""
    raise ValueError(
        f"generator must be the name of a graph generator of NetworkX, got {generator!r}{hint}"
    )


def _is_generator(function: Any) -> TypeGuard[Callable[..., Any]]:
    # Not `inspect.isfunction`: where a backend is installed they are objects of NetworkX's.
    module = getattr(function, "__module__", None) or ""
    return callable(function) and module.startswith("networkx.generators.")


def _signature(generator: str) -> inspect.Signature:
    """The generator's own arguments, without those that choose a backend of NetworkX."""
    signature = inspect.signature(_find(generator))
    own = [
        parameter
        for name, parameter in signature.parameters.items()
        if name != "backend" and parameter.kind is not inspect.Parameter.VAR_KEYWORD
    ]
    return signature.replace(parameters=own)


def _describe(generator: str) -> str:
    return f"{generator}{_signature(generator)}"
