"""How soon a task that was solved is solved again, after something happened to the agent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure

from badger_graph import plots
from badger_graph.agent import BadgerAgent
from badger_graph.channels import Channel, LossyChannel
from badger_graph.experiments.paper.growth import steps_until_back
from badger_graph.experiments.paper.jobs import expert_rule, load_policy, named_groups
from badger_graph.experiments.paper.relative_error import ExpertRule
from badger_graph.experiments.runner import Experiment
from badger_graph.experiments.tables import table, with_bar
from badger_graph.growth import add_experts, clone_experts, remove_experts, rewire
from badger_graph.life import Life
from badger_graph.progress import track
from badger_graph.rollout import unroll
from badger_graph.saved_lives import life_of_parts, life_parts
from badger_graph.tasks import GuessingGame
from topologies import RandomTopology
from topologies.checks import SEED, checked, size

NOTHING = "nothing"
"""The control."""

REWIRED = "all links drawn anew"
"""Not of agents that choose their links in every step."""

EXPERTS = 4
"""So many are born, cloned or lost."""

LOST_FOR = 5
"""Steps in which messages are lost."""

Change = Callable[[BadgerAgent, Life, torch.Generator], Life]

CHANGES: dict[str, Change] = {
    NOTHING: lambda agent, life, generator: life,
    f"{EXPERTS} experts born": lambda agent, life, generator: add_experts(
        agent, life, EXPERTS, generator, _links()
    ),
    f"{EXPERTS} experts cloned": lambda agent, life, generator: clone_experts(
        agent, life, range(life.num_experts - EXPERTS, life.num_experts), "fresh", generator
    ),
    f"{EXPERTS} experts lost": lambda agent, life, generator: remove_experts(
        agent, life, range(life.num_experts - EXPERTS, life.num_experts)
    ),
    REWIRED: lambda agent, life, generator: rewire(agent, life, _links(), generator),
}
"""What happens at once, to all agents of a batch."""

CHANNELS: dict[str, Callable[[], Channel]] = {
    f"half of all messages lost, {LOST_FOR} steps": lambda: LossyChannel(0.5),
    f"all messages lost, {LOST_FOR} steps": lambda: LossyChannel(1.0),
}
"""What happens to messages for a while."""


def _links() -> RandomTopology:
    return RandomTopology(k=4, redraw="agent")


class Recovery(Experiment):
    """Frozen agents solve a task, then something happens to them, and they go on; beside agents to
    whom nothing happens.

    Args:
        policies: groups of one recipe each, as :func:`named_groups` reads them.
        num_steps: inner steps before.
        after: and after it.
        num_outputs: numbers d to guess.
        num_lives: of each policy.
        seed: of tasks and draws.

    Raises:
        ValueError: for a number below 1, or a policy that is none.
    """

    name = "recovery"

    @checked(num_steps=size(), after=size(), num_outputs=size(), num_lives=size(), seed=SEED)
    def __init__(
        self,
        policies: list[str],
        num_steps: int = 30,
        after: int = 40,
        num_outputs: int = 4,
        num_lives: int = 512,
        seed: int = 0,
    ) -> None:
        self.policies = policies
        self.num_steps = num_steps
        self.after = after
        self.num_outputs = num_outputs
        self.num_lives = num_lives
        self.seed = seed

    def compute(self, file: Path) -> dict[str, Any]:
        groups: dict[str, Any] = {}
        for group, policies in named_groups(self.policies).items():
            kept: dict[str, list[list[float]]] = {}
            for policy in track(policies, f"living, {group}"):
                for name, errors in self.errors(policy).items():
                    kept.setdefault(name, []).append(errors)
            groups[group] = kept
        settings = ("num_steps", "after", "num_outputs", "num_lives", "seed")
        return {name: getattr(self, name) for name in settings} | {"groups": groups}

    @torch.no_grad()
    def errors(self, policy: str) -> dict[str, list[float]]:
        """The mean error over lives at every step, by what happens; it happens to the same lives.

        Steps in which messages are lost are left out: what follows them is the recovery.
        """
        agent = load_policy(policy).eval()
        num_experts = expert_rule(policy, ExpertRule())(self.num_outputs)
        generator = torch.Generator().manual_seed(self.seed)
        task = GuessingGame().sample(self.num_lives, self.num_outputs, generator)
        start = unroll(agent, task, num_experts, self.num_steps, generator)
        lives = {}
        for name, change in CHANGES.items():
            if name == REWIRED and agent.topology.dynamic:
                continue
            lives[name] = change(agent, start.life, torch.Generator().manual_seed(self.seed))
        for name, channel in CHANNELS.items():
            # Lives keep how their messages travel, so they are taken into another agent and back.
            deaf = load_policy(policy).eval()
            deaf.communication.channel, deaf.executor = channel(), "auto"
            generator = torch.Generator().manual_seed(self.seed)
            life = life_of_parts(deaf, life_parts(start.life))
            then = unroll(deaf, task, None, LOST_FOR, generator, life=life)
            lives[name] = life_of_parts(agent, life_parts(then.life))
        errors = {}
        for name, life in lives.items():
            onward = unroll(agent, task, None, self.after, life=life)
            errors[name] = torch.cat([start.loss, onward.loss]).double().mean(dim=1).tolist()
        return errors

    @staticmethod
    def markdown(result: dict[str, Any]) -> str:
        """One row an event; ± over seeds, and steps of each seed."""
        groups, before = result["groups"], result["num_steps"]
        heads = ["what happens"]
        for group in groups:
            heads += [f"{group}: worst MSE after", "steps until as good again", "MSE in the end"]
        rows = []
        for name in (*CHANGES, *CHANNELS):
            rows.append([name])
            for kept in groups.values():
                lives = kept.get(name)
                if lives is None:
                    rows[-1] += ["", "", ""]
                    continue
                pairs = zip(lives, kept[NOTHING], strict=True)
                steps = [steps_until_back(life, control, before) for life, control in pairs]
                rows[-1] += [
                    with_bar([max(life[before:]) for life in lives], ".4f"),
                    ", ".join("never" if step is None else str(step) for step in steps),
                    with_bar([life[-1] for life in lives], ".4f"),
                ]
        return table(heads, rows)

    @staticmethod
    def figure(result: dict[str, Any]) -> Figure:
        before = result["num_steps"]
        panels = []
        for group, kept in result["groups"].items():
            steps = list(range(1, before + result["after"] + 1))
            panels.append(
                {
                    "title": group,
                    "x": "inner step",
                    "y": "error (MSE), mean over tasks",
                    "curves": {name: {"x": steps, "y": lives} for name, lives in kept.items()},
                    "lines": {"chance": 1 / 3},
                    "log": True,
                }
            )
        return plots.panels(panels)
