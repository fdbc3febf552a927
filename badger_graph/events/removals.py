"""Experts that are lost."""

from __future__ import annotations

import torch

from badger_graph.agent import BadgerAgent
from badger_graph.events.base import Event, draw_number, draw_some
from badger_graph.growth import remove_experts
from badger_graph.life import Life
from topologies.checks import checked, size


class Removals(Event):
    """Some experts are removed with their links, see :func:`badger_graph.remove_experts`.

    Not the first d, who speak for outputs where the membrane is hardwired.

    Args:
        most: a number of them from 1 to this, drawn at random.
        fewest_experts: so many are left, and never fewer than outputs.

    Raises:
        ValueError: when a number is below 1.
    """

    @checked(most=size(), fewest_experts=size())
    def __init__(self, most: int = 4, fewest_experts: int = 6) -> None:
        self.most = most
        self.fewest_experts = fewest_experts

    def __call__(
        self, agent: BadgerAgent, life: Life, generator: torch.Generator | None = None
    ) -> Life:
        stay = max(self.fewest_experts, life.num_outputs)
        num = min(draw_number(self.most, generator), life.num_experts - stay)
        if num < 1:
            return life
        spare = draw_some(num, life.num_experts - life.num_outputs, generator)
        return remove_experts(agent, life, [life.num_outputs + expert for expert in spare])
