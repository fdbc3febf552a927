"""A curriculum in the number of codebooks, by error reached."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from badger_graph.outer.curriculum.base import Curriculum, Lesson
from badger_graph.outer.curriculum.one_more_output import OneMoreOutput
from topologies.checks import POSITIVE, checked, size


class MoreCodebooks(Curriculum):
    r"""One set of identifiers and addresses at first, then ever more, then another curriculum.

    In stage s there are :math:`2^s` codebooks, each with identifiers and addresses of its own, and
    every agent of a batch is born into one of them. The stage is over when

    .. math::
        \frac{\bar e}{e_\mathrm{chance}} < \mathrm{threshold} \cdot d

    with :math:`\bar e` the mean error at the last inner step over the last ``window`` outer steps.
    After ``largest`` codebooks the next curriculum goes on, with the agent's own settings, where
    every agent has others.

    Outputs that are told apart by random addresses alone are alike to begin with, and the agent
    gives the same number on all of them for long. With one codebook they are not alike.

    Source: after Rosa et al. 2019, "Attentional Architecture", where addresses are fixed at first
    and redrawn every 2,000 outer steps.

    Args:
        then: what comes after; :class:`OneMoreOutput` from ``num_outputs`` on by default.
        num_outputs: outputs d meanwhile, at least two for there to be something to tell apart.
        num_experts: experts N meanwhile.
        largest: the last number of codebooks, a power of two.
        threshold: how small an error is good enough, for each output.
        window: how many outer steps decide; those of the next curriculum by its own.

    Raises:
        ValueError: for a number out of bounds.
    """

    @checked(
        num_outputs=size(), num_experts=size(), largest=size(), window=size(), threshold=POSITIVE
    )
    def __init__(
        self,
        then: Curriculum | None = None,
        num_outputs: int = 2,
        num_experts: int = 12,
        largest: int = 4096,
        threshold: float = 0.1,
        window: int = 30,
    ) -> None:
        if largest & (largest - 1):
            raise ValueError(f"largest must be a power of two, got {largest}")
        super().__init__(window)
        self.then = then or OneMoreOutput(first=num_outputs)
        self.memory = max(window, self.then.memory)
        self.num_outputs = num_outputs
        self.num_experts = num_experts
        self.largest = largest
        self.threshold = threshold

    @property
    def num_stages(self) -> int:
        return self._doublings + self.then.num_stages

    def sizes(self, stage: int) -> Sequence[tuple[int, int | None]]:
        if stage < self._doublings:
            return [(self.num_outputs, self.num_experts)]
        return self.then.sizes(stage - self._doublings)

    def draw(self, random: Random, seed: int, step: int) -> Lesson:
        if self.stage < self._doublings:
            return Lesson(self.num_outputs, self.num_experts, codebooks=2**self.stage)
        return self._next().draw(random, seed, step)

    def judges(self, lesson: Lesson) -> bool:
        return self.stage < self._doublings or self._next().judges(lesson)

    def passed(self, chance: float) -> bool:
        if self.stage >= self._doublings:
            return self._next().passed(chance)
        error = self.mean_error
        return error is not None and error / chance < self.threshold * self.num_outputs

    @property
    def _doublings(self) -> int:
        """Stages in which the codebooks are counted: 1, 2, 4, ... up to the largest."""
        return self.largest.bit_length()

    def _next(self) -> Curriculum:
        """The curriculum that comes after, as far as it has got."""
        self.then.stage = self.stage - self._doublings
        self.then.steps, self.then.errors = self.steps, self.errors
        return self.then
