"""What all games of guessing numbers share: how a guess is scored and what is told about it."""

from __future__ import annotations

from abc import ABC
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from badger_graph.tasks.base import SeparableFamily, Task
from badger_graph.typing import Interface, Observation
from topologies.checks import checked, size


class HiddenTarget(SeparableFamily, ABC):
    r"""Numbers to guess from how wrong the last guess was.

    The error of a guess :math:`x` of the target :math:`t` is

    .. math::
        e(x) = \frac{1}{d} \sum_{j=1}^d |x_j - t_j|^q, \qquad q = 2 \text{ (MSE) or } 1 \text{ (L1)}

    A game says what the targets are. The feedback has one channel for the agent and one for each
    output; the one that is not in use is zero.

    Args:
        error: what a guess is scored by, in the feedback and in the meta-loss.
        feedback: ``"scalar"``: one number for the agent; ``"per_output"``: each output's own error.
        bins: pass the feedback on in so many equal bins of [0, 1], as the middle of its bin;
            errors above 1 fall in the last one, and no gradient flows through it.

    Raises:
        ValueError: for an unknown error or feedback, or fewer than two bins.
    """

    interface = Interface(feedback=1, output=1)

    @checked(bins=size(2))
    def __init__(
        self,
        error: Literal["mse", "l1"] = "mse",
        feedback: Literal["scalar", "per_output"] = "scalar",
        bins: int | None = None,
    ) -> None:
        self.error = error
        self.feedback = feedback
        self.tells_outputs_alone = feedback == "per_output"
        self.bins = bins

    def output_errors(
        self, action: Float[Tensor, "*any d"], target: Float[Tensor, "*any d"]
    ) -> Float[Tensor, "*any d"]:
        difference = action - target
        return difference.square() if self.error == "mse" else difference.abs()

    def quantise(self, error: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
        """An error as the agent gets to see it: as it is, or in bins."""
        if self.bins is None:
            return error
        return ((error * self.bins).floor().clamp(0, self.bins - 1) + 0.5) / self.bins


class GuessingTask(Task):
    """One batch of numbers to guess; has no state.

    Args:
        target: the numbers, ``[B, d]``.
        family: how a guess is scored, and what is told about it.
    """

    @checked()
    def __init__(self, target: Float[Tensor, "B d"], family: HiddenTarget) -> None:
        self.batch_size, self.num_outputs = target.shape
        self.target = target
        self.family = family
        self.no_inputs = target.new_zeros(self.batch_size, 0, 0)

    def repeat(self, times: int) -> GuessingTask:
        return GuessingTask(self.target.repeat_interleave(times, 0), self.family)

    def reset(self, generator: torch.Generator | None = None) -> tuple[None, Observation]:
        _, observation, _ = self.step(None, torch.zeros_like(self.target))
        return None, observation

    def step(
        self,
        state: None,
        action: Float[Tensor, "B d"],
        generator: torch.Generator | None = None,
    ) -> tuple[None, Observation, Float[Tensor, " B"]]:
        errors = self.family.output_errors(action, self.target)
        error = errors.mean(dim=1)
        if self.family.feedback == "scalar":
            feedback, outputs = self.family.quantise(error), torch.zeros_like(errors)
        else:
            feedback, outputs = torch.zeros_like(error), self.family.quantise(errors)
        return None, Observation(feedback[:, None], self.no_inputs, outputs[..., None]), error
