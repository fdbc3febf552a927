"""Edges in the form in which messages travel fastest."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from badger_graph.typing import Edges

Executor = Literal["auto", "reference", "dense"]

DENSE_UP_TO = 64
"""Experts per agent up to which one dense product beats a gather and a scatter."""


class Wiring(NamedTuple):
    """Edges, prepared once when they are drawn and used in every round.

    ``blocks`` is the mean over in-neighbours as one matrix per agent,
    ``blocks[b, i, j] = w_ji / |in(i)|``; ``None`` leaves the exchange to PyG's
    gather and scatter, the reference.

    Shapes:
        - **blocks:** ``[B, N, N]`` or ``None``
    """

    edges: Edges
    blocks: Float[Tensor, "B N N"] | None
    versions: tuple[int, int]

    def describes(self, edge_index: Tensor, edge_weight: Tensor) -> bool:
        """Whether this was prepared from these very tensors, as they are now.

        A graph that was rewired, by assignment or in place, is noticed.
        """
        same = self.edges.index is edge_index and self.edges.weight is edge_weight
        return same and self.versions == (_version(edge_index), _version(edge_weight))

    def copied(self) -> Wiring:
        """The same for edges of its own, which may be changed without changing these."""
        edges = Edges(self.edges.index.clone(), self.edges.weight.clone())
        return Wiring(edges, self.blocks, (_version(edges.index), _version(edges.weight)))


def prepare(edges: Edges, batch_size: int, num_experts: int, executor: Executor = "auto") -> Wiring:
    """Prepare edges for the rounds to come.

    Args:
        executor: ``"reference"``: PyG's gather and scatter; ``"dense"``: batched products;
            ``"auto"``: dense for agents of up to 64 experts.
    """
    dense = executor == "dense" or (executor == "auto" and num_experts <= DENSE_UP_TO)
    blocks = mean_blocks(edges, batch_size, num_experts) if dense else None
    return Wiring(edges, blocks, (_version(edges.index), _version(edges.weight)))


def mean_blocks(edges: Edges, batch_size: int, num_experts: int) -> Float[Tensor, "B N N"]:
    """The mean over in-neighbours as one matrix per agent; gradients reach the weights."""
    source, target = edges.index
    nodes = batch_size * num_experts
    cell = target * num_experts + source % num_experts
    weight = edges.weight
    blocks = weight.new_zeros(nodes * num_experts).index_add(0, cell, weight)
    degree = weight.new_zeros(nodes).index_add(0, target, torch.ones_like(weight))
    blocks = blocks.view(nodes, num_experts) / degree.clamp(min=1)[:, None]
    return blocks.view(batch_size, num_experts, num_experts)


def _version(tensor: Tensor) -> int:
    # Tensors made in inference mode do not count how often they were changed.
    return 0 if tensor.is_inference() else tensor._version
