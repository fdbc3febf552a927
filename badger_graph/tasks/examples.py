"""Worlds of examples, one after the other: each is shown, answered, and then its truth is told."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from badger_graph.actions import Distribution
from badger_graph.tasks.base import Task
from badger_graph.typing import Interface, Observation
from topologies.checks import brief, checked

CLASSIFICATION = Interface(feedback=0, input=4, output=2, action=Distribution())
"""An agent says how probable each class is."""

REGRESSION = Interface(feedback=0, input=4, output=2)
"""An agent says a number for each output."""

LEAST_PROBABILITY = 1e-7
"""What an agent can lose by one answer is finite."""


class Examples(Task, ABC):
    """One batch of sequences of examples, as many in each.

    An input shows, in four channels, a number of the example that was answered last and whether it
    is known, and the same of the example to be answered now; an output is told, in two, the truth
    about the last one, and whether it is told. So an agent learns of an example and answers the
    next in one inner step. A number that is missing, or not told, is shown as 0.

    The state of the task is the number of examples that were answered. A life that is longer than T
    begins with the first example again.

    Args:
        inputs: the examples, ``[T, B, n]``; NaN where a number is missing.
        truth: the right answers, ``[T, B, d]``; NaN where it is not told. An answer counts as no
            error unless all its outputs are told.

    Raises:
        ValueError: when the two are not of the same T and B, or there is no example, no input or
            no output, or an input is infinite.
    """

    num_steps: int

    @checked()
    def __init__(self, inputs: Float[Tensor, "T B n"], truth: Float[Tensor, "T B d"]) -> None:
        for name, value in (("inputs", inputs), ("truth", truth)):
            if value.dim() != 3 or not value.numel() or value.isinf().any():
                raise ValueError(
                    f"the {name} of examples must be finite or missing (NaN) and [T, B, any], at "
                    f"least one, got {brief(value)}"
                )
        if inputs.shape[:2] != truth.shape[:2]:
            raise ValueError(
                "every example must have a truth, so inputs and truth the same T and B, got "
                f"{list(inputs.shape)} and {list(truth.shape)}"
            )
        self.num_steps, self.batch_size, self.num_inputs = inputs.shape
        self.num_outputs = truth.size(2)
        self.inputs = inputs
        self.truth = truth
        self._shown = torch.stack([inputs.nan_to_num(), (~inputs.isnan()).to(inputs)], dim=-1)

    @abstractmethod
    def error(
        self, answer: Float[Tensor, "B d"], truth: Float[Tensor, "B d"]
    ) -> Float[Tensor, " B"]:
        """How wrong an answer is, where the whole truth is told."""

    def reset(self, generator: torch.Generator | None = None) -> tuple[int, Observation]:
        last = torch.zeros_like(self._shown[0])
        return 0, self._observation(
            last, self._example(0), torch.full_like(self.truth[0], math.nan)
        )

    def step(
        self, state: int, action: Float[Tensor, "B d"], generator: torch.Generator | None = None
    ) -> tuple[int, Observation, Float[Tensor, " B"]]:
        truth = self.truth[state % self.num_steps]
        told = truth.isnan().logical_not().all(dim=1)
        error = torch.where(told, self.error(action, truth.nan_to_num()), 0.0)
        after = state + 1
        observation = self._observation(self._example(state), self._example(after), truth)
        return after, observation, error

    def _example(self, number: int) -> Float[Tensor, "B n 2"]:
        """After the last comes the first again."""
        return self._shown[number % self.num_steps]

    def _observation(self, last: Tensor, following: Tensor, truth: Tensor) -> Observation:
        told = truth.isnan().logical_not().to(truth)
        return Observation(
            truth.new_zeros(self.batch_size, 0),
            torch.cat([last, following], dim=-1),
            torch.stack([truth.nan_to_num(), told], dim=-1),
        )


@final
class Classification(Examples):
    r"""Examples with classes; the truth is one-hot.

    .. math::
        e = -\frac{1}{\log d} \sum_j t_j \log a_j

    with :math:`a_j` at least :data:`LEAST_PROBABILITY`, so 1 is the error of knowing nothing. With
    a single class the error is in units of log 2.
    """

    def error(
        self, answer: Float[Tensor, "B d"], truth: Float[Tensor, "B d"]
    ) -> Float[Tensor, " B"]:
        log = answer.clamp_min(LEAST_PROBABILITY).log()
        return -(truth * log).sum(dim=1) / math.log(max(self.num_outputs, 2))


@final
class Regression(Examples):
    r"""Examples with numbers to say.

    .. math::
        e = \frac{1}{d} \sum_j (a_j - t_j)^2

    Targets of mean zero and variance one make 1 the error of always saying zero.
    """

    def error(
        self, answer: Float[Tensor, "B d"], truth: Float[Tensor, "B d"]
    ) -> Float[Tensor, " B"]:
        return (answer - truth).square().mean(dim=1)
