"""What every topology is: a generator of edges."""

from __future__ import annotations

import inspect
import reprlib
from abc import ABC, abstractmethod
from typing import ClassVar, Literal

import networkx as nx
import torch
from jaxtyping import Float
from torch import Tensor, nn

from topologies.checks import EXPERTS, SEED, brief, check, checked
from topologies.edges import Edges
from topologies.recent import Recent
from topologies.spectrum import GraphSummary, is_strongly_connected, summarise

Redraw = Literal["once", "rollout", "agent"]

MAX_REDRAWS = 100
"""How often a graph that must be strongly connected is drawn before giving up."""

_CPU = torch.device("cpu")


class Topology(nn.Module, ABC):
    """A generator of edges: decides which expert hears which.

    A topology is asked once per rollout (``dynamic = False``) or before every communication
    stage (``dynamic = True``, when the edges depend on the experts' states). It never joins two
    agents, works for any number of agents and experts, and makes its edges on the device of
    ``hidden``. Gradients flow through the weights of the edges.

    Every constructor argument is kept as plain data in the attribute of its name, so that a
    checkpoint can say how to build the topology again.
    """

    dynamic: ClassVar[bool] = False

    sees_ports: ClassVar[bool] = False
    """Whether ``forward`` takes ``num_outputs`` and ``num_inputs`` of each agent, too, by name."""

    @abstractmethod
    def forward(
        self, hidden: Float[Tensor, "B N H"], generator: torch.Generator | None = None
    ) -> Edges:
        """The edges of a batch of B agents of N experts.

        Args:
            hidden: states of the experts; gives B, N and the device.
            generator: source of the random draws, on the device of ``hidden``.

        Raises:
            ValueError: when no such graph exists for N experts.
        """

    def extra_repr(self) -> str:
        """The constructor arguments, as ``print`` and error messages show them."""
        names = inspect.signature(type(self)).parameters
        own = (name for name in names if hasattr(self, name))
        return ", ".join(f"{name}={reprlib.repr(getattr(self, name))}" for name in own)


def batch_of(hidden: Tensor) -> tuple[int, int]:
    """Agents B and experts N of a batch of states.

    Raises:
        ValueError: when they are no tensor [B, N, H].
    """
    if not isinstance(hidden, Tensor) or hidden.dim() != 3:
        raise ValueError(f"hidden must be states [B, N, H], got {brief(hidden)}")
    return hidden.size(0), hidden.size(1)


def default_generator(device: torch.device) -> torch.Generator:
    """What PyTorch draws from on a device where it is told nothing else."""
    if device.type == "cuda":
        return torch.cuda.default_generators[device.index or 0]
    return torch.default_generator


class GraphTopology(Topology):
    """A topology that does not look at the experts' states: it draws graphs.

    Subclasses say how to draw; this class says how often.

    Args:
        redraw: ``"once"``: one graph for the run, the same for every agent, a function of
            ``seed`` and N alone, so that a resumed run or a loaded policy finds it again;
            ``"rollout"``: a fresh graph for every rollout, shared by its agents;
            ``"agent"``: a fresh graph for every agent of every rollout.
        seed: seed of the graph that is drawn once.
        strongly_connected: draw again until every expert can reach every other.
    """

    @checked(seed=SEED)
    def __init__(
        self, redraw: Redraw = "once", seed: int = 0, strongly_connected: bool = False
    ) -> None:
        super().__init__()
        self.redraw = redraw
        self.seed = seed
        self.strongly_connected = strongly_connected
        self._graphs: Recent[Edges] = Recent()

    @abstractmethod
    def draw(self, num_graphs: int, num_experts: int, generator: torch.Generator) -> Edges:
        """Independent graphs of ``num_experts`` nodes, numbered through, ordered by target.

        Args:
            num_graphs: how many.
            num_experts: nodes of each.
            generator: source of the random draws; edges are made on its device.

        Raises:
            ValueError: when no such graph exists for ``num_experts`` experts.
        """

    def forward(
        self, hidden: Float[Tensor, "B N H"], generator: torch.Generator | None = None
    ) -> Edges:
        batch_size, num_experts = batch_of(hidden)
        if self.redraw == "once":
            return self.once(batch_size, num_experts, hidden.device, self.seed)
        generator = generator or default_generator(hidden.device)
        if self.redraw == "agent":
            return self._draw_valid(batch_size, num_experts, generator)
        edges = self._draw_valid(1, num_experts, generator)
        return edges.repeat(batch_size, num_experts)

    @checked(num_experts=EXPERTS)
    def graph(self, num_experts: int) -> nx.DiGraph:
        """The graph for ``num_experts`` experts that ``seed`` gives, as a NetworkX graph."""
        return self.once(1, num_experts, _CPU, self.seed).to_networkx(num_experts)

    @checked(num_experts=EXPERTS)
    def summary(self, num_experts: int) -> GraphSummary:
        """Laplacian spectrum, algebraic connectivity and connectedness of :meth:`graph`."""
        return summarise(self.once(1, num_experts, _CPU, self.seed), num_experts)

    def once(self, batch_size: int, num_experts: int, device: torch.device, seed: int) -> Edges:
        """The graph that a seed gives, the same for all agents, however often others are drawn.

        Raises:
            ValueError: when no such graph exists for ``num_experts`` experts.
        """
        key = (batch_size, num_experts, device, seed)
        edges = self._graphs.get(key)
        if edges is None:
            # Drawn on the CPU, so that every device finds the same graph.
            generator = torch.Generator(_CPU).manual_seed(seed)
            with torch.inference_mode(False):  # or training could not use it later
                graph = self._draw_valid(1, num_experts, generator)
                edges = graph.repeat(batch_size, num_experts).to(device)
            self._graphs.keep(key, edges, len(edges.weight))
        return edges

    def _draw_valid(self, num_graphs: int, num_experts: int, generator: torch.Generator) -> Edges:
        if num_experts < 1:
            raise ValueError(f"a topology needs at least one expert, got {num_experts}")
        check("num_experts", num_experts, *EXPERTS)
        if not self.strongly_connected:
            return self.draw(num_graphs, num_experts, generator)
        graphs = [self._draw_strongly_connected(num_experts, generator) for _ in range(num_graphs)]
        return Edges.join(graphs, num_experts)

    def _draw_strongly_connected(self, num_experts: int, generator: torch.Generator) -> Edges:
        for _ in range(MAX_REDRAWS):
            edges = self.draw(1, num_experts, generator)
            if is_strongly_connected(edges, num_experts):
                return edges
        raise ValueError(
            f"the graph must be strongly connected, got none in {MAX_REDRAWS} draws for "
            f"{num_experts} experts of {self}"
        )


class FixedTopology(GraphTopology):
    """A topology that leaves nothing to chance: one graph for each number of experts."""

    def __init__(self) -> None:
        super().__init__()

    @abstractmethod
    def edges(self, num_experts: int) -> Edges:
        """The graph of ``num_experts`` nodes on the CPU, ordered by target.

        Raises:
            ValueError: when no such graph exists for ``num_experts`` experts.
        """

    def draw(self, num_graphs: int, num_experts: int, generator: torch.Generator) -> Edges:
        return self.edges(num_experts).repeat(num_graphs, num_experts).to(generator.device)
