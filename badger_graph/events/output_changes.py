"""Outputs that come and go."""

from __future__ import annotations

import torch

from badger_graph.agent import BadgerAgent
from badger_graph.events.base import Event, draw_number
from badger_graph.growth import change_outputs
from badger_graph.life import Life
from topologies.checks import checked, size


class OutputChanges(Event):
    """Another number of outputs, see :func:`badger_graph.change_outputs`.

    Agents go on with a task of as many, so whoever brings this about gives them a new one. With a
    hardwired membrane there are never more outputs than experts.

    Args:
        most: a number of them from 1 to this.

    Raises:
        ValueError: when it is below 1.
    """

    @checked(most=size())
    def __init__(self, most: int = 10) -> None:
        self.most = most

    def __call__(
        self, agent: BadgerAgent, life: Life, generator: torch.Generator | None = None
    ) -> Life:
        num = draw_number(self.most, generator)
        try:
            agent.membrane.check(life.num_experts, num, life.num_inputs)
        except ValueError:  # too many for the experts there are
            return life
        return change_outputs(agent, life, num, generator)
