"""The reference: PyG's own gather and scatter."""

from __future__ import annotations

from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from badger_graph.executors.base import TorchExecutor
from badger_graph.policies import MessagePolicy


class ReferenceExecutor(TorchExecutor):
    """Edges as PyG takes them: the message passing that every other executor is held to."""

    name: ClassVar[str] = "reference"

    def exchange(self, policy: MessagePolicy, sent: Float[Tensor, "V M"]) -> Float[Tensor, "V M"]:
        return policy.exchange(sent, self.edges)
