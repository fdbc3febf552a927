"""How wrong a frozen agent is, in units of chance, and how sure that is."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch

from badger_graph.agent import BadgerAgent
from badger_graph.rollout import unroll
from badger_graph.tasks import TaskFamily
from topologies.checks import EXPERTS, SEED, checked, size

PAIRS_AT_ONCE = 1_000_000
"""So many pairs of experts, over all agents of a batch, fit in memory with ease."""

USUAL_EXPERTS = 200
"""About as many has an agent whose membrane says how many it needs."""


class Measurement(NamedTuple):
    """A mean over tasks and its standard error."""

    error: float
    standard_error: float


@torch.no_grad()
@checked(num_experts=EXPERTS, num_outputs=size(), num_steps=size(), num_tasks=size(), seed=SEED)
def relative_error(
    agent: BadgerAgent,
    family: TaskFamily,
    num_experts: int | None,
    num_outputs: int,
    num_steps: int,
    num_tasks: int,
    seed: int,
) -> Measurement:
    r"""The error at the last step of a rollout divided by chance.

    .. math::
        \frac{\mathbb E\, e_T}{\text{chance}}, \qquad
        \text{in the guessing game } 3 \cdot \mathrm{MSE}

    so that 1 is an agent that always answers zero.

    Source: Rosa et al. 2019, figure 7, which plots this.

    Args:
        num_experts: none for as many as the membrane usually needs.
        num_tasks: at least two; large agents live through them in several batches, and where tasks
            come in smaller ones than asked for, some more are taken.
        seed: seed of the tasks and of all that the agents draw.

    Raises:
        ValueError: for fewer than two tasks, an error that is no number, or sizes that the agent
            cannot live with.
    """
    if num_tasks < 2:
        raise ValueError(f"an error bar needs at least two tasks, got num_tasks={num_tasks}")
    generator = torch.Generator(agent.device).manual_seed(seed)
    at_once = max(1, PAIRS_AT_ONCE // (num_experts or USUAL_EXPERTS) ** 2)
    losses: list[torch.Tensor] = []
    while (left := num_tasks - sum(map(len, losses))) > 0:
        task = family.sample(min(at_once, left), num_outputs, generator)
        losses.append(unroll(agent, task, num_experts, num_steps, generator).loss[-1].double())
    relative = torch.cat(losses) / family.chance
    if not relative.isfinite().all():
        raise ValueError(
            "the errors of an agent must be finite, got some that are not, with "
            f"num_experts={num_experts} and num_outputs={num_outputs}"
        )
    return Measurement(relative.mean().item(), relative.std().item() / math.sqrt(len(relative)))


def can_live(
    agent: BadgerAgent, num_experts: int | None, num_outputs: int, family: TaskFamily | None = None
) -> bool:
    """Whether membrane and topology serve so many experts and outputs, and there are such tasks."""
    try:
        if family is not None:
            family.sample(1, num_outputs)
        agent.reset(1, num_experts, num_outputs, torch.Generator(agent.device).manual_seed(0))
    except ValueError:
        return False
    return True


class ExpertRule(NamedTuple):
    """How many experts guess d numbers: always as many, or d and some to spare.

    Attributes:
        num_experts: always so many.
        spare_experts: so many more than outputs.
    """

    num_experts: int | None = None
    spare_experts: int | None = None

    def __call__(self, num_outputs: int) -> int:
        """The number of experts.

        Raises:
            ValueError: unless exactly one of the two is given.
        """
        if (self.num_experts is None) == (self.spare_experts is None):
            raise ValueError(
                "either num_experts or spare_experts must be given, "
                f"got {self.num_experts} and {self.spare_experts}"
            )
        if self.spare_experts is not None:
            return num_outputs + self.spare_experts
        assert self.num_experts is not None
        return self.num_experts
