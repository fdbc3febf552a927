"""A few examples of each class, then a question."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from badger_graph.baselines.online.classifiers import CLASSIFIERS, FAST
from badger_graph.datasets import Dataset
from badger_graph.experiments.online.learn_tables import load_classes
from badger_graph.experiments.online.lives import right_answers
from badger_graph.experiments.runner import Experiment
from badger_graph.experiments.tables import table, with_bar
from badger_graph.library.load import load_agent
from badger_graph.progress import track
from badger_graph.scaling import scale_together
from topologies.checks import SEED, checked, size


class FewShot(Experiment):
    """Shows frozen policies a few examples of each of some classes, and asks about another one.

    Every episode draws its classes and examples anew, in random order. Inputs are centred and
    scaled by one number for all, that of the whole table: images of which a few are shown have no
    deviations of their own to go by. No example of the table was ever used in training.

    Args:
        policies: shipped ones or checkpoints, one a training seed.
        tables: names of tables, or files of your own.
        ways: classes of an episode.
        shots: examples of each class, several numbers.
        num_episodes: for each of these.
        seed: of the episodes.

    Raises:
        ValueError: for a number below 1, or a table without as many classes.
    """

    name = "few_shot"

    @checked(ways=size(2), num_episodes=size(), seed=SEED)
    def __init__(
        self,
        policies: list[str],
        tables: Sequence[str] = ("digits",),
        ways: int = 5,
        shots: Sequence[int] = (1, 5),
        num_episodes: int = 2000,
        seed: int = 0,
    ) -> None:
        self.policies = policies
        self.tables = {name: load_classes(name) for name in tables}
        for name, data in self.tables.items():
            if data.num_classes < ways:
                raise ValueError(
                    f"a table must have at least ways={ways} classes, got {data.num_classes} "
                    f"in {name}"
                )
        self.ways = ways
        self.shots = shots
        self.num_episodes = num_episodes
        self.seed = seed

    def compute(self, file: Path) -> dict[str, Any]:
        agents = {name: load_agent(name) for name in self.policies}
        result: dict[str, Any] = {}
        for name, data in self.tables.items():
            for shots in self.shots:
                inputs, label = self.draw(data, shots)
                policies = {
                    policy: _last(right_answers(agent, inputs, label, self.ways, name=policy))
                    for policy, agent in agents.items()
                }
                baselines = {
                    baseline: _last(CLASSIFIERS[baseline](inputs, label, self.ways))
                    for baseline in track(FAST, f"baselines, {name}")
                }
                key = f"{name}, {self.ways} ways, {shots} shots"
                result[key] = {
                    "episodes": self.num_episodes,
                    "policies": policies,
                    "baselines": baselines,
                }
        return result

    def draw(self, data: Dataset, shots: int) -> tuple[Float[Tensor, "T B n"], Int[Tensor, "T B"]]:
        """Episodes: the examples in random order, and the question last.

        Args:
            data: the table.
            shots: examples of each class.

        Returns:
            inputs and labels of ``ways * shots + 1`` examples, classes numbered anew in each.
        """
        rng = np.random.default_rng((self.seed, shots))
        of_class = [np.flatnonzero(data.target == one) for one in range(data.num_classes)]
        values = scale_together(torch.from_numpy(np.nan_to_num(data.inputs)))
        rows = np.empty((self.ways * shots + 1, self.num_episodes), dtype=np.int64)
        label = np.empty_like(rows)
        for episode in range(self.num_episodes):
            classes = rng.permutation(data.num_classes)[: self.ways]
            asked = rng.integers(self.ways)
            drawn, marks = [], []
            for way, one in enumerate(classes):
                some = rng.permutation(of_class[one])[: shots + 1]
                drawn += list(some[:shots])
                marks += [way] * shots
                if way == asked:
                    question = some[-1]
            order = rng.permutation(len(drawn))
            rows[:, episode] = [*np.array(drawn)[order], question]
            label[:, episode] = [*np.array(marks)[order], asked]
        return values[torch.from_numpy(rows)].float(), torch.from_numpy(label)

    @staticmethod
    def markdown(result: dict[str, Any]) -> str:
        first = next(iter(result.values()))
        rows = [["Badger, frozen"]]
        for kept in result.values():
            rows[0].append(with_bar(list(kept["policies"].values()), ".3f"))
        rows += [
            [name, *(f"{kept['baselines'][name]:.3f}" for kept in result.values())]
            for name in first["baselines"]
        ]
        return table(["learner", *result], rows)


def _last(right: Tensor) -> float:
    return round(float(right[-1].float().mean()), 4)
