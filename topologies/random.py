"""Graphs drawn at random."""

from __future__ import annotations

import math

import torch
from jaxtyping import Int
from torch import Tensor

from topologies.base import GraphTopology, Redraw
from topologies.checks import PROBABILITY, check_edges, checked, size
from topologies.edges import Edges


class RandomTopology(GraphTopology):
    r"""Every expert hears k distinct other experts, every such set equally likely.

    Floyd's algorithm, for all experts at once: with the other experts numbered
    :math:`0, \dots, N-2`, step :math:`i = 0, \dots, k-1` draws :math:`t` uniform in
    :math:`0, \dots, m` with :math:`m = N-1-k+i`, and takes :math:`t`, or :math:`m` when :math:`t`
    is taken already. It rejects nothing, so it is exact, needs :math:`O(Nk)` memory and never
    waits for the device.

    Source: Bentley & Floyd, "Programming Pearls: A Sample of Brilliance", CACM 30(9), 1987.

    Args:
        k: number of experts that each expert hears, less than N.
        redraw: draw the graph ``"once"``, for every ``"rollout"``, or for every ``"agent"`` of
            every rollout.
        seed: seed of the graph that is drawn once.
        strongly_connected: draw again until every expert can reach every other.

    Raises:
        ValueError: when k is negative; when drawn for N <= k experts.
    """

    @checked(k=size(0))
    def __init__(
        self,
        k: int = 4,
        redraw: Redraw = "once",
        seed: int = 0,
        strongly_connected: bool = False,
    ) -> None:
        super().__init__(redraw, seed, strongly_connected)
        self.k = k

    def draw(self, num_graphs: int, num_experts: int, generator: torch.Generator) -> Edges:
        if self.k >= num_experts:
            raise ValueError(
                "k must be less than the number of experts, each hears k others, "
                f"got k={self.k} and {num_experts} experts"
            )
        check_edges(num_graphs * num_experts * self.k, f"a {type(self).__name__}")
        target = torch.arange(num_graphs * num_experts, device=generator.device)
        rank = target.new_empty(self.k, target.numel())  # [k, V], among the others of the target
        for i, last in enumerate(range(num_experts - 1 - self.k, num_experts - 1)):
            candidate = torch.empty_like(target).random_(last + 1, generator=generator)
            repeats = (rank[:i] == candidate).any(dim=0)
            rank[i] = torch.where(repeats, last, candidate)

        own = target % num_experts
        source = rank + (rank >= own) + (target - own)
        index = torch.stack([source, target.expand_as(source)])  # [2, k, V]
        return Edges.unweighted(index.transpose(1, 2).reshape(2, -1))


class ErdosRenyiTopology(GraphTopology):
    r"""Every ordered pair of distinct experts is joined with probability p, independently.

    The pairs are numbered through, and the gaps between those that are joined are drawn: they
    are geometric, :math:`P(\text{gap} = g) = p (1-p)^{g-1}`. So the memory is that of the edges
    and not of the :math:`N(N-1)` pairs.

    Source: Gilbert, "Random Graphs", Annals of Mathematical Statistics 30(4), 1959; the gaps:
    Batagelj & Brandes, "Efficient generation of large random networks", Physical Review E 71,
    2005.

    Args:
        p: probability of an edge, from 0 to 1.
        redraw: draw the graph ``"once"``, for every ``"rollout"``, or for every ``"agent"`` of
            every rollout.
        seed: seed of the graph that is drawn once.
        strongly_connected: draw again until every expert can reach every other.

    Raises:
        ValueError: when p is not a probability.
    """

    @checked(p=PROBABILITY)
    def __init__(
        self,
        p: float = 0.3,
        redraw: Redraw = "once",
        seed: int = 0,
        strongly_connected: bool = False,
    ) -> None:
        super().__init__(redraw, seed, strongly_connected)
        self.p = p

    def draw(self, num_graphs: int, num_experts: int, generator: torch.Generator) -> Edges:
        others = num_experts - 1
        check_edges(num_graphs * num_experts * others * self.p, f"a {type(self).__name__}")
        pair = self._draw_pairs(num_graphs * num_experts * others, generator)
        target = pair // max(others, 1)
        rank = pair - target * others  # among the others of the target
        own = target % num_experts
        source = rank + (rank >= own) + (target - own)
        return Edges.unweighted(torch.stack([source, target]))

    def _draw_pairs(self, num_pairs: int, generator: torch.Generator) -> Int[Tensor, " E"]:
        """The numbers of the pairs that are joined, in order."""
        device = generator.device
        if self.p in (0, 1):  # no geometric distribution
            return torch.arange(num_pairs if self.p == 1 else 0, device=device)
        mean = num_pairs * self.p
        num_gaps = math.ceil(mean + 4 * math.sqrt(mean)) + 1  # nearly always enough
        pairs = torch.full((1,), -1, device=device)
        while pairs[-1] < num_pairs:
            gaps = torch.empty(num_gaps, dtype=torch.float64, device=device)
            steps = gaps.geometric_(self.p, generator=generator).cumsum(dim=0)
            # A gap can exceed every integer when p is tiny.
            steps = steps.clamp(max=num_pairs + 1).long()
            pairs = torch.cat([pairs, pairs[-1] + steps])
        return pairs[(pairs >= 0) & (pairs < num_pairs)]
