"""Actions that are real numbers."""

from __future__ import annotations

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from badger_graph.actions.base import Action


@final
class Real(Action):
    """Every output does its score: d real numbers, such as guesses."""

    def decide(
        self, score: Float[Tensor, "B d"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "B d"]:
        return score
