"""Which class is it? A guess is told to be right or wrong, and nothing else ever."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from badger_graph.ranges import Range, between, check_range
from badger_graph.tasks.base import Task, TaskFamily
from badger_graph.tasks.draws import Draw
from badger_graph.tasks.examples import CLASSIFICATION, LEAST_PROBABILITY
from badger_graph.typing import Observation
from topologies.checks import PROBABILITY, check, checked, size

DEFAULT_STEPS: Range = [10, 100]


class ClassGuessing(TaskFamily):
    r"""One of d classes is right for a whole life; which, the agent finds out by guesses.

    It says how probable each class is, a guess is drawn from that, and told to be right or wrong.
    So it is a guessing game in the world of :class:`badger_graph.Tables`: without inputs, and with
    the truth about one class at a time. The error is the probability of a wrong guess, in units of
    that of knowing nothing,

    .. math::
        e = \frac{1 - a_c}{1 - 1 / d}

    with c the class. A wrong class is told to be right with probability ``noise`` :math:`/ 2`, and
    the right one to be wrong as often; how often, differs from life to life.

    Args:
        num_steps: T, a number, or a range to draw from in every outer step, evenly in its
            logarithm.
        noise: this part of what is told, at most, has nothing to do with the class.

    Raises:
        ValueError: for an empty range, a number below 1, or ``noise`` that is no probability.
    """

    interface = CLASSIFICATION

    @checked(noise=PROBABILITY)
    def __init__(self, num_steps: Range = DEFAULT_STEPS, noise: float = 0.2) -> None:
        check_range("num_steps", num_steps)
        self.num_steps = num_steps
        self.noise = noise

    @property
    def chance(self) -> float:
        return 1.0

    @checked(batch_size=size(), num_outputs=size(2))
    def sample(
        self, batch_size: int, num_outputs: int, generator: Generator | None = None
    ) -> Guesses:
        """Sample a batch of classes to guess.

        Args:
            batch_size: lives B.
            num_outputs: classes d, at least two.
            generator: source of the random draws; the classes are on its device.
        """
        draw = Draw(generator)
        right = torch.nn.functional.one_hot(draw.labels(num_outputs, batch_size), num_outputs)
        share = self.noise * draw.uniform(batch_size, 1)
        value = (1 - share) * right + share / 2
        return Guesses(value, between(self.num_steps, draw.number()))


class Guesses(Task):
    r"""One batch of lives in which guesses are told to be right as often as their class says.

    With values :math:`\mu` the expected error of probabilities a is

    .. math::
        e = \frac{\max_j \mu_j - \sum_j a_j \mu_j}{\max_j \mu_j - \operatorname{mean}_j \mu_j}

    Its state is nothing. Where the values are those of the arms of a bandit it is one, put before
    an agent that was made for tables.

    Args:
        value: how often a guess of each class is told to be right, ``[B, d]``.
        num_steps: guesses T of a life.

    Raises:
        ValueError: for no guesses, less than two classes, or values that are no probabilities.
    """

    num_steps: int
    stochastic = True

    @checked(num_steps=size())
    def __init__(self, value: Float[Tensor, "B d"], num_steps: int) -> None:
        self.batch_size, self.num_outputs = value.shape
        check("the number of classes", self.num_outputs, *size(2))
        right = value.isfinite() & (value >= 0) & (value <= 1)
        if not right.all():
            raise ValueError(f"the values must be probabilities, got {float(value[~right][0])}")
        self.value = value
        self.num_steps = num_steps

    def reset(self, generator: Generator | None = None) -> tuple[None, Observation]:
        nothing = torch.zeros_like(self.value)
        return None, self._observation(nothing, nothing)

    def step(
        self, state: None, action: Float[Tensor, "B d"], generator: Generator | None = None
    ) -> tuple[None, Observation, Float[Tensor, " B"]]:
        chance = action.detach().clamp_min(LEAST_PROBABILITY)  # who says nothing guesses blindly
        guess = chance.multinomial(1, generator=generator)
        told = torch.zeros_like(self.value).scatter(1, guess, 1.0)
        right = self.value.gather(1, guess).clamp(0, 1).bernoulli(generator=generator)
        best = self.value.amax(dim=1)
        loss = best - (action * self.value).sum(dim=1)
        blind = (best - self.value.mean(dim=1)).clamp_min(1e-6)
        return None, self._observation(told * right, told), loss / blind

    def _observation(self, right: Tensor, told: Tensor) -> Observation:
        return Observation(
            self.value.new_zeros(self.batch_size, 0),
            self.value.new_zeros(self.batch_size, 0, 4),
            torch.stack([right, told], dim=-1),
        )
