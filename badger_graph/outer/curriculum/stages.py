"""A curriculum that is written down stage by stage."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from badger_graph.outer.curriculum.base import Curriculum, Lesson
from badger_graph.outer.curriculum.ranges import check_experts, corners, draw, draw_experts
from badger_graph.outer.stream import REDRAWN, task_seed
from badger_graph.ranges import Range, check_range
from topologies.checks import POSITIVE, checked, checked_fields, size

REDRAWABLE = ("identifiers", "addresses", "graph")


@checked_fields(
    steps=size(most=2**62),
    until_error=POSITIVE,
    learning_rate=POSITIVE,
    **{f"redraw_{what}_every": size() for what in REDRAWABLE},
)
@dataclass
class Stage:
    """One stage of a schedule. Ranges ``[low, high]`` are drawn from anew in every outer step.

    What is redrawn every n outer steps is meanwhile the same for all agents of all batches. Where
    nothing is said, the agent's own settings hold: ``birth.identifiers``, ``birth.addresses``
    and ``topology.redraw``. A membrane without addresses and a topology that leaves nothing to
    chance have nothing to redraw.

    Args:
        num_outputs: outputs d.
        num_experts: experts N.
        spare_experts: instead of ``num_experts``: N = d + spare.
        steps: over after so many outer steps.
        until_error: over when the mean error at the last inner step is below this, over the
            last 30 outer steps of the stage. A stage with both ends at whichever comes first.
        learning_rate: that of the stages before, or the optimiser's, where nothing is said.
        redraw_identifiers_every: identifiers of the experts.
        redraw_addresses_every: addresses of outputs and inputs.
        redraw_graph_every: the graph of a topology that draws one.
        log_uniform: the number of outputs is drawn evenly in its logarithm: 2 to 4 are as likely as
            20 to 40.

    Raises:
        ValueError: for a number or range out of bounds, or when not exactly one of
            ``num_experts`` and ``spare_experts`` is given.
    """

    num_outputs: Range
    num_experts: Range | None = None
    spare_experts: Range | None = None
    steps: int | None = None
    until_error: float | None = None
    learning_rate: float | None = None
    redraw_identifiers_every: int | None = None
    redraw_addresses_every: int | None = None
    redraw_graph_every: int | None = None
    log_uniform: bool = False

    def __post_init__(self) -> None:
        check_range("num_outputs", self.num_outputs)
        check_experts(self.num_experts, self.spare_experts)

    @property
    def ends(self) -> bool:
        return self.steps is not None or self.until_error is not None


class Stages(Curriculum):
    """Stage after stage, each as it says. Where the last one ends, so does training.

    Source: Rosa et al. 2019, "Attentional Architecture": d=3, then d=6, then ranges of d and N.

    Args:
        stages: in their order.

    Raises:
        ValueError: when there is no stage, or one without an end before the last.
    """

    @checked()
    def __init__(self, stages: list[Stage]) -> None:
        super().__init__(window=30)
        if not stages:
            raise ValueError(f"stages must be at least one, got {stages}")
        for number, stage in enumerate(stages[:-1]):
            if not stage.ends:
                raise ValueError(
                    "every stage but the last must end, by steps or until_error, "
                    f"got stage {number} without an end: {stage}"
                )
        self.stages = stages

    @property
    def num_stages(self) -> int:
        return len(self.stages)

    def sizes(self, stage: int) -> list[tuple[int, int | None]]:
        ranges = self.stages[stage]
        return corners(ranges.num_outputs, ranges.num_experts, ranges.spare_experts)

    def draw(self, random: Random, seed: int, step: int) -> Lesson:
        stage = self._now
        num_outputs = draw(random, stage.num_outputs, stage.log_uniform)
        seeds = [
            None if every is None else task_seed(seed, REDRAWN, kind, step // every)
            for kind, every in enumerate(
                getattr(stage, f"redraw_{what}_every") for what in REDRAWABLE
            )
        ]
        return Lesson(
            num_outputs,
            draw_experts(random, num_outputs, stage.num_experts, stage.spare_experts),
            self._learning_rate,
            *seeds,
        )

    def judges(self, lesson: Lesson) -> bool:
        return self._now.until_error is not None

    def passed(self, chance: float) -> bool:
        stage, error = self._now, self.mean_error
        late = stage.steps is not None and self.steps >= stage.steps
        good = stage.until_error is not None and error is not None and error < stage.until_error
        return late or good

    @property
    def _now(self) -> Stage:
        return self.stages[min(self.stage, self.num_stages - 1)]

    @property
    def _learning_rate(self) -> float | None:
        rates = [stage.learning_rate for stage in self.stages[: self.stage + 1]]
        return next((rate for rate in reversed(rates) if rate is not None), None)
