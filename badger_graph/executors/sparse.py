"""Sums over neighbours without a tensor of edges, for agents of many experts."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import FunctionCtx

from badger_graph.executors.adjacency import Adjacency, by_target, coefficients, order_of
from badger_graph.executors.base import TorchExecutor
from badger_graph.policies import MessagePolicy
from badger_graph.typing import Edges


class SparseExecutor(TorchExecutor):
    """Edges sorted in both directions: messages are summed where they arrive, ``[V, M]``.

    Neither pass makes an ``[E, M]`` tensor or scatters: the gradient of a message is the sum
    over those who heard it, and that is a gather, too. Another aggregation than the mean has to
    see every message, ``[E, M]``, and finds those of an expert side by side.
    """

    name: ClassVar[str] = "sparse"

    def __init__(self, edges: Edges, batch_size: int, num_experts: int) -> None:
        super().__init__(edges, batch_size, num_experts)
        self.order = order_of(edges.index, batch_size * num_experts)
        self.adjacency = coefficients(self.order, edges.weight)

    def exchange(self, policy: MessagePolicy, sent: Float[Tensor, "V M"]) -> Float[Tensor, "V M"]:
        if policy.aggregation == "mean":
            return NeighbourSum.apply(sent, *self.adjacency)
        # The gradient of a gather takes twice as long with 32-bit indices.
        source, weight = self.order.source.long(), by_target(self.order, self.edges.weight)
        messages = policy.message(sent.index_select(0, source), weight)
        # On a CPU a scatter is faster than segments are, with torch-scatter or without.
        start = self.order.start.long() if sent.is_cuda else None
        return policy.aggregate(  # type: ignore[operator]  # PyG has no types
            messages, self.order.target, start, len(sent)
        )


class NeighbourSum(torch.autograd.Function):
    """The weighted sum over in-neighbours, whose gradient is the one over out-neighbours."""

    @staticmethod
    def forward(ctx: Any, sent: Tensor, *edges: Tensor) -> Tensor:
        ctx.save_for_backward(sent, *edges)
        around = Adjacency(*edges)
        return _sum(sent, around.source, around.start, around.coefficient)

    @staticmethod
    def backward(ctx: FunctionCtx, *grad: Tensor) -> tuple[Tensor | None, ...]:
        sent, *edges = ctx.saved_tensors  # type: ignore[attr-defined]
        to_sent, to_coefficient = ctx.needs_input_grad[0], ctx.needs_input_grad[3]  # type: ignore[attr-defined]
        around = Adjacency(*edges)
        forth = (around.source, around.start, around.coefficient)
        back = (around.hearer, around.hearer_start, around.hearer_coefficient)
        of_sent = NeighbourSum.apply(grad[0], *back, *forth) if to_sent else None
        of_coefficient = _dots(grad[0], sent, around) if to_coefficient else None
        return of_sent, None, None, of_coefficient, None, None, None


def _sum(values: Tensor, other: Tensor, start: Tensor, coefficient: Tensor) -> Tensor:
    return F.embedding_bag(
        other,
        values,
        start,
        mode="sum",
        include_last_offset=True,
        per_sample_weights=coefficient.to(values),
    )


def _dots(grad: Tensor, sent: Tensor, around: Adjacency) -> Tensor:
    """The gradient of every edge's coefficient: what its target wants times what it carries."""
    degree = around.start.diff().long()
    target = torch.arange(len(degree), device=grad.device).repeat_interleave(
        degree, output_size=len(around.source)
    )
    # One column at a time: an [E, M] tensor would be the largest of all.
    products = torch.zeros_like(around.coefficient)
    for of_target, of_source in zip(grad.T, sent.T, strict=True):
        products += of_target[target] * of_source[around.source]
    return products
