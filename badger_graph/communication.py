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
) -> tuple[Float[Tensor, "V H"], Float[Tensor, " V"]]:
    """Let the experts exchange messages and update their states a fixed number of times.

    Returns:
        Their new states, and what every expert says to the world.

    Source: Rosa et al. 2019, "Inner Loop", paragraph "Communication Stage".
    """
    for _ in range(rounds - 1):
        hidden = policy(hidden, percept, identifier, wiring)
    return wiring.last_round(policy, hidden, percept, identifier)
