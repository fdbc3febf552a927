"""One graph, learned."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from topologies.base import Topology, batch_of
from topologies.checks import POSITIVE, checked, limited_weights, size
from topologies.edges import Edges
from topologies.scored import all_pairs


class LearnedGraphTopology(Topology):
    r"""One graph, the same in every life, that the outer loop learns with the policy.

    The edge from j to i has a logit :math:`\ell_{ij}`. In training every agent of every rollout
    draws a graph of its own, the edge present with probability :math:`\sigma(\ell_{ij})`:

    .. math::
        z_{ij} = [\ell_{ij} + g_{ij} > 0], \qquad g = \log u - \log(1 - u), \quad
        u \sim \mathcal U(0, 1), \qquad
        w_{ji} = N \frac{z_{ij}}{\max(1, \sum_{j'} z_{ij'})}

    whose gradient is that of :math:`\sigma((\ell + g) / \tau)` in the place of z (straight
    through). All N x N edges are listed, and the factor N over the number present makes the mean
    over all of them the mean over those present. In ``eval()`` the graph is the edges with
    positive logits, without noise. An expert may hear itself; one that hears nobody receives zeros.

    Source: Maddison et al. 2017, "The Concrete Distribution", binary case; Jang et al. 2017,
    "Categorical Reparameterization with Gumbel-Softmax", straight-through estimator.

    Args:
        num_experts: number of experts N.
        temperature: of the sigmoid whose gradient is taken; a low one has large gradients for few
            draws, a high one small ones for all.

    Raises:
        ValueError: when N is below 1 or the temperature not positive; when drawn for another N.
    """

    @checked(num_experts=size(), temperature=POSITIVE)
    @limited_weights
    def __init__(self, num_experts: int = 16, temperature: float = 1.0) -> None:
        super().__init__()
        self.num_experts = num_experts
        self.temperature = temperature
        # About half of the edges at the start, as many in eval() as in training.
        self.logit = nn.Parameter(torch.randn(num_experts, num_experts))  # [receivers, senders]

    def forward(
        self, hidden: Float[Tensor, "B N H"], generator: torch.Generator | None = None
    ) -> Edges:
        batch_size, num_experts = batch_of(hidden)
        if num_experts != self.num_experts:
            raise ValueError(
                "a learned graph has one node for every expert that it was built for, "
                f"got num_experts={self.num_experts} and {num_experts} experts"
            )
        everything = all_pairs(batch_size, num_experts, hidden.device)
        if not self.training:
            present = (self.logit > 0).flatten().repeat(batch_size)
            return Edges.unweighted(everything[:, present])
        adjacency = self._draw(batch_size, generator)
        weight = num_experts * adjacency / adjacency.sum(dim=-1, keepdim=True).clamp(min=1)
        return Edges(everything, weight.flatten())

    def _draw(self, batch_size: int, generator: torch.Generator | None) -> Float[Tensor, "B N N"]:
        shape = (batch_size, *self.logit.shape)
        uniform = self.logit.new_empty(shape).uniform_(generator=generator)
        noise = uniform.logit(eps=1e-6)
        soft = torch.sigmoid((self.logit + noise) / self.temperature)
        hard = (self.logit + noise > 0).to(soft)
        return hard + soft - soft.detach()
