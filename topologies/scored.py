"""Dynamic topologies: the experts' states decide who hears whom, anew in every inner step."""

from __future__ import annotations

import functools
import math
from abc import ABC
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from topologies.base import Topology, batch_of
from topologies.checks import check_edges, checked, limited_weights, size
from topologies.edges import Edges

CHUNK = 2**18
"""Scores that the search for the highest holds at once."""


class ScoredTopology(Topology, ABC):
    r"""A dynamic topology that scores how well every sender suits every receiver.

    .. math::
        s_{ij} = \frac{\beta}{\sqrt K}\, q_i \cdot k_j, \qquad
        q_i = W_q h_i + b, \quad k_j = W_k h_j

    A key has no bias: it would shift all scores of a receiver alike.

    Args:
        hidden_size: size H of an expert's state, as the agent that builds it says.
        key_size: size K of queries and keys.
        beta: inverse temperature; 0 hears all alike, more comes closer to the best match alone.

    Raises:
        ValueError: when a size is below 1 or beta is not finite.
    """

    dynamic: ClassVar[bool] = True

    @checked(hidden_size=size(), key_size=size())
    @limited_weights
    def __init__(self, hidden_size: int, key_size: int = 16, beta: float = 1.0) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.key_size = key_size
        self.beta = beta
        self.query = nn.Linear(hidden_size, key_size)
        self.key = nn.Linear(hidden_size, key_size, bias=False)

    def _queries_and_keys(
        self, hidden: Float[Tensor, "B N H"]
    ) -> tuple[Float[Tensor, "B N K"], Float[Tensor, "B N K"]]:
        """Queries, already scaled, and keys: a score is a product of the two."""
        if hidden.size(-1) != self.hidden_size:
            raise ValueError(
                f"a {type(self).__name__} must be built for the size of the states, "
                f"got hidden_size={self.hidden_size} and states of size {hidden.size(-1)}"
            )
        if not hidden.size(1):
            raise ValueError("a topology needs at least one expert, got 0")
        return self.query(hidden) * (self.beta / math.sqrt(self.key_size)), self.key(hidden)


class AttentionTopology(ScoredTopology):
    r"""Every expert hears all, itself too, each as much as its state asks for.

    .. math::
        w_{ji} = N\, \mathrm{softmax}_j\Big(\frac{\beta}{\sqrt K}\, q_i \cdot k_j\Big)

    The factor N turns the mean over in-neighbours, which every executor takes, into the sum
    weighted by the softmax.

    Source: Vaswani et al. 2017; Rosa et al. 2019, "Attentional Architecture".

    Args:
        hidden_size: size H of an expert's state, as the agent that builds it says.
        key_size: size K of queries and keys.
        beta: inverse temperature; 0 hears all alike, more comes closer to the best match alone.

    Raises:
        ValueError: when a size is below 1 or beta is not finite; when states are of another size.
    """

    def forward(
        self, hidden: Float[Tensor, "B N H"], generator: torch.Generator | None = None
    ) -> Edges:
        batch_size, num_experts = batch_of(hidden)
        check_edges(batch_size * num_experts**2, "an AttentionTopology")
        return attention(*self._queries_and_keys(hidden))


class TopKTopology(ScoredTopology):
    r"""Every expert hears the k experts, perhaps itself, that suit its state best; or all.

    .. math::
        w_{ji} = k\, \mathrm{softmax}_{j \in \mathrm{top}_k(i)}
            \Big(\frac{\beta}{\sqrt K}\, q_i \cdot k_j\Big)

    There are :math:`kN` edges. Which they are is searched for in pieces and without gradients;
    gradients flow through the scores of those that are kept, computed once more. With k = 1
    there is nothing to weigh, and nobody learns whom to hear. Memory is linear in N, time is not.

    Among equal scores, as those of newborn experts, all in one state, the choice is any.

    Args:
        hidden_size: size H of an expert's state, as the agent that builds it says.
        k: experts that each expert hears; all where there are no more.
        key_size: size K of queries and keys.
        beta: inverse temperature; 0 hears those k all alike.

    Raises:
        ValueError: when k or a size is below 1 or beta is not finite; when states are of another
            size.
    """

    @checked(k=size())
    def __init__(self, hidden_size: int, k: int = 4, key_size: int = 16, beta: float = 1.0) -> None:
        super().__init__(hidden_size, key_size, beta)
        self.k = k

    @classmethod
    def of(cls, topology: AttentionTopology, k: int) -> TopKTopology:
        """The same queries and keys, where only the k best are heard."""
        copy = cls(topology.hidden_size, k, topology.key_size, topology.beta)
        copy.load_state_dict(topology.state_dict())
        return copy.to(topology.query.weight)

    def forward(
        self, hidden: Float[Tensor, "B N H"], generator: torch.Generator | None = None
    ) -> Edges:
        batch_size, num_experts = batch_of(hidden)
        check_edges(batch_size * num_experts * min(self.k, num_experts), "a TopKTopology")
        queries, keys = self._queries_and_keys(hidden)
        if self.k > num_experts:
            return attention(queries, keys)
        first = torch.arange(batch_size, device=hidden.device)[:, None, None] * num_experts
        source = (highest(queries, keys, self.k) + first).flatten()
        target = torch.arange(batch_size * num_experts, device=hidden.device)
        best_keys = keys.flatten(0, 1).index_select(0, source).view(-1, self.k, self.key_size)
        score = (best_keys * queries.flatten(0, 1)[:, None]).sum(dim=-1)  # [V, k]
        index = torch.stack([source, target.repeat_interleave(self.k)])
        return Edges(index, (self.k * score.softmax(dim=-1)).flatten())


def attention(queries: Float[Tensor, "B N K"], keys: Float[Tensor, "B N K"]) -> Edges:
    """Everyone hears everyone, by the softmax of their scores."""
    batch_size, num_experts, _ = keys.shape
    share = (queries @ keys.mT).softmax(dim=-1)  # [B, receivers, senders]
    index = all_pairs(batch_size, num_experts, keys.device)
    return Edges(index, (num_experts * share).flatten())


@torch.no_grad()
def highest(
    queries: Float[Tensor, "B N K"], keys: Float[Tensor, "B N K"], k: int
) -> Int[Tensor, "B N k"]:
    """The k senders of highest score for every receiver, some receivers at a time."""
    batch_size, num_experts, _ = keys.shape
    rows = max(1, CHUNK // (batch_size * num_experts))
    senders = torch.empty(batch_size, num_experts, k, dtype=torch.int64, device=keys.device)
    for some, place in zip(queries.split(rows, dim=1), senders.split(rows, dim=1), strict=True):
        place.copy_((some @ keys.mT).topk(k, dim=-1, sorted=False).indices)
    return senders


@functools.lru_cache(maxsize=4)
def all_pairs(batch_size: int, num_experts: int, device: torch.device) -> Int[Tensor, "2 E"]:
    """All N x N edges of every agent, ordered by target.

    The same tensor for the same sizes, so that what depends on the edges alone is prepared once.
    """
    check_edges(batch_size * num_experts**2, f"all pairs of experts of {batch_size} agents")
    with torch.inference_mode(False):  # or training could not use it later
        node = torch.arange(batch_size * num_experts, device=device)
        source = node.view(batch_size, 1, num_experts).expand(-1, num_experts, -1)
        return torch.stack([source.flatten(), node.repeat_interleave(num_experts)])
