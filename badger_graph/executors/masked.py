"""Who may attend to whom, for the policy that attends."""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Bool
from torch import Tensor

from badger_graph.channels import Channel, ClearChannel
from badger_graph.executors.base import Executor, Send
from badger_graph.policies import ExpertPolicy
from badger_graph.policies.base import Neighbours
from badger_graph.typing import Edges


class MaskedExecutor(Executor):
    """The edges as one mask for each agent; none where every expert hears every other.

    Attention itself is part of the policy, which carries out its own rounds, and is who decides
    who is heard how much: edges have no weights.

    Shapes:
        - **visible:** ``[B, N, N]``, whether expert i hears expert j; always itself
    """

    name: ClassVar[str] = "attention"

    def __init__(self, edges: Edges, batch_size: int, num_experts: int) -> None:
        super().__init__(edges, batch_size, num_experts)
        visible = _visible(edges, batch_size, num_experts)
        self.visible = None if visible.all() else visible

    @classmethod
    def obstacle(cls, policy: ExpertPolicy, channel: Channel, edges: Edges) -> str | None:
        if not policy.attends:
            return f"an AttentionPolicy, got {type(policy).__name__}"
        if not isinstance(channel, ClearChannel):
            return f"a ClearChannel, got {type(channel).__name__}"
        if edges.weight.requires_grad:
            return "edges of weight 1, got weights to learn"
        others = edges.weight[edges.weight != 1]
        return f"edges of weight 1, got one of {others[0].item():g}" if len(others) else None

    def neighbours(self, policy: ExpertPolicy, send: Send | None) -> Neighbours:
        assert send is None  # refused as an obstacle
        return self.visible


def _visible(edges: Edges, batch_size: int, num_experts: int) -> Bool[Tensor, "B N N"]:
    source, target = edges.index
    itself = torch.eye(num_experts, dtype=torch.bool, device=edges.index.device)
    visible = itself.repeat(batch_size, 1)
    visible[target, source % num_experts] = True
    return visible.view(batch_size, num_experts, num_experts)
