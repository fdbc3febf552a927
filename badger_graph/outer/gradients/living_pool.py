"""Outer steps that go on with living agents."""

from __future__ import annotations

from random import Random
from typing import Any, NamedTuple

import torch
from lightning import Trainer

from badger_graph.events import Event
from badger_graph.outer.curriculum import Curriculum, Lesson
from badger_graph.outer.gradients.base import OuterGradient
from badger_graph.outer.objective import Objective, Outcome
from badger_graph.rollout import unroll
from badger_graph.saved_lives import life_of_parts, life_parts
from badger_graph.tasks import Task
from topologies.checks import NOT_NEGATIVE, PROBABILITY, checked, size


class _Lot(NamedTuple):
    """A batch of living agents, and the seed of the tasks that they live with."""

    task_seed: int
    life: dict[str, Any]
    """In plain tensors: what weights made of them is made anew, as these have changed since."""


class LivingPool(OuterGradient):
    r"""A pool of living agents, of which each outer step takes a batch some steps further.

    A batch that is drawn is born anew with probability ``rebirth``, and else goes on: after one of
    ``events`` with probability ``event_rate``; with new tasks, of which nobody tells it, with
    probability ``new_tasks`` or if it has another number of outputs now; and with noise
    :math:`\sigma \epsilon` on all states. It lives for ``num_steps``, the gradient goes through
    these alone, and then it is put back. So lives of any length are trained for at the price of
    short ones, and agents that lose themselves are among those that learn. The first ``grace``
    steps of what is new, a life or a task, do not count. A batch that ends with an error above
    ``worst`` is not put back.

    Source: Mordvintsev et al. 2020, "Growing neural cellular automata", experiment 3.

    Args:
        batches: how many are in the pool.
        rebirth: probability that the batch of an outer step is born anew.
        new_tasks: likewise that it goes on with new tasks.
        event_rate: likewise that something happens to it first.
        events: what, each as likely.
        noise: :math:`\sigma`, of what is added to states before they go on.
        grace: inner steps.
        worst: error, in units of chance.

    Raises:
        ValueError: when a number is out of bounds.
    """

    @checked(
        batches=size(),
        rebirth=PROBABILITY,
        new_tasks=PROBABILITY,
        event_rate=PROBABILITY,
        noise=NOT_NEGATIVE,
        grace=size(0),
        worst=NOT_NEGATIVE,
    )
    def __init__(
        self,
        batches: int = 24,
        rebirth: float = 0.12,
        new_tasks: float = 0.22,
        event_rate: float = 0.0,
        events: list[Event] | None = None,
        noise: float = 0.02,
        grace: int = 8,
        worst: float = 10.0,
    ) -> None:
        self.batches = batches
        self.rebirth = rebirth
        self.new_tasks = new_tasks
        self.event_rate = event_rate
        self.events = events
        self.noise = noise
        self.grace = grace
        self.worst = worst
        self._pool: dict[int, _Lot] = {}

    def __call__(self, objective: Objective, seed: int, lesson: Lesson) -> Outcome:
        random = Random(seed)
        place = random.randrange(self.batches)
        lot = self._pool.pop(place, None)
        agent = objective.agent
        generator = torch.Generator(agent.device).manual_seed(seed)
        task_seed, fresh = seed, True
        if lot is None or random.random() < self.rebirth:
            task, life = objective.draw(seed, lesson)
        else:
            life = before = life_of_parts(agent, lot.life)
            if self.events and random.random() < self.event_rate:
                life = random.choice(self.events)(agent, life, generator)
            other = life.num_outputs != before.num_outputs
            fresh = other or random.random() < self.new_tasks
            task_seed = seed if fresh else lot.task_seed
            task = self._task(objective, task_seed, life.num_outputs)
            noise = torch.empty_like(life.hidden).normal_(generator=generator)
            life = life.with_hidden(life.hidden + self.noise * noise)
        num_steps = objective.sizes.num_steps
        rollout = unroll(agent, task, life.num_experts, num_steps, generator, life=life)
        counted = rollout
        if fresh and self.grace < len(rollout.loss):
            parts = (getattr(rollout, name)[self.grace :] for name in ("loss", "action", "score"))
            counted = rollout._replace(**dict(zip(("loss", "action", "score"), parts, strict=True)))
        meta_loss = objective.meta_loss(counted)
        if bool(rollout.loss[-1].mean() < self.worst * objective.task.chance):  # not if it is none
            self._pool[place] = _Lot(task_seed, life_parts(rollout.life))
        return Outcome(meta_loss, rollout.loss)

    @staticmethod
    def _task(objective: Objective, seed: int, num_outputs: int) -> Task:
        generator = torch.Generator(objective.agent.device).manual_seed(seed)
        return objective.task.sample(objective.sizes.batch_size, num_outputs, generator)

    def check(self, objective: Objective, curriculum: Curriculum | None) -> None:
        objective.check_states(None, curriculum)
        if self.event_rate and not self.events:
            raise ValueError(
                f"events must be given where event_rate is not 0, got {self.event_rate} and none"
            )

    def begin(self, trainer: Trainer) -> None:
        if not trainer.ckpt_path:
            self._pool = {}

    def state_dict(self) -> dict[str, Any]:
        return {str(place): lot._asdict() for place, lot in self._pool.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._pool = {int(place): _Lot(**lot) for place, lot in state.items()}
