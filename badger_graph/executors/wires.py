"""Experts on wires that they share: sums on wires, without a tensor of pairs."""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from badger_graph.channels import Channel
from badger_graph.executors.base import Executor, Send
from badger_graph.policies import ExpertPolicy
from badger_graph.policies.base import Neighbours
from badger_graph.typing import Edges
from topologies.wires import Wires


class WiresExecutor(Executor):
    r"""The mean on every wire once, which all who are on it hear.

    .. math::
        \bar m_w = \frac{1}{|w|} \sum_{j \in w} m_j, \qquad
        \text{expert i hears} \quad [\bar m_{w(i, 1)}, \dots, \bar m_{w(i, K)}]

    It serves topologies that return :class:`topologies.Wires`, to a policy that hears as many.

    Args:
        edges: the wires of the whole batch.
        batch_size: agents B.
        num_experts: experts N of each.
    """

    name: ClassVar[str] = "wires"

    def __init__(self, edges: Wires, batch_size: int, num_experts: int) -> None:
        self.wires = self.links = edges
        self.batch_size = batch_size
        self.num_experts = num_experts
        self.share = 1 / edges.members().clamp(min=1)[:, None]

    @property
    def edges(self) -> Edges:  # type: ignore[override]  # made only for who asks
        return self.wires.to_edges()

    @classmethod
    def obstacle(cls, policy: ExpertPolicy, channel: Channel, edges: Edges | Wires) -> str | None:
        if not isinstance(edges, Wires):
            return "a topology of wires, such as CrossbarTopology, got edges"
        if policy.num_wires != len(edges.wire):
            return (
                f"a policy that hears {len(edges.wire)} wires, such as WiredFastWeightPolicy, "
                f"got a {type(policy).__name__}"
            )
        return None

    def neighbours(self, policy: ExpertPolicy, send: Send | None) -> Neighbours:
        def exchange(sent: Float[Tensor, "V M"]) -> Float[Tensor, "V KM"]:
            sent = sent if send is None else send(sent)
            wire, num_wires = self.wires
            total = sent.new_zeros(num_wires, sent.size(1))
            for ends in wire:
                total = total.index_add(0, ends, sent)
            mean = total * self.share.to(sent)
            return torch.cat([mean.index_select(0, ends) for ends in wire], dim=1)

        return exchange
