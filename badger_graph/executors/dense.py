"""Batched dense products, for agents of few experts."""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from badger_graph.executors.base import TorchExecutor, once_for_an_index
from badger_graph.policies import MessagePolicy
from badger_graph.typing import Edges


class DenseExecutor(TorchExecutor):
    """The mean over in-neighbours as one matrix per agent, ``[B, N, N]``."""

    name: ClassVar[str] = "dense"
    aggregations: ClassVar[tuple[str, ...]] = ("mean",)

    def __init__(self, edges: Edges, batch_size: int, num_experts: int) -> None:
        super().__init__(edges, batch_size, num_experts)
        self.blocks = mean_blocks(edges, batch_size, num_experts)

    def exchange(self, policy: MessagePolicy, sent: Float[Tensor, "V M"]) -> Float[Tensor, "V M"]:
        return (self.blocks @ sent.view(self.batch_size, self.num_experts, -1)).view_as(sent)


def mean_blocks(edges: Edges, batch_size: int, num_experts: int) -> Float[Tensor, "B N N"]:
    """The mean over in-neighbours: ``blocks[b, i, j] = w_ji / |in(i)|``; gradients reach w."""
    nodes = batch_size * num_experts
    cell, degree = _cells(edges.index, nodes, num_experts)
    blocks = edges.weight
    if cell is not None:
        blocks = blocks.new_zeros(nodes * num_experts).index_add(0, cell, blocks)
    return (blocks.view(nodes, num_experts) / degree).view(batch_size, num_experts, num_experts)


@once_for_an_index
def _cells(
    index: Int[Tensor, "2 E"], nodes: int, num_experts: int
) -> tuple[Int[Tensor, " E"] | None, Int[Tensor, "V 1"]]:
    """Where in the blocks each edge belongs, or none if each is in its place; the degrees."""
    source, target = index
    cell = target * num_experts + source % num_experts
    degree = target.bincount(minlength=nodes).clamp(min=1)[:, None]
    all_in_place = torch.arange(nodes * num_experts, device=index.device)
    return None if cell.equal(all_in_place) else cell, degree
