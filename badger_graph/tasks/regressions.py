"""Numbers to say about examples, made up: what a policy for real regressions is trained on."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from badger_graph.ranges import Range
from badger_graph.scaling import scale_online
from badger_graph.tasks.draws import (
    Draw,
    bend,
    factors,
    in_units,
    mix_factors,
    mixing_matrix,
    random_waves,
    relevant,
)
from badger_graph.tasks.examples import REGRESSION, Regression
from badger_graph.tasks.made_up import MadeUpExamples
from topologies.checks import PROBABILITY, checked, size

FEW_INPUTS = 1
"""With so many, what is not linear can be learned from a hundred examples."""

DEFAULT_INPUTS: Range = [1, 20]

DEFAULT_EXAMPLES: Range = [10, 60]


class Regressions(MadeUpExamples):
    r"""Which number belongs to an example? Functions of many kinds, a new one in every life.

    A function is linear in its inputs, or a sample of a Gaussian process with a squared exponential
    kernel of length :math:`\ell\sqrt n`, :math:`\ell` from 0.2 to 2, or kinked, a layer of
    rectifiers; of variance about one, with noise of a deviation of up to a half. In 2 of 5
    outer steps inputs are correlated, of any unit, sometimes missing, and scaled with the targets
    by what was shown so far, as :class:`badger_graph.OnlineRegressor` does with real ones; in the
    others both come as they are. The error is the squared one, that of always saying zero being
    about one; how examples are shown and told is said by :class:`badger_graph.tasks.Regression`.

    Args:
        num_inputs: n, a number, or a range to draw from in every outer step.
        num_examples: T, likewise, evenly in its logarithm.
        few_inputs: this part of the outer steps has one input, where ``num_inputs`` may be so few,
            and then mostly functions that are not linear.
        most_numbers: a batch is made smaller where its inputs, outputs and examples multiply to
            more than this.

    Raises:
        ValueError: for an empty range, a number below 1, or a part that is no probability.
    """

    interface = REGRESSION

    @checked(few_inputs=PROBABILITY, most_numbers=size(most=2**30))
    def __init__(
        self,
        num_inputs: Range = DEFAULT_INPUTS,
        num_examples: Range = DEFAULT_EXAMPLES,
        few_inputs: float = 0.3,
        most_numbers: int = 15_000,
    ) -> None:
        super().__init__(num_inputs, num_examples, few_inputs, most_numbers)

    @checked(batch_size=size(), num_outputs=size())
    def sample(
        self, batch_size: int, num_outputs: int, generator: Generator | None = None
    ) -> Regression:
        """Sample a batch of regressions, as many as there is room for, of as many examples each.

        Args:
            batch_size: regressions B, at most.
            num_outputs: numbers d to say of each example.
            generator: source of the random draws; the regressions are on its device.
        """
        draw = Draw(generator)
        sizes, few = self.draw_sizes(draw, batch_size, num_outputs, FEW_INPUTS)
        as_they_are = draw.chance(0.6)
        if as_they_are:
            even = draw.chance(0.5)
            inputs = 4 * (draw.uniform(*sizes) - 0.5) if even else draw.normal(*sizes)
        else:
            hidden = factors(draw, sizes, even=draw.chance(0.4))
            inputs = mix_factors(hidden, mixing_matrix(draw, *sizes[1:]))
        kind = draw.number()
        if kind < (0.7 if few else 0.1):
            length = 0.2 * 10 ** draw.uniform(sizes[1], 1, 1) * math.sqrt(sizes[2])
            value = random_waves(draw, inputs, length, num_outputs)
        elif kind < (0.8 if few else 0.2):
            value = _kinked(draw, inputs, num_outputs)
        else:
            value = _linear(draw, inputs, num_outputs)
        noise = draw.uniform(sizes[1], 1).pow(3) * 0.5 * draw.normal(*value.shape)
        truth = value + noise
        if not as_they_are:
            inputs, truth = scale_online(in_units(draw, bend(draw, inputs))), scale_online(truth)
        return Regression(inputs, truth)


def _linear(draw: Draw, inputs: Float[Tensor, "T B n"], num: int) -> Float[Tensor, "T B d"]:
    _, batch_size, num_inputs = inputs.shape
    weight = draw.normal(batch_size, num_inputs, num) / math.sqrt(num_inputs)
    if draw.chance(0.3):
        weight = weight * relevant(draw, batch_size, num_inputs, 0.3)[..., None]
    offset = draw.normal(batch_size, num) * draw.uniform(batch_size, 1) * draw.chance(0.5)
    return torch.einsum("tbn,bnd->tbd", inputs, weight) + offset


def _kinked(draw: Draw, inputs: Float[Tensor, "T B n"], num: int) -> Float[Tensor, "T B d"]:
    """A layer of rectifiers."""
    _, batch_size, num_inputs = inputs.shape
    weight = draw.normal(batch_size, num_inputs, 8) / math.sqrt(num_inputs)
    units = (torch.einsum("tbn,bnw->tbw", inputs, weight) + draw.normal(batch_size, 8)).relu()
    value = torch.einsum("tbw,bwd->tbd", units, draw.normal(batch_size, 8, num))
    return (value - value.mean(dim=0)) / (value.std(dim=0) + 0.1)
