"""An agent on fixed tasks, as measures see it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cached_property
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from badger_graph.agent import BadgerAgent
from badger_graph.analysis.checks import DivergedError, check_finite
from badger_graph.analysis.gaussian_entropy import GaussianEntropy
from badger_graph.analysis.samples import principal
from badger_graph.rollout import Recorder, Rollout, unroll
from badger_graph.tasks import Task, TaskFamily, target_of
from topologies.checks import SEED, checked, size

COMPONENTS = 3
"""Directions of the experts' states that measures of information look at."""


class Recording(NamedTuple):
    """What an agent did and was in its lives.

    Shapes:
        - **hidden:** ``[T, S, N, H]``; **action:** ``[T, S, d]``; **target:** ``[S, d]``
    """

    hidden: Float[Tensor, "T S N H"]
    action: Float[Tensor, "T S d"]
    target: Float[Tensor, "S d"]


class Subject:
    """An agent, frozen as it is now, on the tasks of a seed; everything it does is computed once.

    Args:
        agent: copied: measuring changes nothing.
        family: where the tasks come from.
        meta_loss: what its policy is trained for.
        num_experts: experts N.
        num_outputs: outputs d.
        num_steps: inner steps T.
        num_tasks: tasks S, one life each.
        seed: seed of the tasks and of everything drawn.

    Raises:
        ValueError: when a number is below 1.
    """

    @checked(num_tasks=size(), num_steps=size(), seed=SEED)
    def __init__(
        self,
        agent: BadgerAgent,
        family: TaskFamily,
        meta_loss: Callable[[Rollout], Float[Tensor, ""]],
        num_experts: int | None,
        num_outputs: int,
        num_steps: int,
        num_tasks: int = 512,
        seed: int = 1_000_000,
    ) -> None:
        self.agent = copy.deepcopy(agent).eval()
        self.family = family
        self.meta_loss = meta_loss
        self.num_experts = num_experts
        self.num_outputs = num_outputs
        self.num_steps = num_steps
        self.num_tasks = num_tasks
        self.seed = seed

    def generator(self) -> torch.Generator:
        """A new one, the same for every measure, on the agent's device."""
        return torch.Generator(self.agent.device).manual_seed(self.seed)

    def tasks(self, num_tasks: int) -> Task:
        """The first so many tasks of the seed."""
        return self.family.sample(num_tasks, self.num_outputs, self.generator())

    @cached_property
    @torch.no_grad()
    def recording(self) -> Recording:
        """The lives on all tasks.

        Raises:
            DivergedError: when a state or a guess is NaN or infinite.
        """
        generator, recorder = self.generator(), Recorder(self.agent)
        task = self.family.sample(self.num_tasks, self.num_outputs, generator)
        rollout = unroll(
            self.agent, task, self.num_experts, self.num_steps, generator, probe=recorder
        )
        recording = Recording(recorder.arrays()["hidden"], rollout.action, target_of(task))
        check_finite("the agent's states", recording.hidden, DivergedError)
        check_finite("the agent's guesses", recording.action, DivergedError)
        return recording

    @cached_property
    def entropy(self) -> GaussianEntropy:
        """Joint entropies of the experts' states at the last step, over tasks."""
        return self.entropy_at(-1)

    def entropy_at(self, step: int) -> GaussianEntropy:
        """Joint entropies of the experts' states at a step, in their principal directions."""
        states = self.recording.hidden[step]
        return GaussianEntropy.of_states(principal(states, min(COMPONENTS, states.size(-1))))
