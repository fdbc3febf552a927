"""What the outer loop minimises, as a function of the weights."""

from __future__ import annotations

import math
from contextlib import nullcontext
from dataclasses import dataclass
from typing import NamedTuple, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from badger_graph.agent import BadgerAgent
from badger_graph.life import Life
from badger_graph.outer.curriculum import Curriculum, Lesson
from badger_graph.outer.losses import MetaLoss
from badger_graph.outer.sizes import Sizes
from badger_graph.rollout import Rollout, unroll
from badger_graph.tasks import Task, TaskFamily
from topologies.checks import check_numbers

MAX_STATES = 2**31
"""Numbers in the states of a rollout: what a step makes besides takes ten times their memory."""


class Outcome(NamedTuple):
    """What came of a batch of lives.

    Shapes:
        - **meta_loss:** a scalar
        - **loss:** ``[T, B]``, the error of each step's action
    """

    meta_loss: Float[Tensor, ""]
    loss: Float[Tensor, "T B"]


@final
@dataclass(frozen=True, eq=False)
class Objective:
    r"""The meta-loss of a batch of lives: a function of a seed and of the weights as they are.

    .. math::
        \mathcal{L}(\theta; s), \qquad s \mapsto \text{tasks, graphs, newborn agents}

    Args:
        agent: whose weights it is a function of.
        task: the task family.
        meta_loss: what it makes of a rollout.
        sizes: of the batch; a lesson may say other numbers of outputs and experts.
    """

    agent: BadgerAgent
    task: TaskFamily
    meta_loss: MetaLoss
    sizes: Sizes

    @property
    def weights(self) -> list[nn.Parameter]:
        """Those that are trained."""
        return [weight for weight in self.agent.parameters() if weight.requires_grad]

    @property
    def lesson(self) -> Lesson:
        """What validation is like, and every outer step without a curriculum."""
        return Lesson(self.sizes.num_outputs, self.sizes.num_experts)

    def __call__(
        self,
        seed: int,
        lesson: Lesson | None = None,
        detach_every: int | None = None,
        checkpoint_every: int | None = None,
    ) -> Outcome:
        rollout = self.unroll(seed, lesson, detach_every, checkpoint_every)
        return Outcome(self.meta_loss(rollout), rollout.loss)

    def unroll(
        self,
        seed: int,
        lesson: Lesson | None = None,
        detach_every: int | None = None,
        checkpoint_every: int | None = None,
    ) -> Rollout:
        """The lives of a batch of agents on the tasks that a seed of the stream stands for.

        Args:
            lesson: what they are like; as in validation by default.
            detach_every: see :func:`badger_graph.unroll`, and so ``checkpoint_every``.
        """
        lesson = lesson or self.lesson
        task, generator = self._sample(seed, lesson)
        return unroll(
            self.agent,
            task,
            lesson.num_experts,
            self.sizes.num_steps,
            generator,
            detach_every,
            checkpoint_every,
            birth=lesson.birth(self.agent.birth),
        )

    def draw(self, seed: int, lesson: Lesson | None = None) -> tuple[Task, Life]:
        """What :meth:`unroll` begins with: the tasks, and the newborn agents."""
        lesson = lesson or self.lesson
        task, generator = self._sample(seed, lesson)
        sizes = (task.batch_size, lesson.num_experts, task.num_outputs)
        birth = lesson.birth(self.agent.birth)
        return task, self.agent.reset(*sizes, generator, task.num_inputs, birth)

    def _sample(self, seed: int, lesson: Lesson) -> tuple[Task, torch.Generator]:
        generator = torch.Generator(self.agent.device).manual_seed(seed)
        return self.task.sample(self.sizes.batch_size, lesson.num_outputs, generator), generator

    def rehearse(self, seed: int) -> str:
        """One step in the life of one agent finds whatever does not fit together; its executor.

        With gradients, so that it is seen which weights of edges are to be learned; not compiled.

        Raises:
            ValueError: when the agent cannot live with so many experts and outputs.
        """
        eager = torch.compiler.set_stance("force_eager") if self.agent.compiled else nullcontext()
        with eager:
            generator = torch.Generator(self.agent.device).manual_seed(seed)
            task = self.task.sample(1, self.sizes.num_outputs, generator)
            rollout = unroll(self.agent, task, self.sizes.num_experts, 1, generator)
        return rollout.life.executor.name

    def check_feedback(self) -> None:
        """Refuse a task of whose errors the agent would never hear.

        Raises:
            ValueError: says what the membrane shows, and what the task tells.
        """
        membrane = type(self.agent.membrane).__name__
        if self.task.tells_outputs_alone and not self.agent.membrane.hears_outputs:
            raise ValueError(
                f"experts must hear the feedback, of which a {membrane} shows only what the whole "
                f"agent is told, got a {type(self.task).__name__} with feedback='per_output'"
            )

    def check_states(
        self, checkpoint_every: int | None = None, curriculum: Curriculum | None = None
    ) -> None:
        """Refuse a gradient that keeps more states than memory holds.

        Args:
            checkpoint_every: see :func:`badger_graph.unroll`.
            curriculum: whose largest agents have to fit, too.

        Raises:
            ValueError: says the sizes.
        """
        num_steps, every = self.sizes.num_steps, checkpoint_every or self.sizes.num_steps
        segments = math.ceil(num_steps / every) if checkpoint_every else 0
        for _, num_experts in [(0, self.sizes.num_experts), *all_sizes(curriculum)]:
            check_numbers(
                "the states that a rollout keeps for the gradient",
                MAX_STATES,
                num_steps=min(num_steps, segments + every),
                batch_size=self.sizes.batch_size,
                num_experts=num_experts or 1,
                hidden_size=self.agent.hidden_size,
            )


def all_sizes(curriculum: Curriculum | None) -> list[tuple[int, int | None]]:
    """The smallest and largest d and N of every stage, if there are any."""
    stages = range(0 if curriculum is None else curriculum.num_stages)
    return [sizes for stage in stages for sizes in curriculum.sizes(stage)]  # type: ignore[union-attr]
