"""What the inner loop carries from step to step."""

from __future__ import annotations

from typing import Any, NamedTuple

from jaxtyping import Float
from torch import Tensor

from badger_graph.executors.base import Wiring


class Life(NamedTuple):
    """The agents of a batch as the inner loop carries them on; a PyG graph in plain tensors.

    ``traits`` and ``ports`` are what the policy makes of the experts' identifiers and the membrane
    of the outputs' addresses, once in a life.

    Shapes:
        - **hidden:** ``[V, H]``; **action:** ``[B, d]``
    """

    hidden: Float[Tensor, "V H"]
    action: Float[Tensor, "B d"]
    traits: Any
    ports: Any
    wiring: Wiring
