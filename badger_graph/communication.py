"""The communication stage: the rounds inside one inner-loop step."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from badger_graph.executors.base import Wiring
from badger_graph.policies import ExpertPolicy


def communicate(
    policy: ExpertPolicy,
    hidden: Float[Tensor, "V H"],
    percept: Float[Tensor, "V P"],
    identifier: Float[Tensor, "V I"],
    wiring: Wiring,
    rounds: int,
) -> Float[Tensor, "V H"]:
    """Let the experts exchange messages and update their states a fixed number of times.

    Source: Rosa et al. 2019, "Inner Loop", paragraph "Communication Stage".
    """
    for _ in range(rounds):
        hidden = policy(hidden, percept, identifier, wiring)
    return hidden
