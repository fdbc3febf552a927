"""Graphs of many families."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from topologies.base import Topology, default_generator
from topologies.checks import checked
from topologies.edges import Edges


class MixtureTopology(Topology):
    """Every batch of agents has a graph of one of several families, drawn at random.

    Args:
        topologies: the families; none that looks at states. One that is listed twice is drawn
            twice as often.

    Raises:
        ValueError: when there is none, or one is dynamic; when drawn, if no family has a graph of
            so many experts.
    """

    @checked()
    def __init__(self, topologies: Sequence[Topology]) -> None:
        super().__init__()
        if not topologies:
            raise ValueError("a mixture must be of at least one topology, got none")
        for topology in topologies:
            if topology.dynamic or topology.sees_ports:
                raise ValueError(
                    f"a mixture must be of topologies that draw graphs of N experts, got {topology}"
                )
        self.topologies = nn.ModuleList(topologies)

    def forward(
        self, hidden: Float[Tensor, "B N H"], generator: torch.Generator | None = None
    ) -> Edges:
        generator = generator or default_generator(hidden.device)
        order = torch.randperm(len(self.topologies), generator=generator, device=hidden.device)
        refusals = []
        for number in order.tolist():
            try:
                edges: Edges = self.topologies[number](hidden, generator)
            except ValueError as error:  # no such graph of so many experts
                refusals.append(str(error))
            else:
                return edges
        raise ValueError(
            f"one of the topologies must have a graph of {hidden.size(1)} experts, got none: "
            + "; ".join(refusals)
        )
