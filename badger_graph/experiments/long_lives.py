"""What becomes of the error of a frozen agent that lives longer than any in training."""

from __future__ import annotations

from itertools import islice

import torch

from badger_graph.experiments.measurements import expert_rule, load_policy
from badger_graph.experiments.relative_error import ExpertRule
from badger_graph.rollout import live
from badger_graph.tasks import GuessingGame

NUMBERS = 4
"""What every agent guesses: as many as the least of them can."""

SHOWN = (20, 40, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000)
"""Inner steps that a table shows; 20 are those of training."""

PER_DECADE = 20
"""Errors kept between a step and the tenfold."""


def errors_of_life(policy: str, num_steps: int, num_tasks: int, seed: int) -> dict[int, float]:
    """The mean error over tasks after some of the steps of a life, by step.

    Args:
        policy: a shipped one, or a checkpoint.
        num_steps: inner steps of the life.
        num_tasks: lives.
        seed: seed of the tasks and of all that the agents draw.
    """
    agent = load_policy(policy).eval()
    num_experts = expert_rule(policy, ExpertRule())(NUMBERS)
    generator = torch.Generator(agent.device).manual_seed(seed)
    task = GuessingGame().sample(num_tasks, NUMBERS, generator)
    kept = set(noted_steps(num_steps))
    with torch.no_grad():
        life = enumerate(live(agent, task, num_experts, generator), start=1)
        return {
            step: moment.loss.double().mean().item()
            for step, moment in islice(life, num_steps)
            if step in kept
        }


def noted_steps(num_steps: int) -> list[int]:
    """Steps at equal ratios, and those that a table shows."""
    ratios = {round(10 ** (k / PER_DECADE)) for k in range(PER_DECADE * len(str(num_steps)) + 1)}
    return sorted(step for step in {*ratios, *SHOWN} if step <= num_steps)
