"""What every expert policy is: the weights that all experts share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

Neighbours = Callable[[Tensor], Tensor] | Tensor | None
"""How experts hear each other, as the executor has prepared it: of a policy that sends messages,
the function that carries them, ``[V, M]`` to ``[V, M]``, or on K wires to ``[V, K M]``; of one that
attends, who may hear whom, ``[B, N, N]``, or none where all hear all."""


class ExpertPolicy(nn.Module, ABC):
    """The policy that every expert of an agent runs, each on its own hidden state.

    No weight depends on the number of experts. A policy whose messages travel along edges derives
    from :class:`badger_graph.MessagePolicy`.

    An agent builds its policy: ``policy(percept_size=, identifier_size=, hidden_size=)``, with the
    sizes that its membrane and itself say, so the first three arguments of a policy have these
    names.
    """

    percept_size: int | tuple[int, ...]
    """What the membrane shows: so many channels, or so many of each kind."""

    identifier_size: int
    """Channels I that tell experts apart; 0 for none."""

    hidden_size: int
    """Size H of an expert's state."""

    aggregation: str = "mean"
    """What an expert hears of several messages."""

    usual_sizes: ClassVar[dict[str, int]] = {"identifier_size": 12, "hidden_size": 32}
    """What the command line gives an agent of this policy, where nobody says otherwise."""

    attends: ClassVar[bool] = False
    """Whether it is told who may hear whom, and does the rest of an exchange itself."""

    num_wires: ClassVar[int] = 0
    """So many wires every expert is on and hears apart; 0 of a policy that hears along edges."""

    num_kinds: int = 1
    """So many kinds of experts there are, and expert n is of kind n modulo this number."""

    def traits(self, identifier: Float[Tensor, "V I"], kind: Int[Tensor, " V"]) -> Any:
        """What the policy makes of identifiers and kinds, once in a life; the rounds take it.

        They are taken as they are, where a policy does not say otherwise.
        """
        return identifier

    @abstractmethod
    def round(
        self, hidden: Float[Tensor, "V H"], percept: Any, traits: Any, neighbours: Neighbours
    ) -> tuple[Float[Tensor, "V H"], Tensor]:
        """One communication round: the next states, and what is said to the world."""

    @abstractmethod
    def messages(self, hidden: Float[Tensor, "V H"], traits: Any) -> Float[Tensor, "V M"]:
        """What each expert sends in the next round, for pictures and analysis."""


def silent_network(num_inputs: int) -> nn.Sequential:
    """A small network that says one number, 0 until it is trained."""
    last = nn.Linear(num_inputs, 1)
    for parameter in last.parameters():
        nn.init.zeros_(parameter)
    return nn.Sequential(nn.Linear(num_inputs, num_inputs), nn.Tanh(), last)


def scale_weights(module: nn.Module, gain: float) -> None:
    """Multiply all weights and biases at the start by one factor."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(gain)
