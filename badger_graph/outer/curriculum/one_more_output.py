"""A curriculum in d, by error reached."""

from __future__ import annotations

from random import Random

from badger_graph.outer.curriculum.base import Curriculum, Lesson
from badger_graph.outer.curriculum.ranges import check_experts, corners, draw_experts
from badger_graph.ranges import Range
from topologies.checks import POSITIVE, checked, interval, size


class OneMoreOutput(Curriculum):
    r"""One more output whenever the agent masters those it has.

    In stage s the largest number of outputs is :math:`d = \mathrm{first} + s`. A part of the
    outer steps is spent there, the others at the smaller of two numbers uniform in 1..d: few
    outputs cost less time, and more can be known of them. The stage is over when

    .. math::
        \frac{\bar e}{e_\mathrm{chance}} < \mathrm{threshold} \cdot d

    with :math:`\bar e` the mean error at the last inner step over the last ``window`` outer steps
    at d. The last stage has no end.

    Args:
        first: d to begin with.
        last: the largest d of all.
        num_experts: experts N, a number or a range ``[low, high]``.
        spare_experts: instead of ``num_experts``: N = d + spare, alike; 6 where neither is given.
        frontier_share: the part of the outer steps at the largest d.
        last_share: that part in the last stage: 0 for a policy of any number of outputs, 1 for one
            of the largest number alone.
        threshold: how small an error is good enough, for each output.
        window: how many outer steps at d decide.

    Raises:
        ValueError: for a number or range out of bounds, or when both ``num_experts`` and
            ``spare_experts`` are given.
    """

    @checked(
        first=size(0),
        last=size(most=4096),
        frontier_share=interval(0, 1, "(]"),
        last_share=interval(0, 1),
        threshold=POSITIVE,
        window=size(),
    )
    def __init__(
        self,
        first: int = 1,
        last: int = 20,
        num_experts: Range | None = None,
        spare_experts: Range | None = None,
        frontier_share: float = 0.5,
        last_share: float = 0.0,
        threshold: float = 0.08,
        window: int = 30,
    ) -> None:
        super().__init__(window)
        if num_experts is None and spare_experts is None:
            spare_experts = 6
        check_experts(num_experts, spare_experts)
        if not 1 <= first <= last:
            raise ValueError(f"1 <= first <= last must hold, got first={first} and last={last}")
        self.first = first
        self.last = last
        self.num_experts = num_experts
        self.spare_experts = spare_experts
        self.frontier_share = frontier_share
        self.last_share = last_share
        self.threshold = threshold

    @property
    def num_stages(self) -> int:
        return self.last - self.first + 1

    @property
    def frontier(self) -> int:
        """The largest d of the stage that has been reached."""
        return self.first + self.stage

    def sizes(self, stage: int) -> list[tuple[int, int | None]]:
        return corners([1, self.first + stage], self.num_experts, self.spare_experts)

    def draw(self, random: Random, seed: int, step: int) -> Lesson:
        share = self.frontier_share if self.frontier < self.last else self.last_share
        at_frontier = random.random() < share
        smaller = min(random.randint(1, self.frontier) for _ in range(2))
        num_outputs = self.frontier if at_frontier else smaller
        sizes = (num_outputs, self.num_experts, self.spare_experts)
        return Lesson(num_outputs, draw_experts(random, *sizes))

    def judges(self, lesson: Lesson) -> bool:
        return lesson.num_outputs == self.frontier < self.last

    def passed(self, chance: float) -> bool:
        error = self.mean_error
        return error is not None and error / chance < self.threshold * self.frontier
