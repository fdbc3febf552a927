"""The communication stage: the rounds inside one inner-loop step."""

from __future__ import annotations

from typing import Any

from jaxtyping import Float
from torch import Tensor

from badger_graph.executors.base import Wiring
from badger_graph.policies import ExpertPolicy
from topologies.checks import checked


@checked()
def communicate(
    policy: ExpertPolicy,
    hidden: Float[Tensor, "V H"],
    percept: Any,
    traits: Any,
    wiring: Wiring,
    rounds: int,
) -> tuple[Float[Tensor, "V H"], Tensor]:
    """Let the experts exchange messages and update their states a fixed number of times.

    Returns:
        Their new states, and what is said to the world in the last round.

    Source: Rosa et al. 2019, "Inner Loop", paragraph "Communication Stage".
    """
    said = hidden
    for _ in range(rounds):
        hidden, said = policy(hidden, percept, traits, wiring)
    return hidden, said
