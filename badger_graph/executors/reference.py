"""The reference: PyG's own gather and scatter."""

from __future__ import annotations

from typing import Any, ClassVar

from jaxtyping import Float
from torch import Tensor

from badger_graph.executors.base import TorchWiring


class ReferenceWiring(TorchWiring):
    """Edges as PyG takes them: the message passing that every other executor is held to."""

    executor: ClassVar[str] = "reference"

    def exchange(self, policy: Any, sent: Float[Tensor, "V M"]) -> Float[Tensor, "V M"]:
        return policy.exchange(sent, self.edges)
