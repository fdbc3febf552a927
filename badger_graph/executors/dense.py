"""Batched dense products, for agents of few experts."""

from __future__ import annotations

from typing import Any, ClassVar

from jaxtyping import Float
from torch import Tensor

from badger_graph.executors.base import TorchWiring
from badger_graph.typing import Edges


class DenseWiring(TorchWiring):
    """The mean over in-neighbours as one matrix per agent, ``[B, N, N]``."""

    executor: ClassVar[str] = "dense"

    def __init__(self, edges: Edges, batch_size: int, num_experts: int) -> None:
        super().__init__(edges, batch_size, num_experts)
        self.blocks = mean_blocks(edges, batch_size, num_experts)

    def exchange(self, policy: Any, sent: Float[Tensor, "V M"]) -> Float[Tensor, "V M"]:
        return (self.blocks @ sent.view(self.batch_size, self.num_experts, -1)).view_as(sent)


def mean_blocks(edges: Edges, batch_size: int, num_experts: int) -> Float[Tensor, "B N N"]:
    """The mean over in-neighbours: ``blocks[b, i, j] = w_ji / |in(i)|``; gradients reach w."""
    source, target = edges.index
    nodes = batch_size * num_experts
    cell = target * num_experts + source % num_experts
    weight = edges.weight
    blocks = weight.new_zeros(nodes * num_experts).index_add(0, cell, weight)
    degree = target.bincount(minlength=nodes).clamp(min=1)
    blocks = blocks.view(nodes, num_experts) / degree[:, None]
    return blocks.view(batch_size, num_experts, num_experts)
