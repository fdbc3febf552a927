"""What becomes of the error of a frozen agent that lives longer than any in training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure

from badger_graph import plots
from badger_graph.analysis.seeds import mean_and_bar
from badger_graph.experiments.paper.jobs import (
    expert_rule,
    load_policy,
    named_groups,
)
from badger_graph.experiments.paper.relative_error import ExpertRule
from badger_graph.experiments.runner import Experiment
from badger_graph.experiments.tables import table
from badger_graph.progress import track
from badger_graph.rollout import live
from badger_graph.tasks import GuessingGame
from topologies.checks import SEED, checked, size

MICRO = "micro_badger"

NUMBERS = 4
"""What every agent guesses: as many as the least of them can."""

SHOWN = (20, 40, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000)
"""Inner steps that a table shows; 20 are those of training."""

PER_DECADE = 20
"""Errors kept between a step and the tenfold."""


class LongLives(Experiment):
    """Policies live for thousands of steps, frozen, on tasks that stay the same.

    Args:
        policies: groups of one recipe each, as :func:`named_groups` reads them.
        num_steps: inner steps of a life.
        num_tasks: lives of each policy.
        seed: seed of the tasks and of all that agents draw.
    """

    name = "long_lives"

    @checked(num_steps=size(SHOWN[0]), num_tasks=size(), seed=SEED)
    def __init__(
        self,
        policies: Sequence[str] = (MICRO, "addressed", "recurrent"),
        num_steps: int = 10_000,
        num_tasks: int = 128,
        seed: int = 0,
    ) -> None:
        self.policies = policies
        self.num_steps = num_steps
        self.num_tasks = num_tasks
        self.seed = seed

    def compute(self, file: Path) -> dict[str, Any]:
        policies = named_groups(self.policies)
        lives: dict[str, list[dict[int, float]]] = {group: [] for group in policies}
        pairs = [(group, policy) for group, names in policies.items() for policy in names]
        for group, policy in track(pairs, "living"):
            lives[group].append(errors_of_life(policy, self.num_steps, self.num_tasks, self.seed))
        return {
            "numbers": NUMBERS,
            "num_tasks": self.num_tasks,
            "seed": self.seed,
            "policies": policies,
            "steps": list(next(iter(lives.values()))[0]),
            "groups": {name: [list(life.values()) for life in of] for name, of in lives.items()},
        }

    @staticmethod
    def markdown(result: Mapping[str, Any]) -> str:
        """One row a number of steps; ± is one standard error over policies."""
        groups = result["groups"]
        heads = [f"{name} ({len(of)} seed{'s' * (len(of) > 1)})" for name, of in groups.items()]
        rows = [
            [f"{step:,}", *(_cell([life[place] for life in of]) for of in groups.values())]
            for place, step in enumerate(result["steps"])
            if step in SHOWN
        ]
        return table(["steps lived", *heads], rows)

    @staticmethod
    def figure(result: Mapping[str, Any]) -> Figure:
        panel = {
            "title": f"Frozen agents that live on, {result['numbers']} numbers",
            "x": "inner step",
            "y": "error (MSE), mean over tasks",
            "curves": {
                name: {"x": result["steps"], "y": of} for name, of in result["groups"].items()
            },
            "lines": {"chance": 1 / 3},
            "log": True,
            "log_x": True,
        }
        return plots.panels([panel])


def _cell(errors: list[float]) -> str:
    error, bar = mean_and_bar(errors)
    return f"{error:.4f} ± {bar:.4f}" if len(errors) > 1 else f"{error:.4f}"


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
    steps = set(noted_steps(num_steps))
    with torch.no_grad():
        life = enumerate(live(agent, task, num_experts, generator), start=1)
        return {
            step: moment.loss.double().mean().item()
            for step, moment in islice(life, num_steps)
            if step in steps
        }


def noted_steps(num_steps: int) -> list[int]:
    """Steps at equal ratios, and those that a table shows."""
    ratios = {round(10 ** (k / PER_DECADE)) for k in range(PER_DECADE * len(str(num_steps)) + 1)}
    return sorted(step for step in {*ratios, *SHOWN} if step <= num_steps)
