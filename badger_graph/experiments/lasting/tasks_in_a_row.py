"""Tasks one after the other in a single life, of which nobody tells the agent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure

from badger_graph import plots
from badger_graph.experiments.paper.jobs import expert_rule, load_policy, named_groups
from badger_graph.experiments.paper.relative_error import ExpertRule
from badger_graph.experiments.runner import Experiment
from badger_graph.experiments.tables import table, with_bar
from badger_graph.life import Life
from badger_graph.progress import track
from badger_graph.rollout import unroll
from badger_graph.tasks import GuessingGame
from topologies.checks import SEED, checked, size

WAYS = {"in one life": False, "born anew": True}
"""How an agent comes to its next task, and whether it is born anew for it."""

SOLVED = 0.005
"""Error at which a task counts as solved, of chance 1/3."""

SHOWN = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000)
"""Tasks that the table shows."""


class TasksInARow(Experiment):
    """A frozen agent gets one task after the other in a single life, of which nobody tells it, and
    beside it agents that are born anew for every task.

    Args:
        policies: groups of one recipe each, as :func:`named_groups` reads them.
        num_tasks: tasks in a life.
        num_steps: inner steps for each.
        num_outputs: numbers d to guess.
        num_lives: of each policy.
        seed: of tasks and draws.

    Raises:
        ValueError: for a number below 1, or a policy that is none.
    """

    name = "tasks_in_a_row"

    @checked(num_tasks=size(), num_steps=size(), num_outputs=size(), num_lives=size(), seed=SEED)
    def __init__(
        self,
        policies: list[str],
        num_tasks: int = 100,
        num_steps: int = 25,
        num_outputs: int = 4,
        num_lives: int = 128,
        seed: int = 0,
    ) -> None:
        self.policies = policies
        self.num_tasks = num_tasks
        self.num_steps = num_steps
        self.num_outputs = num_outputs
        self.num_lives = num_lives
        self.seed = seed

    def compute(self, file: Path) -> dict[str, Any]:
        groups: dict[str, Any] = {}
        for group, policies in named_groups(self.policies).items():
            groups[group] = {
                way: [self.errors(policy, anew) for policy in track(policies, f"{group}, {way}")]
                for way, anew in WAYS.items()
            }
        settings = ("num_tasks", "num_steps", "num_outputs", "num_lives", "seed")
        return {name: getattr(self, name) for name in settings} | {"groups": groups}

    @torch.no_grad()
    def errors(self, policy: str, anew: bool) -> list[list[float]]:
        """The mean error over lives at every step of every task.

        Args:
            policy: a shipped one or a checkpoint.
            anew: whether agents are born anew for every task.
        """
        agent = load_policy(policy).eval()
        num_experts = expert_rule(policy, ExpertRule())(self.num_outputs)
        generator = torch.Generator(agent.device).manual_seed(self.seed)
        life: Life | None = None
        errors = []
        for _ in range(self.num_tasks):
            task = GuessingGame().sample(self.num_lives, self.num_outputs, generator)
            rollout = unroll(agent, task, num_experts, self.num_steps, generator, life=life)
            life = None if anew else rollout.life
            errors.append(rollout.loss.double().mean(dim=1).tolist())
        return errors

    @staticmethod
    def markdown(result: dict[str, Any]) -> str:
        """One row a task: its last error, and the steps until it is solved; ± over seeds."""
        groups = result["groups"]
        heads = ["task"]
        for group in groups:
            heads += [f"{group}: MSE", "born anew", "steps until solved", "born anew"]
        rows = []
        for place in range(result["num_tasks"]):
            if place + 1 in SHOWN:
                rows.append([str(place + 1)])
                for kept in groups.values():
                    rows[-1] += [with_bar(_last(kept[way], place), ".4f") for way in WAYS]
                    rows[-1] += [_until(kept[way], place) for way in WAYS]
        worst = ["worst after the first"]
        for kept in groups.values():
            for way in WAYS:
                worsts = [max(errors[-1] for errors in life[1:] or life) for life in kept[way]]
                worst.append(with_bar(worsts, ".4f"))
            worst += ["", ""]
        return table(heads, [*rows, worst])

    @staticmethod
    def figure(result: dict[str, Any]) -> Figure:
        tasks = list(range(1, result["num_tasks"] + 1))
        curves = {}
        for group, kept in result["groups"].items():
            for way, lives in kept.items():
                last = [[errors[-1] for errors in life] for life in lives]
                curves[f"{group}, {way}"] = {"x": tasks, "y": last}
        panel = {
            "title": f"{result['num_outputs']} numbers, {result['num_steps']} steps each",
            "x": "task",
            "y": "error (MSE) at the last step",
            "curves": curves,
            "lines": {"chance": 1 / 3},
            "log": True,
            "log_x": True,
        }
        return plots.panels([panel])


def _last(lives: list[list[list[float]]], place: int) -> list[float]:
    """The error at the last step of a task, of each seed."""
    return [life[place][-1] for life in lives]


def _until(lives: list[list[list[float]]], place: int) -> str:
    """The steps until the mean error over lives is :data:`SOLVED`, of each seed."""
    steps = [
        next((step for step, error in enumerate(life[place], 1) if error <= SOLVED), None)
        for life in lives
    ]
    return ", ".join("never" if step is None else str(step) for step in steps)
