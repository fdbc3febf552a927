"""Tables with classes, made up: what a policy that learns real ones online is trained on."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from badger_graph.ranges import Range
from badger_graph.scaling import scale_online, scale_together
from badger_graph.tasks.draws import (
    Draw,
    bend,
    factors,
    in_units,
    mix_factors,
    mixing_matrix,
    relevant,
)
from badger_graph.tasks.examples import CLASSIFICATION, Classification
from badger_graph.tasks.made_up import MadeUpExamples
from topologies.checks import PROBABILITY, check, checked, size

FEW_INPUTS = 4
"""Up to so many inputs, what is not linear can be learned from a few hundred examples."""


DEFAULT_INPUTS: Range = [1, 64]

DEFAULT_EXAMPLES: Range = [20, 200]


class Tables(MadeUpExamples):
    r"""Which of d classes is an example of? Tables of many kinds, a new one in every life.

    A table is drawn in three steps. First what the classes come from: clusters, one to three for
    each class, round or as wide as inputs are correlated, with unequal spreads and classes that are
    not equally frequent; or a teacher, the largest of d random functions of some inputs, or of a
    few factors that all have in common: linear, quadratic, a layer of tanh, or waves. Then what
    spoils it: some inputs have nothing to do with the class, some labels are wrong, some numbers
    are missing, some inputs take few values only or are cut off below, and some tables show one
    class only after a while. Last, inputs get units of their own, and are scaled by the mean and
    deviation of what was shown so far, as :func:`badger_graph.scaling.scale_online` does with real
    ones; in a fifth of the tables all are scaled together, as images are of which few are shown
    (:func:`badger_graph.scaling.scale_together`). Many are about as hard as real tables, for
    nothing is learned from hopeless ones.

    The error is the cross-entropy in units of that of knowing nothing, and how examples are shown
    and told is said by :class:`badger_graph.tasks.Classification`.

    Args:
        num_inputs: n, a number, or a range to draw from in every outer step.
        num_examples: T, likewise, evenly in its logarithm.
        few_inputs: this part of the outer steps has at most four inputs, where ``num_inputs`` may
            be so few, and then classes that no linear rule tells apart more often.
        most_numbers: a batch is made smaller where its inputs, outputs and examples multiply to
            more than this.

    Raises:
        ValueError: for an empty range, a number below 1, or a part that is no probability.
    """

    interface = CLASSIFICATION

    @checked(few_inputs=PROBABILITY, most_numbers=size(most=2**30))
    def __init__(
        self,
        num_inputs: Range = DEFAULT_INPUTS,
        num_examples: Range = DEFAULT_EXAMPLES,
        few_inputs: float = 0.25,
        most_numbers: int = 50_000,
    ) -> None:
        super().__init__(num_inputs, num_examples, few_inputs, most_numbers)

    @checked(batch_size=size(), num_outputs=size())
    def sample(
        self, batch_size: int, num_outputs: int, generator: Generator | None = None
    ) -> Classification:
        """Sample a batch of tables, as many as there is room for, all with as many examples.

        Args:
            batch_size: tables B, at most.
            num_outputs: classes d.
            generator: source of the random draws; the tables are on its device.

        Raises:
            ValueError: for less than two classes.
        """
        check("num_outputs, the classes of a table,", num_outputs, *size(2))
        draw = Draw(generator)
        sizes, few = self.draw_sizes(draw, batch_size, num_outputs, FEW_INPUTS)
        if draw.chance(0.4 if few else 0.7):
            inputs, label = _clusters(draw, sizes, num_outputs)
        else:
            inputs, label = _teacher(draw, sizes, num_outputs, few)
        wrong = draw.uniform(*sizes[:2]) < (0.2 * draw.uniform(sizes[1]) - 0.1)
        label = label.where(~wrong, draw.labels(num_outputs, *sizes[:2]))
        inputs = bend(draw, inputs)
        truth = torch.nn.functional.one_hot(label, num_outputs).to(inputs)
        if draw.chance(0.2):
            share = torch.exp(0.5 * draw.normal(*sizes[1:]))
            return Classification(scale_together(share * inputs), truth)
        return Classification(scale_online(in_units(draw, inputs)), truth)


def _clusters(
    draw: Draw, sizes: tuple[int, int, int], num_classes: int
) -> tuple[Float[Tensor, "T B n"], Int[Tensor, "T B"]]:
    """Classes of one to three clusters each."""
    num_examples, batch_size, num_inputs = sizes
    each = 1 if draw.chance(0.5) else draw.whole(2, 3)
    clusters = num_classes * each
    log_prior = draw.normal(1, batch_size, num_classes) * draw.uniform(1, batch_size, 1)
    if draw.chance(0.2):  # one class is not seen for a while
        first = int(num_examples * (0.2 + 0.3 * draw.number()))
        log_prior = log_prior.repeat(num_examples, 1, 1)
        log_prior[:first, :, -1] -= 9
    prior = log_prior.softmax(dim=-1).expand(num_examples, -1, -1).flatten(0, 1)
    label = prior.multinomial(1, generator=draw.generator).view(num_examples, batch_size)
    cluster = label * each + draw.labels(each, num_examples, batch_size)
    mix = mixing_matrix(draw, batch_size, num_inputs)
    centre = draw.normal(batch_size, clusters, num_inputs)
    if draw.chance(0.5):  # classes differ in what inputs have in common
        centre = centre @ mix
    else:
        centre = centre * relevant(draw, batch_size, num_inputs, 0.3)[:, None]
    noise = factors(draw, sizes, even=False)
    level = draw.uniform(batch_size, 1, 1)
    if draw.chance(0.4):  # clusters are round
        distance = (3 + 9 * level) / math.sqrt(2 * num_inputs)
    else:
        noise = mix_factors(noise, mix)
        distance = torch.exp(2.5 * level) * num_inputs**-0.15
    spread = 0.5 + draw.uniform(batch_size, clusters, 1)
    agent = torch.arange(batch_size, device=draw.device)
    return noise * spread[agent, cluster] + (distance * centre)[agent, cluster], label


def _teacher(
    draw: Draw, sizes: tuple[int, int, int], num_classes: int, few: bool
) -> tuple[Float[Tensor, "T B n"], Int[Tensor, "T B"]]:
    """The largest of random functions of the inputs."""
    _, batch_size, num_inputs = sizes
    hidden = factors(draw, sizes, even=draw.chance(0.4))
    inputs = mix_factors(hidden, mixing_matrix(draw, batch_size, num_inputs))
    if draw.chance(0.5):
        seen = hidden[..., : draw.whole(1, min(num_inputs, 6))]
    else:
        seen = inputs * relevant(draw, batch_size, num_inputs, 0.4)
    kind = draw.number() if few else 0.6 * draw.number()
    scale = 1 / math.sqrt(seen.size(2))

    def mix(values: Tensor, num: int) -> Tensor:
        return values @ draw.normal(batch_size, values.size(-1), num)

    rows = seen.transpose(0, 1)  # [B, T, n]
    if kind < 0.3:
        value = mix(rows, num_classes)
    elif kind < 0.5:
        offset = draw.normal(batch_size, 1, 16)
        value = mix(torch.tanh(2 * (scale * mix(rows, 16) + offset)), num_classes)
    elif kind < 0.7:
        pairs = (rows[..., None] * rows[..., None, :]).flatten(2)
        value = mix(pairs, num_classes)
    else:
        phase = 2 * math.pi * draw.uniform(batch_size, 1, 12)
        value = mix(torch.sin(1.5 * scale * mix(rows, 12) + phase), num_classes)
    value = value.transpose(0, 1)
    value = (value - value.mean(dim=0)) / (value.std(dim=0) + 1e-3)
    prior = draw.normal(batch_size, num_classes) * 0.7 * draw.uniform(batch_size, 1)
    return inputs, (value + prior).argmax(dim=-1)
