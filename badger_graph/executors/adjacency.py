"""Compressed sparse rows of the edges, in both directions."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from badger_graph.executors.base import once_for_an_index
from badger_graph.typing import Edges
from topologies.edges import check_ends


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


class Order(NamedTuple):
    """What of an :class:`Adjacency` depends on the ends of the edges alone.

    Shapes:
        - **by_target**, **by_source:** ``[E]``, where each edge of the one list is in the one
          before; ``by_target`` is none when they are listed so already
        - **target**, **degree:** ``[E]``, the target of each edge by target, and its degree
    """

    by_target: Int[Tensor, " E"] | None
    by_source: Int[Tensor, " E"]
    target: Int[Tensor, " E"]
    degree: Int[Tensor, " E"]
    source: Int[Tensor, " E"]
    start: Int[Tensor, " V+1"]
    hearer: Int[Tensor, " E"]
    hearer_start: Int[Tensor, " V+1"]


def adjacency(edges: Edges, nodes: int) -> Adjacency:
    """Sort the edges by target and by source; gradients reach the weights.

    Raises:
        ValueError: from :func:`order_of`.
    """
    return coefficients(order_of(edges.index, nodes), edges.weight)


def by_target(order: Order, weight: Float[Tensor, " E"]) -> Float[Tensor, " E"]:
    """The weights of edges in the order of their targets."""
    return weight if order.by_target is None else weight.index_select(0, order.by_target)


def coefficients(order: Order, weight: Float[Tensor, " E"]) -> Adjacency:
    """The sums that give the mean, for edges in this order."""
    coefficient = by_target(order, weight) / order.degree
    return Adjacency(
        source=order.source,
        start=order.start,
        coefficient=coefficient,
        hearer=order.hearer,
        hearer_start=order.hearer_start,
        hearer_coefficient=coefficient.index_select(0, order.by_source),
    )


@once_for_an_index
def order_of(index: Int[Tensor, "2 E"], nodes: int) -> Order:
    """Sort the ends of edges by target and by source.

    Indices are 32-bit: half the memory, and what the fast sums of PyTorch take.

    Raises:
        ValueError: when there are more edges than 32 bits can number, or one ends at no node.
    """
    if index.size(1) >= 2**31:
        raise ValueError(f"there must be fewer than 2^31 edges, got {index.size(1)}")
    source, target = index
    by_target = None
    on_cpu = index.device.type == "cpu"  # elsewhere it would be a synchronisation to look at ends
    if on_cpu:
        check_ends(index, 1, nodes)
    if not on_cpu or (target[1:] < target[:-1]).any():
        by_target = target.argsort(stable=True)
        source, target = source[by_target], target[by_target]
    by_source = source.argsort(stable=True)
    degree = target.bincount(minlength=nodes)
    return Order(
        by_target=None if by_target is None else by_target.int(),
        by_source=by_source.int(),
        target=target.clone(),  # no view: what is kept must not keep the index alive
        degree=degree[target].int(),
        source=source.int(),
        start=_starts(degree),
        hearer=target[by_source].int(),
        hearer_start=_starts(source.bincount(minlength=nodes)),
    )


def _starts(counts: Tensor) -> Tensor:
    return torch.nn.functional.pad(counts.cumsum(0), (1, 0)).int()
