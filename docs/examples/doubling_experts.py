"""A curriculum of your own."""

from random import Random

from badger_graph import Curriculum
from badger_graph.outer.curriculum import Lesson


class DoublingExperts(Curriculum):
    """Twice as many experts after every so many outer steps; the last stage has no end."""

    def __init__(
        self, num_outputs: int = 4, first: int = 8, doublings: int = 3, every: int = 500
    ) -> None:
        super().__init__(window=1)
        self.num_outputs = num_outputs
        self.first = first
        self.doublings = doublings
        self.every = every

    @property
    def num_stages(self) -> int:
        return self.doublings + 1

    def sizes(self, stage: int) -> list[tuple[int, int]]:
        return [(self.num_outputs, self.first * 2**stage)]

    def draw(self, random: Random, seed: int, step: int) -> Lesson:
        return Lesson(self.num_outputs, self.first * 2**self.stage)

    def judges(self, lesson: Lesson) -> bool:
        return False

    def passed(self, chance: float) -> bool:
        return self.steps >= self.every and self.stage < self.doublings
