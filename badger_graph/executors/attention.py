"""Who may attend to whom, for the policy that attends."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from badger_graph.executors.base import Wiring
from badger_graph.typing import Edges


class AttentionWiring(Wiring):
    """The edges as one mask for each agent; none where every expert hears every other.

    Attention itself is part of the policy, which carries out its own rounds.

    Shapes:
        - **heard:** ``[B, N, N]``, whether expert i hears expert j; always itself

    Raises:
        ValueError: for weighted edges: attention decides who is heard how much.
    """

    executor: ClassVar[str] = "attention"

    def __init__(self, edges: Edges, batch_size: int, num_experts: int) -> None:
        super().__init__(edges, batch_size, num_experts)
        unlike = edges.weight[edges.weight != 1]
        if len(unlike):
            raise ValueError(
                f"executor 'attention' needs edges of weight 1, got one of {unlike[0].item():g}"
            )
        if edges.weight.requires_grad:
            raise ValueError("executor 'attention' needs edges of weight 1, got weights to learn")
        heard = _heard(edges, batch_size, num_experts)
        self.heard = None if heard.all() else heard

    def round(
        self,
        policy: Any,
        hidden: Float[Tensor, "V H"],
        percept: Float[Tensor, "V P"],
        identifier: Float[Tensor, "V I"],
    ) -> tuple[Float[Tensor, "V H"], Float[Tensor, " V"]]:
        raise ValueError(
            f"executor 'attention' needs an AttentionPolicy, got {type(policy).__name__}"
        )


def _heard(edges: Edges, batch_size: int, num_experts: int) -> Bool[Tensor, "B N N"]:
    source, target = edges.index
    itself = torch.eye(num_experts, dtype=torch.bool, device=edges.index.device)
    heard = itself.repeat(batch_size, 1)
    heard[target, source % num_experts] = True
    return heard.view(batch_size, num_experts, num_experts)
