"""Compressed sparse rows of the edges, in both directions."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from badger_graph.typing import Edges


class Adjacency(NamedTuple):
    r"""Who is heard by every expert, and who hears it, ready for sums without a scatter.

    The mean over in-neighbours is :math:`\sum_e c_e m_{s(e)}` with :math:`c_e = w_e / |in(i)|`
    over the edges e of expert i, which lie from ``start[i]`` to ``start[i + 1]``.

    Shapes:
        - **source**, **coefficient:** ``[E]``, ordered by target; **start:** ``[V + 1]``
        - **hearer**, **hearer_coefficient:** ``[E]``, ordered by source;
          **hearer_start:** ``[V + 1]``
    """

    source: Int[Tensor, " E"]
    start: Int[Tensor, " V+1"]
    coefficient: Float[Tensor, " E"]
    hearer: Int[Tensor, " E"]
    hearer_start: Int[Tensor, " V+1"]
    hearer_coefficient: Float[Tensor, " E"]


def adjacency(edges: Edges, nodes: int) -> Adjacency:
    """Sort the edges by target and by source; gradients reach the weights.

    Indices are 32-bit: half the memory, and what the fast sums of PyTorch take.

    Raises:
        ValueError: when there are more edges than 32 bits can number, or one ends at no node.
    """
    source, target = edges.index
    if edges.index.size(1) >= 2**31:
        raise ValueError(f"there must be fewer than 2^31 edges, got {edges.index.size(1)}")
    if edges.index.device.type == "cpu" and edges.index.numel():  # elsewhere a synchronisation
        least, most = (int(end) for end in edges.index.aminmax())
        if least < 0 or most >= nodes:
            wrong = least if least < 0 else most
            raise ValueError(f"edges must join nodes 0 to {nodes - 1}, got node {wrong}")
    by_target = target.argsort(stable=True)
    degree = target.bincount(minlength=nodes)
    coefficient = edges.weight[by_target] / degree.clamp(min=1)[target[by_target]]
    by_source = source[by_target].argsort(stable=True)
    return Adjacency(
        source=source[by_target].int(),
        start=_starts(degree),
        coefficient=coefficient,
        hearer=target[by_target][by_source].int(),
        hearer_start=_starts(source.bincount(minlength=nodes)),
        hearer_coefficient=coefficient[by_source],
    )


def _starts(counts: Tensor) -> Tensor:
    return torch.nn.functional.pad(counts.cumsum(0), (1, 0)).int()
