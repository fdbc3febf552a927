"""Samples of Gaussian processes: where the best possible learner is known."""

from __future__ import annotations

import math

from torch import Generator

from badger_graph.ranges import Range
from badger_graph.tasks.draws import Draw, random_waves
from badger_graph.tasks.examples import REGRESSION, Regression
from badger_graph.tasks.made_up import MadeUpExamples
from topologies.checks import checked, size

DEFAULT_EXAMPLES: Range = [10, 30]


class GaussianProcesses(MadeUpExamples):
    r"""Which number belongs to an example? A sample of a Gaussian process, new in every life.

    .. math::
        x \sim U(-2, 2)^n, \qquad f \sim \mathcal{GP}(0, k), \qquad
        k(x, x') = \exp\big(-\lVert x - x' \rVert^2 / (2 n \ell^2)\big), \qquad
        \ell \sim U(0.3, 0.5)

    and what is told of it has a noise of a deviation uniform up to 0.2. The error is the squared
    one, that of always saying zero being about one; the learner that knows all this is
    :func:`badger_graph.baselines.online.gaussian_process`.

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
        num_inputs: Range = 1,
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
        inputs = 4 * draw.uniform(length, batch, num_inputs) - 2
        scale = (0.3 + 0.2 * draw.uniform(batch, 1, 1)) * math.sqrt(num_inputs)
        truth = random_waves(draw, inputs, scale, num_outputs)
        noise = 0.2 * draw.uniform(batch, 1) * draw.normal(*truth.shape)
        return Regression(inputs, truth + noise)
