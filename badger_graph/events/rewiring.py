"""Links that are drawn anew."""

from __future__ import annotations

import torch

from badger_graph.agent import BadgerAgent
from badger_graph.events.base import Event
from badger_graph.growth import rewire
from badger_graph.life import Life
from topologies import Topology
from topologies.checks import checked


class Rewiring(Event):
    """All links are replaced, see :func:`badger_graph.rewire`.

    Args:
        topology: draws the new ones; the agent's own by default, which must draw another graph
            each time.
    """

    @checked()
    def __init__(self, topology: Topology | None = None) -> None:
        self.topology = topology

    def __call__(
        self, agent: BadgerAgent, life: Life, generator: torch.Generator | None = None
    ) -> Life:
        return rewire(agent, life, self.topology or agent.topology, generator)
