"""Linear functions of normal inputs: where the best possible learner is known."""

from __future__ import annotations

import math

from torch import Generator

from badger_graph.ranges import Range
from badger_graph.tasks.draws import Draw
from badger_graph.tasks.examples import REGRESSION, Regression
from badger_graph.tasks.made_up import MadeUpExamples
from topologies.checks import checked, size

DEFAULT_INPUTS: Range = [1, 20]

DEFAULT_EXAMPLES: Range = [10, 60]


class LinearFunctions(MadeUpExamples):
    r"""Which number belongs to an example, :math:`t = w^\top x`? A new w in every life.

    .. math::
        x \sim \mathcal{N}(0, I), \qquad w \sim \mathcal{N}(0, I / n), \qquad
        \text{told:}\; t + \sigma \epsilon, \qquad \sigma \sim U(0, 0.2)

    The error is the squared one, that of always saying zero being about one; the learner that knows
    all this is :func:`badger_graph.baselines.online.bayes_linear`.

    Args:
        num_inputs: n, a number, or a range to draw from in every outer step.
        num_examples: T, likewise, evenly in its logarithm.
        most_numbers: a batch is made smaller where its inputs, outputs and examples multiply to
            more than this.

    Raises:
        ValueError: for an empty range, or a number below 1.
    """

    interface = REGRESSION

    @checked(most_numbers=size(most=2**30))
    def __init__(
        self,
        num_inputs: Range = DEFAULT_INPUTS,
        num_examples: Range = DEFAULT_EXAMPLES,
        most_numbers: int = 100_000,
    ) -> None:
        super().__init__(num_inputs, num_examples, 0.0, most_numbers)

    @checked(batch_size=size(), num_outputs=size())
    def sample(
        self, batch_size: int, num_outputs: int, generator: Generator | None = None
    ) -> Regression:
        """Sample a batch of functions, as many as there is room for, of as many examples each.

        Args:
            batch_size: functions B, at most.
            num_outputs: numbers d to say of each example.
            generator: source of the random draws; the functions are on its device.
        """
        draw = Draw(generator)
        (length, batch, num_inputs), _ = self.draw_sizes(draw, batch_size, num_outputs, 1)
        inputs = draw.normal(length, batch, num_inputs)
        weight = draw.normal(batch, num_inputs, num_outputs) / math.sqrt(num_inputs)
        truth = (inputs[..., None] * weight).sum(dim=2)
        noise = 0.2 * draw.uniform(batch, 1) * draw.normal(*truth.shape)
        return Regression(inputs, truth + noise)
