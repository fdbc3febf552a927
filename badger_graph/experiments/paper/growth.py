"""Growing a living agent: train, freeze, adapt, change the experts, go on."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from badger_graph import plots
from badger_graph.agent import BadgerAgent
from badger_graph.experiments.paper.jobs import load_policy
from badger_graph.experiments.runner import Experiment
from badger_graph.experiments.tables import median_steps, table
from badger_graph.growth import (
    CloneIdentifiers,
    add_experts,
    change_outputs,
    clone_experts,
    remove_experts,
    rewire,
)
from badger_graph.life import Life
from badger_graph.membranes import Membrane
from badger_graph.plots.growth import error_after
from badger_graph.progress import track
from badger_graph.rollout import unroll
from badger_graph.tasks import GuessingGame, Task
from badger_graph.tasks.base import State
from badger_graph.typing import Observation
from topologies import RandomTopology
from topologies.checks import SEED, checked, size

Change = Callable[[BadgerAgent, Life, torch.Generator], Life]
"""What happens to living agents, all at once."""

UNCHANGED = "unchanged"
"""The control."""

MARGIN = 0.1
"""An error is back at its former level when it is above it by at most this share of it."""


class Situation(NamedTuple):
    """So many experts with so many outputs guess so many numbers, until something changes."""

    name: str
    num_experts: int
    num_outputs: int
    numbers: int
    before: int
    changes: dict[str, Change]


class PartlyReached(Task):
    """A task of more numbers than the agent has outputs: it moves the first, the rest stay zero.

    Feedback and error are those of the whole task.

    Args:
        whole: the task.
        num_outputs: outputs of the agent.
    """

    def __init__(self, whole: Task, num_outputs: int) -> None:
        self.whole = whole
        self.batch_size = whole.batch_size
        self.num_outputs = num_outputs

    def reset(self, generator: torch.Generator | None = None) -> tuple[State, Observation]:
        state, observation = self.whole.reset(generator)
        return state, self._restrict(observation)

    def step(
        self,
        state: State,
        action: Float[Tensor, "B d"],
        generator: torch.Generator | None = None,
    ) -> tuple[State, Observation, Float[Tensor, " B"]]:
        rest = self.whole.num_outputs - self.num_outputs
        state, observation, error = self.whole.step(state, F.pad(action, (0, rest)), generator)
        return state, self._restrict(observation), error

    def _restrict(self, observation: Observation) -> Observation:
        return observation._replace(outputs=observation.outputs[:, : self.num_outputs])


def situations(agent: BadgerAgent) -> list[Situation]:
    """A small task, and one too large for the experts there are, changed early and late.

    Where every output needs an expert (the hardwired membrane), too large is a task of more
    numbers than the agent can have outputs: outputs grow with the experts. Elsewhere two experts
    have to do with all outputs.
    """
    small: dict[str, Change] = {
        UNCHANGED: _unchanged,
        "6 clones": _cloning(6, "same"),
        "6 clones, fresh identifiers": _cloning(6, "fresh"),
        "6 newborn experts": _newborn(6),
        "20 newborn experts": _newborn(20),
        "3 experts removed": _removal(3),
    }
    if not agent.topology.dynamic:  # else experts have chosen other links by the next step
        small["rewired: 4 random in-links"] = _rewire
    if _needs_own_experts(agent.membrane):
        sizes = (10, 4, 12)
        large: dict[str, Change] = {
            UNCHANGED: _unchanged,
            "10 outputs, no more experts": _with_outputs(10, _unchanged),
            "12 outputs, 8 clones, fresh identifiers": _with_outputs(12, _cloning(8, "fresh")),
            "12 outputs, 8 newborn experts": _with_outputs(12, _newborn(8)),
            "all experts newborn": _born_again(18, 12),
        }
    else:
        sizes = (2, 6, 6)
        large = {
            UNCHANGED: _unchanged,
            "14 clones, fresh identifiers": _cloning(14, "fresh"),
            "14 newborn experts": _newborn(14),
            "all experts newborn": _born_again(16, 6),
        }
    return [
        Situation("a small task", 10, 4, 4, 20, small),
        Situation("a task too large, after 5 steps", *sizes, 5, large),
        Situation("a task too large, after 20 steps", *sizes, 20, large),
    ]


class Growth(Experiment):
    """The five steps of Rosa et al. 2019, "Scalability and Growing": agents are trained, which is
    done already, and frozen; live for some steps; get experts, clones or newborn ones, in the midst
    of it; and go on. Beside it, experts are removed and links are drawn anew.

    Args:
        checkpoints: trained agents of one configuration, one a seed of training; files or names of
            shipped policies.
        num_tasks: lives of each agent.
        after: inner steps after the change.
        seed: seed of the tasks.
    """

    name = "growth"

    @checked(num_tasks=size(2), after=size(), seed=SEED)
    def __init__(
        self, checkpoints: list[str], num_tasks: int = 512, after: int = 30, seed: int = 1
    ) -> None:
        self.checkpoints = checkpoints
        self.num_tasks = num_tasks
        self.after = after
        self.seed = seed

    def compute(self, file: Path) -> dict[str, Any]:
        agents = [load_policy(name) for name in self.checkpoints]
        lives = growth(agents, self.num_tasks, self.after, self.seed)
        return {"checkpoints": self.checkpoints, **lives}

    @staticmethod
    def markdown(result: dict[str, Any]) -> str:
        """One row a change; ± as :func:`error_after`."""
        heads = ["situation", "what changes", "experts", "outputs", "MSE just before"]
        heads += ["worst step after", "steps until back", "MSE at the end"]
        rows = []
        for situation in result["situations"]:
            before, unchanged = situation["before"], situation["changes"][UNCHANGED]
            for name, change in situation["changes"].items():
                mean, bar = error_after(change)
                worst = max(range(before, len(mean)), key=mean.__getitem__)
                cells = (f"{mean[step]:.4f} ± {bar[step]:.4f}" for step in (before - 1, worst, -1))
                just_before, at_worst, at_end = cells
                pairs = zip(change["error"], unchanged["error"], strict=True)
                back = [steps_until_back(error, control, before) for error, control in pairs]
                experts = str(change["num_experts"])
                outputs = f"{change['num_outputs']} of {situation['numbers']}"
                until = "not back" if back.count(None) == len(back) else median_steps(back, "g")
                row = [situation["name"], name, experts, outputs, just_before, at_worst, until]
                rows.append([*row, at_end])
        return table(heads, rows)

    figure = staticmethod(plots.growth)


@torch.no_grad()
@checked(num_tasks=size(2), after=size(), seed=SEED)
def growth(
    agents: Sequence[BadgerAgent], num_tasks: int = 512, after: int = 30, seed: int = 1
) -> dict[str, Any]:
    """The paper's five steps: agents are trained; frozen; adapt to tasks in their inner loop; are
    changed in the midst of it; and go on.

    Every change happens to the same lives; in the control nothing changes.

    Source: Rosa et al. 2019, "Scalability and Growing".

    Args:
        agents: trained ones with the same membrane, one a seed of training.
        num_tasks: lives of each.
        after: inner steps after the change.
        seed: seed of tasks and draws.

    Returns:
        Plain data: for every situation and change the mean error over tasks of each agent at each
        step, ``[agents][steps]``, and its standard error.

    Raises:
        ValueError: when there is no agent, or a number is too small.
    """
    if not agents:
        raise ValueError("growing needs at least one trained agent, got none")
    rows = []
    for situation in track(situations(agents[0]), "growing"):
        lives = [_lives(agent, situation, num_tasks, after, seed) for agent in agents]
        sizes = {name: getattr(situation, name) for name in situation._fields[:-1]}
        changes = {
            name: {
                **dict(zip(("num_experts", "num_outputs"), lives[0][name][1:], strict=True)),
                "error": [of[name].loss.mean(dim=1).tolist() for of in lives],
                "standard_error": [
                    (of[name].loss.std(dim=1) / math.sqrt(num_tasks)).tolist() for of in lives
                ],
            }
            for name in situation.changes
        }
        rows.append({**sizes, "changes": changes})
    return {"num_tasks": num_tasks, "after": after, "seed": seed, "situations": rows}


def steps_until_back(error: Sequence[float], unchanged: Sequence[float], before: int) -> int | None:
    """How many steps after the change the error is back at its former level, for good.

    The former level is the error of the last step before the change, or that of unchanged agents
    at the same step where it has risen meanwhile; back is an error at most :data:`MARGIN` above
    it, from then to the end. None: it is not back; 0: it never left.

    Args:
        error: after every step, those before the change included.
        unchanged: likewise, of the control.
        before: steps before the change.
    """
    levels = [max(error[before - 1], control) for control in unchanged[before:]]
    away = [
        step
        for step, (value, level) in enumerate(zip(error[before:], levels, strict=True), start=1)
        if not value <= (1 + MARGIN) * level
    ]
    if not away:
        return 0
    return None if away[-1] == len(levels) else away[-1] + 1


class _Outcome(NamedTuple):
    loss: Float[Tensor, "T B"]
    num_experts: int
    num_outputs: int


def _lives(
    agent: BadgerAgent, situation: Situation, num_tasks: int, after: int, seed: int
) -> dict[str, _Outcome]:
    generator = torch.Generator(agent.device).manual_seed(seed)
    task = GuessingGame().sample(num_tasks, situation.numbers, generator)
    _, num_experts, num_outputs, *_ = situation
    first = PartlyReached(task, num_outputs)
    start = unroll(agent, first, num_experts, situation.before, generator)
    lives = {}
    for name, change in situation.changes.items():
        generator = torch.Generator(agent.device).manual_seed(seed + 1)
        life = change(agent, start.life, generator)
        num_experts, num_outputs = life.num_experts, life.num_outputs
        then = PartlyReached(task, num_outputs)
        onward = unroll(agent, then, num_experts, after, generator, life=life)
        lives[name] = _Outcome(torch.cat([start.loss, onward.loss]), num_experts, num_outputs)
    return lives


def _needs_own_experts(membrane: Membrane) -> bool:
    """Whether every output needs an expert of its own."""
    try:
        membrane.check(num_experts=1, num_outputs=2)
    except ValueError:
        return True
    return False


def _unchanged(agent: BadgerAgent, life: Life, generator: torch.Generator) -> Life:
    return life


def _rewire(agent: BadgerAgent, life: Life, generator: torch.Generator) -> Life:
    return rewire(agent, life, RandomTopology(k=4, redraw="agent"), generator)


def _newborn(num: int) -> Change:
    return lambda agent, life, generator: add_experts(agent, life, num, generator)


def _cloning(num: int, identifiers: CloneIdentifiers) -> Change:
    def change(agent: BadgerAgent, life: Life, generator: torch.Generator) -> Life:
        experts = [expert % life.num_experts for expert in range(-num, 0)]
        return clone_experts(agent, life, experts, identifiers, generator)

    return change


def _removal(num: int) -> Change:
    def change(agent: BadgerAgent, life: Life, generator: torch.Generator) -> Life:
        last = life.num_experts
        return remove_experts(agent, life, range(last - num, last))

    return change


def _with_outputs(num_outputs: int, first: Change) -> Change:
    def change(agent: BadgerAgent, life: Life, generator: torch.Generator) -> Life:
        return change_outputs(agent, first(agent, life, generator), num_outputs, generator)

    return change


def _born_again(num_experts: int, num_outputs: int) -> Change:
    return lambda agent, life, generator: agent.reset(
        life.batch_size, num_experts, num_outputs, generator
    )
