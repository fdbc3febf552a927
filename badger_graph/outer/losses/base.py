"""What every meta-loss is."""

from __future__ import annotations

from abc import ABC, abstractmethod

from jaxtyping import Float
from torch import Tensor

from badger_graph.rollout import Rollout
from topologies.checks import brief


class MetaLoss(ABC):
    """One number for the lives of a batch of agents: for their errors, or for how they lived.

    Every constructor argument is kept as plain data in the attribute of its name.
    """

    signed: bool = False
    """Whether it may be negative, so that it has no logarithm."""

    @abstractmethod
    def __call__(self, rollout: Rollout) -> Float[Tensor, ""]:
        """The meta-loss of a rollout; gradients flow through its errors and states."""


def check_errors(rollout: Rollout) -> None:
    """Refuse what is no rollout with errors.

    Raises:
        ValueError: when it is none, or its errors are no tensor [T, B], or there are none.
    """
    loss = rollout.loss if isinstance(rollout, Rollout) else rollout
    if not isinstance(rollout, Rollout) or loss.dim() != 2 or not loss.numel():
        raise ValueError(
            "a meta-loss must get a Rollout, its loss the errors [T, B], at least one, "
            f"got {brief(loss)}"
        )
