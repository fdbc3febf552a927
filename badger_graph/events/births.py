"""Experts that are born."""

from __future__ import annotations

import torch

from badger_graph.agent import BadgerAgent
from badger_graph.events.base import Event, draw_number
from badger_graph.growth import add_experts
from badger_graph.life import Life
from topologies import Topology
from topologies.checks import checked, size


class Births(Event):
    """Newborn experts join, see :func:`badger_graph.add_experts`.

    Args:
        most: a number of them from 1 to this.
        topology: draws their links; the agent's own by default.
        most_experts: nobody is born to agents that have so many.

    Raises:
        ValueError: when a number is below 1.
    """

    @checked(most=size(), most_experts=size())
    def __init__(
        self, most: int = 4, topology: Topology | None = None, most_experts: int = 100
    ) -> None:
        self.most = most
        self.topology = topology
        self.most_experts = most_experts

    def __call__(
        self, agent: BadgerAgent, life: Life, generator: torch.Generator | None = None
    ) -> Life:
        num = min(draw_number(self.most, generator), self.most_experts - life.num_experts)
        if num < 1:
            return life
        return add_experts(agent, life, num, generator, self.topology)
