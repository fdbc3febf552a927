"""What an expert makes of several messages, where it is not their mean."""

from __future__ import annotations

from typing import Literal

from jaxtyping import Float, Int
from torch import Tensor
from torch_geometric.nn import aggr
from torch_geometric.utils import scatter

Aggregation = Literal["mean", "max", "min", "softmax"]


def aggregator(aggregation: Aggregation) -> str | aggr.Aggregation:
    """The aggregation as PyG's message passing takes it."""
    if aggregation == "mean":
        return "mean"
    return Softmax() if aggregation == "softmax" else Extremum(aggregation)


class Extremum(aggr.Aggregation):
    r"""The largest or smallest message of each target, channel by channel; zeros of none.

    Messages that tie share the gradient evenly, so it does not depend on the order of edges. PyG's
    own aggregation does not serve: it counts the zeros that it begins with among those that tie
    where the result is zero, and with torch-scatter on a GPU all goes to one of them. Made of
    operations that have derivatives of every kind; rows that come with ``ptr`` are compared in
    segments, which torch-scatter does where it is installed.

    Shapes:
        - **x:** ``[E, M]``; **index:** ``[E]``, the target of each; **ptr:** ``[V + 1]``, where
          each target's begin, if they come in order; result ``[V, M]``
    """

    def __init__(self, which: Literal["max", "min"]) -> None:
        super().__init__()
        self.which = which

    def forward(
        self,
        x: Float[Tensor, "E M"],
        index: Int[Tensor, " E"],
        ptr: Int[Tensor, " V+1"] | None = None,
        dim_size: int | None = None,
        dim: int = -2,
    ) -> Float[Tensor, "V M"]:
        fixed = x.detach()
        best = self.reduce(fixed, index, ptr, dim_size, dim, self.which)
        winners = (fixed == best.index_select(0, index)).to(x)
        ties = self.reduce(winners, index, ptr, dim_size, dim, "sum")
        share = winners / ties.index_select(0, index)
        return best + scatter((x - fixed) * share, index, 0, dim_size)


class Softmax(aggr.Aggregation):
    r"""The mean of messages weighted by their softmax, channel by channel; zeros of none.

    .. math::
        \bar m_i = \sum_{j \to i} \frac{e^{x_{ji}}}{\sum_{k \to i} e^{x_{ki}}}\, x_{ji}

    Source: Li et al. 2020, "DeeperGCN: all you need to train deeper GCNs", with temperature 1.

    Shapes:
        - as of :class:`Extremum`
    """

    def forward(
        self,
        x: Float[Tensor, "E M"],
        index: Int[Tensor, " E"],
        ptr: Int[Tensor, " V+1"] | None = None,
        dim_size: int | None = None,
        dim: int = -2,
    ) -> Float[Tensor, "V M"]:
        largest = self.reduce(x.detach(), index, ptr, dim_size, dim, "max")
        share = (x - largest.index_select(0, index)).exp()
        total = scatter(share, index, 0, dim_size).clamp(min=1)  # the largest has a share of 1
        return scatter(share * x, index, 0, dim_size) / total
