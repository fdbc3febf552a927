"""Experts that are cloned."""

from __future__ import annotations

import torch

from badger_graph.agent import BadgerAgent
from badger_graph.events.base import Event, draw_number, draw_some
from badger_graph.growth import CloneIdentifiers, clone_experts
from badger_graph.life import Life
from topologies.checks import checked, size


class Clones(Event):
    """Some experts are cloned, see :func:`badger_graph.clone_experts`.

    Args:
        most: a number of them from 1 to this, drawn at random.
        identifiers: those of clones, ``"same"``, ``"fresh"`` or ``"perturbed"``.
        most_experts: nobody is cloned in agents that have so many.

    Raises:
        ValueError: when a number is below 1, or for unknown ``identifiers``.
    """

    @checked(most=size(), most_experts=size())
    def __init__(
        self, most: int = 4, identifiers: CloneIdentifiers = "fresh", most_experts: int = 100
    ) -> None:
        self.most = most
        self.identifiers: CloneIdentifiers = identifiers
        self.most_experts = most_experts

    def __call__(
        self, agent: BadgerAgent, life: Life, generator: torch.Generator | None = None
    ) -> Life:
        room = min(life.num_experts, self.most_experts - life.num_experts)
        num = min(draw_number(self.most, generator), room)
        if num < 1:
            return life
        originals = draw_some(num, life.num_experts, generator)
        return clone_experts(agent, life, originals, self.identifiers, generator)
