"""The choice of an executor, made once when edges are drawn."""

from __future__ import annotations

import logging
from typing import Literal, NamedTuple

import torch

from badger_graph.channels import Channel, ClearChannel
from badger_graph.executors.base import Executor, once_for_an_index, versions
from badger_graph.executors.dense import DenseExecutor
from badger_graph.executors.fused import FusedExecutor
from badger_graph.executors.masked import MaskedExecutor
from badger_graph.executors.reference import ReferenceExecutor
from badger_graph.executors.sparse import SparseExecutor
from badger_graph.executors.wires import WiresExecutor
from badger_graph.policies import ExpertPolicy
from badger_graph.typing import Edges
from topologies.edges import check_ends, check_form, check_graphs
from topologies.recent import Recent
from topologies.wires import Wires, check_wires

ExecutorName = Literal["auto", "reference", "dense", "sparse", "fused", "attention", "wires"]

EXECUTORS: dict[str, type[Executor]] = {
    executor.name: executor
    for executor in (
        *(ReferenceExecutor, DenseExecutor, SparseExecutor),
        *(FusedExecutor, MaskedExecutor, WiresExecutor),
    )
}

DENSE_UP_TO = 64
"""Experts per agent up to which one dense product beats sums over neighbours."""

_log = logging.getLogger(__name__)


def prepare(
    edges: Edges | Wires,
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
            ``"wires"``: means on wires, for a policy that hears wires;
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
        obstacle = _obstacle(EXECUTORS[name], policy, channel, edges)
        if obstacle is None:
            _log.info("executor %s for %d agents of %d experts", name, batch_size, num_experts)
            return EXECUTORS[name](edges, batch_size, num_experts)  # type: ignore[arg-type]
        obstacles.append(f"executor {name!r} needs {obstacle}")
    raise ValueError(obstacles[0])


def _obstacle(
    executor: type[Executor], policy: ExpertPolicy, channel: Channel, edges: Edges | Wires
) -> str | None:
    if isinstance(edges, Wires) and executor is not WiresExecutor:
        return "edges between experts, got wires"
    if policy.num_wires and not isinstance(edges, Wires):
        who = f"as a {type(policy).__name__} hears {policy.num_wires} wires"
        return f"a topology of wires, such as CrossbarTopology, {who}, got edges"
    return executor.obstacle(policy, channel, edges)  # type: ignore[arg-type]


def preferences(edges: Edges | Wires, batch_size: int, num_experts: int) -> list[str]:
    """The executors by speed for these edges, the fastest first.

    A mask for who can use it; one operator for a whole round; of the others dense products for few
    experts or where most hear most, else sums over neighbours.
    """
    if isinstance(edges, Wires):
        return ["wires"]
    few = num_experts <= DENSE_UP_TO
    most_pairs = 2 * edges.index.size(1) >= batch_size * num_experts**2
    if few:
        return ["attention", "fused", "dense", "sparse"]
    return ["attention", "dense", "sparse"] if most_pairs else ["attention", "fused", "sparse"]


class Preparation:
    """Checks edges and prepares them; what a topology draws once is prepared once."""

    def __init__(self) -> None:
        self._recent: Recent[_Entry] = Recent()

    def __call__(
        self,
        edges: Edges | Wires,
        batch_size: int,
        num_experts: int,
        executor: ExecutorName,
        policy: ExpertPolicy,
        channel: Channel,
        every_step: bool = False,
    ) -> Executor:
        """The edges of a batch of agents, prepared in the precision of the policy.

        Args:
            every_step: whether others come in the next step; what is costly is then not checked.

        Raises:
            ValueError: when the edges are not ones of these agents, or on another device.
        """
        if isinstance(edges, Wires):
            check_wires(edges, batch_size, num_experts)
            return prepare(edges, batch_size, num_experts, executor, policy, channel)
        check_form(edges)
        # A topology drawn once returns the same tensors at every reset.
        like = next(policy.parameters())
        who = (executor, type(policy), type(channel))
        key = (batch_size, num_experts, like.dtype, like.device, *who)
        entry = self._recent.get(key)
        if entry is not None and entry.is_of(edges):
            return entry.executor
        raw = edges
        if edges.index.device != like.device:
            raise ValueError(
                f"edges must be on the agent's device, {like.device}, got {edges.index.device}"
            )
        # What is kept must be fit for training, even if first used in inference mode.
        with torch.inference_mode(False):
            index, weight = (part.clone() if part.is_inference() else part for part in edges)
            edges = Edges(index, weight.to(like.dtype))
            if not every_step:
                check_graphs(edges, batch_size, num_experts)
            elif like.device.type == "cpu":  # elsewhere a synchronisation
                _check_ends_once(edges.index, batch_size, num_experts)
            prepared = prepare(edges, batch_size, num_experts, executor, policy, channel)
        if not edges.weight.requires_grad:  # else their whole rollout would be kept alive
            self._recent.keep(key, _Entry(raw, versions(raw), prepared), len(edges.weight))
        return prepared


class _Entry(NamedTuple):
    edges: Edges
    versions: tuple[int, ...]
    executor: Executor

    def is_of(self, edges: Edges) -> bool:
        """Whether it was prepared of these very tensors, as they are now.

        A graph that was rewired, by assignment or in place, is noticed.
        """
        same = self.edges.index is edges.index and self.edges.weight is edges.weight
        return same and self.versions == versions(edges)


_check_ends_once = once_for_an_index(check_ends)
