"""What a frozen policy wins of bandits, beside the best possible and what people use."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.figure import Figure

from badger_graph.actions import Distribution
from badger_graph.agent import BadgerAgent
from badger_graph.baselines.online import bandits
from badger_graph.experiments.online.resumption import resume
from badger_graph.experiments.runner import Experiment
from badger_graph.experiments.tables import table, with_bar
from badger_graph.files import read_json, write_json
from badger_graph.library.load import load_agent
from badger_graph.plots.bandits import reward_and_regret
from badger_graph.progress import track
from badger_graph.rollout import live
from badger_graph.tasks import Bandit, Guesses, Task
from topologies.checks import SEED, checked, size

PUBLISHED: dict[str, dict[str, float]] = {
    "RL² (one policy for each cell, published)": {
        "10x5": 6.7,
        "10x10": 6.7,
        "10x50": 6.8,
        "100x5": 78.7,
        "100x10": 83.5,
        "100x50": 84.9,
        "500x5": 401.5,
        "500x10": 432.5,
        "500x50": 438.9,
    },
    "SNAIL (likewise)": {
        "10x5": 6.6,
        "10x10": 6.7,
        "10x50": 6.7,
        "100x5": 79.1,
        "100x10": 83.5,
        "100x50": 85.1,
        "500x5": 408.1,
        "500x10": 432.4,
        "500x50": 442.6,
    },
}
"""Total rewards by cell, means of 1,000 instances, of Duan et al. 2016, "RL²", and Mishra et al.
2018, "A simple neural attentive meta-learner"."""

CELLS = (
    *("10x5", "10x10", "10x50"),
    *("100x5", "100x10", "100x50", "100x200"),
    *("500x5", "500x10", "500x50"),
)

PLAYERS: dict[str, Callable[[np.ndarray, int, int], bandits.Rule]] = {
    "Gittins": lambda _, num_pulls, __: bandits.gittins(num_pulls, 400 if num_pulls < 500 else 160),
    "Thompson": lambda *_: bandits.thompson,
    "UCB, best width": lambda value, num_pulls, seed: bandits.ucb(
        bandits.tuned_ucb(value, num_pulls, seed + 1)
    ),
    "greedy": lambda *_: bandits.greedy,
}
"""The rule of each player for bandits of these means, so many pulls and a seed."""

POINTS = 50
"""Of a curve of regret, at most."""

EXPERTS_AT_ONCE = 100_000

FEW_PULLS = 12
"""Up to so many, the optimum can be computed."""


class PlayBandits(Experiment):
    """Lets frozen policies play Bernoulli bandits of any number of arms and pulls.

    What counts is the sum of the means of the arms that were pulled, over new bandits with means
    uniform in [0, 1]. All players meet the same bandits. That of the exact optimum, for few pulls,
    is computed and not played. The regret of all others is kept, too, over the pulls of a life.
    What is in the file from before is not played again. A policy that was trained on tables meets
    bandits as :class:`badger_graph.tasks.Guesses`: it says how probable it is for each arm to be
    right, pulls one by that, and is told of this one if it was.

    Args:
        policies: shipped ones or checkpoints, one a training seed.
        cells: pulls and arms, as ``100x5``.
        num_bandits: lives in each cell; a quarter of them where there are 500 pulls or 100 arms or
            more.
        seed: of the bandits.

    Raises:
        ValueError: for a number below 1, or cells that are not of this form; and where the
            file has a cell with another number of bandits.
    """

    name = "play_bandits"

    @checked(num_bandits=size(), seed=SEED)
    def __init__(
        self,
        policies: list[str],
        cells: Sequence[str] = CELLS,
        num_bandits: int = 20_000,
        seed: int = 0,
    ) -> None:
        self.policies = policies
        self.cells = {cell: read_cell(cell) for cell in cells}
        self.num_bandits = num_bandits
        self.seed = seed

    def compute(self, file: Path) -> dict[str, Any]:
        agents = {name: load_agent(name) for name in self.policies}
        result: dict[str, Any] = read_json(file) if file.exists() else {}
        for cell, (num_pulls, num_arms) in self.cells.items():
            large = num_pulls >= 500 or num_arms >= 100
            count = max(1, self.num_bandits // 4) if large else self.num_bandits
            kept = resume(result, cell, {"bandits": count}, ["policies", "players"])
            kept["pulls"] = noted_pulls(num_pulls)
            value = np.random.default_rng(self.seed).random((count, num_arms))
            if num_pulls <= FEW_PULLS:
                best = bandits.optimum(num_arms, num_pulls)
                kept["players"]["exact optimum"] = {"mean": round(best, 4), "error": 0.0}
            players = lacking(kept["players"], PLAYERS)
            for name in track(players, f"players, {cell}"):
                rule = PLAYERS[name](value, num_pulls, self.seed)
                pulled = bandits.play(value, num_pulls, rule, self.seed)
                kept["players"][name] = outcome(value, pulled)
                write_json(file, result)
            for policy in lacking(kept["policies"], agents):
                begin = time.process_time()
                name = f"{policy}, {cell}"
                pulled = play(agents[policy], value, num_pulls, self.seed, name)
                seconds = round(time.process_time() - begin, 1)
                kept["policies"][policy] = {**outcome(value, pulled), "cpu_seconds": seconds}
                write_json(file, result)
        return result

    @staticmethod
    def markdown(result: dict[str, Any]) -> str:
        names = {name: None for kept in result.values() for name in kept["players"]}
        rows = []
        own = ["Badger, one frozen policy"]
        for kept in result.values():
            own.append(with_bar([one["mean"] for one in kept["policies"].values()], ".2f"))
        rows.append(own)
        for name in names:
            row = [name]
            for kept in result.values():
                one = kept["players"].get(name)
                row.append(f"{one['mean']:.2f}" if one else "-")
            rows.append(row)
        for name, published in PUBLISHED.items():
            rows.append([name, *(str(published.get(cell, "-")) for cell in result)])
        return table(["pulls x arms", *result], rows)

    @staticmethod
    def figure(result: dict[str, Any]) -> Figure:
        return reward_and_regret(result)


def read_cell(cell: str) -> tuple[int, int]:
    """Pulls and arms of a cell, as ``100x5``.

    Raises:
        ValueError: when it does not say them.
    """
    pulls, _, arms = cell.partition("x")
    if not (pulls.isdigit() and arms.isdigit() and int(pulls) >= 1 and int(arms) >= 2):
        raise ValueError(f"a cell must be pulls x arms, as 100x5, at least 1x2, got {cell!r}")
    return int(pulls), int(arms)


@torch.no_grad()
def play(
    agent: BadgerAgent,
    value: Float[np.ndarray, "lives d"],
    num_pulls: int,
    seed: int,
    name: str = "lives",
) -> Float[np.ndarray, "T lives"]:
    """The mean of the arm that each life of an agent pulls, pull by pull.

    Args:
        agent: trained, frozen.
        value: the probability that each arm pays.
        num_pulls: T.
        seed: of rewards and choices.
        name: of what is done, for the bar.
    """
    pulled = []
    at_once = max(1, EXPERTS_AT_ONCE // value.shape[1])
    pieces = torch.from_numpy(value).float().split(at_once)
    for number, piece in enumerate(track(pieces, name, len(pieces))):
        generator = torch.Generator().manual_seed((seed << 20) + number)
        task: Task = Bandit(piece, "bernoulli", num_pulls)
        num_experts = piece.size(1)
        if isinstance(agent.interface.action, Distribution):  # made for tables
            task = Guesses(piece, num_pulls)
            num_experts = agent.membrane.usual_experts(num_experts, 0)
        lives = zip(range(num_pulls), live(agent, task, num_experts, generator), strict=False)
        means = [(moment.life.action * piece).sum(dim=1) for _, moment in lives]
        pulled.append(torch.stack(means))
    everything: np.ndarray = torch.cat(pulled, dim=1).double().numpy()
    return everything


def noted_pulls(num_pulls: int) -> list[int]:
    """After which pulls the regret is kept: all of few, else as many, evenly, and the last.

    Args:
        num_pulls: T.
    """
    few = min(num_pulls, POINTS)
    return [round((k + 1) * num_pulls / few) for k in range(few)]


def outcome(
    value: Float[np.ndarray, "lives d"], pulled: Float[np.ndarray, "T lives"]
) -> dict[str, Any]:
    r"""What lives are worth in the mean, with its standard error, and their regret.

    .. math::
        R_t = \sum_{s \le t} \big( \max_j \mu_j - \mu_{a_s} \big)

    in the mean, after the pulls t of :func:`noted_pulls`.

    Args:
        value: the mean :math:`\mu_j` of each arm.
        pulled: that of the arm of each pull.
    """
    won = pulled.sum(axis=0)
    regret = (value.max(axis=1) - pulled).mean(axis=1).cumsum()
    return {
        "mean": round(float(won.mean()), 4),
        "error": round(float(won.std() / len(won) ** 0.5), 4),
        "regret": [round(float(regret[pull - 1]), 4) for pull in noted_pulls(len(pulled))],
    }


def lacking(kept: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    """Those that did not play yet, or of whom no regret was kept.

    Args:
        kept: outcomes by name.
        names: who should play.
    """
    return [name for name in names if "regret" not in kept.get(name, {})]
