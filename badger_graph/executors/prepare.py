"""The choice of an executor, made once when edges are drawn."""

from __future__ import annotations

import logging
from typing import Literal

from badger_graph.channels import Channel, ClearChannel
from badger_graph.executors.attention import AttentionExecutor
from badger_graph.executors.base import Executor
from badger_graph.executors.dense import DenseExecutor
from badger_graph.executors.fused import FusedExecutor
from badger_graph.executors.reference import ReferenceExecutor
from badger_graph.executors.sparse import SparseExecutor
from badger_graph.policies import ExpertPolicy
from badger_graph.typing import Edges

ExecutorName = Literal["auto", "reference", "dense", "sparse", "fused", "attention"]

EXECUTORS: dict[str, type[Executor]] = {
    executor.name: executor
    for executor in (
        *(ReferenceExecutor, DenseExecutor, SparseExecutor),
        *(FusedExecutor, AttentionExecutor),
    )
}

DENSE_UP_TO = 64
"""Experts per agent up to which one dense product beats sums over neighbours."""

_log = logging.getLogger(__name__)


def prepare(
    edges: Edges,
    batch_size: int,
    num_experts: int,
    executor: ExecutorName,
    policy: ExpertPolicy,
    channel: Channel | None = None,
) -> Executor:
    """Prepare edges for the rounds to come. Every executor of messages computes the same.

    Args:
        executor: ``"reference"``: PyG's gather and scatter; ``"dense"``: batched products;
            ``"sparse"``: sums over sorted neighbours; ``"fused"``: the whole round in one native
            operator, for the built-in policy; ``"attention"``: a mask, for the attentional policy;
            ``"auto"``: the first of :func:`preferences` that nothing stands in the way of.
        policy: who is going to communicate.
        channel: over which channel; the clear one by default.

    Raises:
        ValueError: when the executor cannot serve, and why.
    """
    channel = channel or ClearChannel()
    names = preferences(edges, batch_size, num_experts) if executor == "auto" else [executor]
    obstacles: list[str] = []
    for name in names:
        obstacle = EXECUTORS[name].obstacle(policy, channel, edges)
        if obstacle is None:
            _log.info("executor %s for %d agents of %d experts", name, batch_size, num_experts)
            return EXECUTORS[name](edges, batch_size, num_experts)
        obstacles.append(f"executor {name!r} needs {obstacle}")
    raise ValueError(obstacles[0])


def preferences(edges: Edges, batch_size: int, num_experts: int) -> list[str]:
    """The executors by speed for these edges, the fastest first.

    A mask for who can use it; one operator for a whole round; of the others dense products for few
    experts or where most hear most, else sums over neighbours.
    """
    few = num_experts <= DENSE_UP_TO
    most_pairs = 2 * edges.index.size(1) >= batch_size * num_experts**2
    if few:
        return ["attention", "fused", "dense", "sparse"]
    return ["attention", "dense", "sparse"] if most_pairs else ["attention", "fused", "sparse"]
