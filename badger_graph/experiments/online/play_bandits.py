"""What a frozen policy wins of bandits, beside the best possible and what people use."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from badger_graph.agent import BadgerAgent
from badger_graph.baselines.online import bandits
from badger_graph.experiments.runner import Experiment
from badger_graph.experiments.tables import table, with_bar
from badger_graph.files import read_json, write_json
from badger_graph.library.load import load_agent
from badger_graph.plots.bandits import reward_against_players
from badger_graph.progress import track
from badger_graph.rollout import live
from badger_graph.tasks import Bandit
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
"""Total rewards, Duan et al. 2016 and Mishra et al. 2018: of 1,000 instances, so about ±.1."""

CELLS = ("10x5", "10x10", "10x50", "100x5", "100x10", "100x50", "500x5", "500x10", "500x50")

EXPERTS_AT_ONCE = 100_000

FEW_PULLS = 12
"""Up to so many, the optimum can be computed."""


class PlayBandits(Experiment):
    """Lets frozen policies play Bernoulli bandits of any number of arms and pulls.

    What counts is the sum of the means of the arms that were pulled, over new bandits with means
    uniform in [0, 1]. All players meet the same bandits. That of the exact optimum, for few pulls,
    is computed and not played.

    Args:
        policies: shipped ones or checkpoints, one a training seed.
        cells: pulls and arms, as ``100x5``.
        num_bandits: lives in each cell; a quarter of them where there are 500 pulls or more.
        seed: of the bandits.

    Raises:
        ValueError: for a number below 1, or cells that are not of this form.
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
            count = self.num_bandits if num_pulls < 500 else max(1, self.num_bandits // 4)
            kept = result.setdefault(cell, {"bandits": count, "policies": {}, "players": {}})
            value = np.random.default_rng(self.seed).random((count, num_arms))
            if num_pulls <= FEW_PULLS:
                best = bandits.optimum(num_arms, num_pulls)
                kept["players"]["exact optimum"] = {"mean": round(best, 4), "error": 0.0}
            players: dict[str, bandits.Rule] = {}
            if "Gittins" not in kept["players"]:
                levels = 400 if num_pulls < 500 else 160
                width = bandits.tuned_ucb(value, num_pulls, self.seed + 1)
                players = {
                    "Gittins": bandits.gittins(num_pulls, levels),
                    "Thompson": bandits.thompson,
                    "UCB, best width": bandits.ucb(width),
                    "greedy": bandits.greedy,
                }
            for name, rule in track(players.items(), f"players, {cell}", len(players)):
                kept["players"][name] = _outcome(bandits.play(value, num_pulls, rule, self.seed))
                write_json(file, result)
            for policy, agent in agents.items():
                if policy not in kept["policies"]:
                    begin = time.process_time()
                    won = rewards(agent, value, num_pulls, self.seed, f"{policy}, {cell}")
                    seconds = round(time.process_time() - begin, 1)
                    kept["policies"][policy] = {**_outcome(won), "cpu_seconds": seconds}
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
        return reward_against_players(result)


def read_cell(cell: str) -> tuple[int, int]:
    """Pulls and arms.

    Raises:
        ValueError: when it does not say them.
    """
    pulls, _, arms = cell.partition("x")
    if not (pulls.isdigit() and arms.isdigit() and int(pulls) >= 1 and int(arms) >= 2):
        raise ValueError(f"a cell must be pulls x arms, as 100x5, at least 1x2, got {cell!r}")
    return int(pulls), int(arms)


@torch.no_grad()
def rewards(
    agent: BadgerAgent, value: np.ndarray, num_pulls: int, seed: int, name: str
) -> np.ndarray:
    """What each life of an agent is worth: the sum of the means of what it pulled."""
    total = []
    at_once = max(1, EXPERTS_AT_ONCE // value.shape[1])
    pieces = torch.from_numpy(value).float().split(at_once)
    for number, piece in enumerate(track(pieces, name, len(pieces))):
        generator = torch.Generator().manual_seed((seed << 20) + number)
        task = Bandit(piece, "bernoulli", num_pulls)
        won = torch.zeros(len(piece))
        lives = live(agent, task, piece.size(1), generator)
        for _, moment in zip(range(num_pulls), lives, strict=False):
            won += (moment.life.action * piece).sum(dim=1)
        total.append(won)
    return torch.cat(total).numpy()


def _outcome(won: np.ndarray) -> dict[str, float]:
    return {
        "mean": round(float(won.mean()), 4),
        "error": round(float(won.std() / len(won) ** 0.5), 4),
    }
