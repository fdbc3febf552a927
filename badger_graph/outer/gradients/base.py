"""What every gradient of the outer loop is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from lightning import Trainer

from badger_graph.outer.curriculum import Curriculum, Lesson
from badger_graph.outer.objective import Objective, Outcome


class OuterGradient(ABC):
    """How an outer step comes by the gradient of the meta-loss by the weights.

    Every constructor argument is kept in the attribute of its name, as plain data or as a module,
    which a checkpoint describes.
    """

    largest_norm: float | None = None
    """An outer step whose gradient is longer, or not finite, is passed over."""

    @abstractmethod
    def __call__(self, objective: Objective, seed: int, lesson: Lesson) -> Outcome:
        """An outcome whose ``meta_loss.backward()`` leaves the gradient on the weights.

        Args:
            objective: the meta-loss as a function of the weights.
            seed: of the batch of lives.
            lesson: what they are like.
        """

    def check(self, objective: Objective, curriculum: Curriculum | None) -> None:  # noqa: B027
        """Refuse, when a learner is made, what this way cannot do.

        Raises:
            ValueError: says what was found.
        """

    def begin(self, trainer: Trainer) -> None:  # noqa: B027
        """Refuse, when a fit begins, what this way cannot do; and forget what was of an earlier.

        Raises:
            ValueError: says what was found.
        """

    def state_dict(self) -> dict[str, Any]:
        """What a run that goes on needs to know, as tensors and plain data."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:  # noqa: B027
        """Go on from a :meth:`state_dict`."""
