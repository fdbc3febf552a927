"""The choice of an executor, made once when edges are drawn."""

from __future__ import annotations

import logging
from typing import Literal

from torch import nn

from badger_graph.executors import fused
from badger_graph.executors.attention import AttentionWiring
from badger_graph.executors.base import Wiring, hears_the_mean
from badger_graph.executors.dense import DenseWiring
from badger_graph.executors.fused import FusedWiring
from badger_graph.executors.reference import ReferenceWiring
from badger_graph.executors.sparse import SparseWiring
from badger_graph.policies.attention import AttentionPolicy
from badger_graph.typing import Edges

Executor = Literal["auto", "reference", "dense", "sparse", "fused", "attention"]

EXECUTORS: dict[str, type[Wiring]] = {
    wiring.executor: wiring
    for wiring in (ReferenceWiring, DenseWiring, SparseWiring, FusedWiring, AttentionWiring)
}

DENSE_UP_TO = 64
"""Experts per agent up to which one dense product beats sums over neighbours."""

_log = logging.getLogger(__name__)


def prepare(
    edges: Edges,
    batch_size: int,
    num_experts: int,
    executor: Executor = "auto",
    policy: nn.Module | None = None,
) -> Wiring:
    """Prepare edges for the rounds to come. Every executor of messages computes the same.

    Args:
        executor: ``"reference"``: PyG's gather and scatter; ``"dense"``: batched products;
            ``"sparse"``: sums over sorted neighbours; ``"fused"``: the whole round in one native
            operator, for the built-in policy; ``"attention"``: a mask, for the attentional policy;
            ``"auto"``: the fastest that serves ``policy`` here: attention for the attentional
            one, else fused, else dense for agents of up to 64 experts, else sparse;
            with more than 64 experts, of whom most hear most, dense; for another aggregation than
            the mean, sparse.
        policy: who is going to communicate.

    Raises:
        ValueError: when the executor cannot serve, and why.
    """
    if executor == "auto":
        executor = choose(edges, batch_size, num_experts, policy)
    _log.info("executor %s for %d agents of %d experts", executor, batch_size, num_experts)
    return EXECUTORS[executor](edges, batch_size, num_experts)


def choose(edges: Edges, batch_size: int, num_experts: int, policy: nn.Module | None) -> Executor:
    """The fastest executor for these edges and this policy on their device."""
    if isinstance(policy, AttentionPolicy):
        return "attention"
    if not hears_the_mean(policy):
        return "sparse"
    few = num_experts <= DENSE_UP_TO
    most_pairs = 2 * edges.index.size(1) >= batch_size * num_experts**2
    fusible = policy is not None and fused.obstacle(policy, edges.weight) is None
    if fusible and (few or not most_pairs):
        return "fused"
    return "dense" if few or most_pairs else "sparse"
