"""What every kind of action is: the meaning of an agent's scores."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor


class Action(ABC):
    """Turns the score of each output into what the agent does. Has no state and no weights."""

    @abstractmethod
    def decide(
        self, score: Float[Tensor, "B d"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "B d"]:
        """The action of the agents with these scores.

        Args:
            score: what the membrane makes of all that experts say, of each output.
            generator: source of the random draws, on the device of ``score``.
        """

    def log_probability(
        self, score: Float[Tensor, "*any d"], action: Float[Tensor, "*any d"]
    ) -> Float[Tensor, "*any"]:
        """How probable an action is with these scores, in logarithm.

        Args:
            score: as :meth:`decide` took it.
            action: as it gave it.

        Raises:
            ValueError: when nothing is left to chance.
        """
        raise ValueError(
            f"a {type(self).__name__} is not drawn at random, so it has no probability"
        )

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(type(self))

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({arguments})"
