"""What every curriculum is: a schedule of the outer loop."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any, NamedTuple

import torch

from badger_graph.agent import BadgerAgent
from badger_graph.birth import Birth
from badger_graph.outer.stream import LESSONS, task_seed
from badger_graph.tasks import TaskFamily


class Lesson(NamedTuple):
    """What one outer step is like; the agent's own settings hold wherever there is ``None``.

    Args:
        num_outputs: outputs d.
        num_experts: experts N; as many as the membrane usually needs where there is none.
        learning_rate: that of the stage.
        identifier_seed: of identifiers that all agents of the batch have in common.
        address_seed: of such addresses, where the membrane has addresses.
        graph_seed: of such a graph, where the topology draws any.
        codebooks: of identifiers and addresses, see :class:`badger_graph.Birth`.
    """

    num_outputs: int
    num_experts: int | None
    learning_rate: float | None = None
    identifier_seed: int | None = None
    address_seed: int | None = None
    graph_seed: int | None = None
    codebooks: int | None = None

    def birth(self, usual: Birth) -> Birth:
        """How agents are born in this lesson, where they usually are as said."""
        changes: dict[str, Any] = {}
        if self.codebooks is not None:
            changes["codebooks"] = self.codebooks
        if self.identifier_seed is not None:
            changes |= {"identifiers": "fixed", "seed": self.identifier_seed}
        if self.address_seed is not None:
            changes |= {"addresses": "fixed", "address_seed": self.address_seed}
        if self.graph_seed is not None:
            changes["graph_seed"] = self.graph_seed
        return replace(usual, **changes) if changes else usual


class Curriculum(ABC):
    """Decides what the next outer step is like, from those that were.

    It goes through stages, from 0 on. A lesson is a function of the run's seed, the outer step
    and the few plain numbers of :meth:`state_dict`, so a resumed run goes on to the same bits and
    processes that train together take the same lessons.

    Every constructor argument is kept as plain data in the attribute of its name, so that a
    checkpoint can say how to build the curriculum again.

    Args:
        window: a stage is judged by the mean error over so many outer steps.
    """

    def __init__(self, window: int) -> None:
        self.window = window
        self.memory = window  # errors; a curriculum that another follows, as many as that needs
        self.stage = 0
        self.steps = 0
        self.errors: list[float] = []

    @property
    @abstractmethod
    def num_stages(self) -> int:
        """So many stages there are."""

    @abstractmethod
    def sizes(self, stage: int) -> Sequence[tuple[int, int | None]]:
        """The smallest and largest d and N of a stage, every combination that may come up."""

    @abstractmethod
    def draw(self, random: Random, seed: int, step: int) -> Lesson:
        """The lesson of an outer step, in the stage that has been reached.

        Args:
            random: draws of this outer step alone.
            seed: that of the run, for what stays the same over several steps.
            step: outer steps already done.
        """

    @abstractmethod
    def judges(self, lesson: Lesson) -> bool:
        """Whether the error of this lesson counts towards the end of its stage."""

    @abstractmethod
    def passed(self, chance: float) -> bool:
        """Whether the stage is over.

        Args:
            chance: error of an agent that always answers zero.
        """

    def check(self, agent: BadgerAgent, task: TaskFamily) -> None:
        """Let one agent be born to one task with the smallest and largest sizes of every stage.

        Raises:
            ValueError: when it cannot live with them, or there is no such task; says which and why.
        """
        every = ((stage, *size) for stage in range(self.num_stages) for size in self.sizes(stage))
        for stage, num_outputs, num_experts in every:
            try:
                generator = torch.Generator(agent.device)
                with torch.no_grad():
                    trial = task.sample(1, num_outputs, generator)
                    sizes = (num_experts, trial.num_outputs, generator, trial.num_inputs)
                    agent.reset(1, *sizes)
            except ValueError as error:
                raise ValueError(
                    "the agent must be able to live with all sizes of a curriculum, got "
                    f"num_outputs={num_outputs} and num_experts={num_experts} in stage {stage}, "
                    f"but {error}"
                ) from error

    @property
    def finished(self) -> bool:
        """Whether the last stage is over."""
        return self.stage == self.num_stages

    @property
    def mean_error(self) -> float | None:
        """The mean error over the last ``window`` lessons that count; None before so many."""
        last = self.errors[-self.window :]
        return sum(last) / self.window if len(last) == self.window else None

    def lesson(self, seed: int, step: int) -> Lesson:
        """What the outer step after ``step`` others is like."""
        return self.draw(Random(task_seed(seed, LESSONS, 0, step)), seed, step)

    def learn(self, error: float | None, chance: float) -> None:
        """Take note of an outer step that was done, and go on to the next stage if it is time.

        Args:
            error: mean error at the last inner step, of a lesson that counts.
            chance: error of an agent that always answers zero.
        """
        if self.finished:
            return
        self.steps += 1
        if error is not None:
            self.errors = [*self.errors, error][-self.memory :]
        if self.passed(chance):
            self.stage, self.steps, self.errors = self.stage + 1, 0, []

    def state_dict(self) -> dict[str, Any]:
        """Where it stands, as plain data."""
        return {"stage": self.stage, "steps": self.steps, "errors": list(self.errors)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.stage, self.steps = state["stage"], state["steps"]
        self.errors = list(state["errors"])
