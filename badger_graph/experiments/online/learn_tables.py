"""Accuracy over examples of real tables, of frozen policies and of what people use."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure

from badger_graph.baselines.online import CLASSIFIERS
from badger_graph.baselines.online.classifiers import FAST
from badger_graph.datasets import DATASETS, Dataset, load_dataset
from badger_graph.experiments.online.lives import draw_orders, right_answers
from badger_graph.experiments.online.resumption import resume
from badger_graph.experiments.runner import Experiment
from badger_graph.experiments.tables import table, with_bar
from badger_graph.files import read_json, write_json
from badger_graph.library.load import load_agent
from badger_graph.plots.accuracy import accuracy_over_examples
from badger_graph.progress import track
from topologies.checks import SEED, checked, size

FIVE = ("iris", "wine", "breast_cancer", "digits", "mnist_7x7")

WINDOWS = ((1, 10), (11, 30), (31, 100), (71, 100), (121, 200), (401, 500))
"""From which example to which the mean accuracy is in the table; those that lives are long
enough for."""


class LearnTables(Experiment):
    """Lets frozen policies learn real tables, example by example, beside what people use.

    Every order of a table is a life: an example is shown, answered, and then its class is told. All
    see the same orders, with inputs scaled by what was seen so far. The policies were trained on
    made-up tables alone. What is in the file from before is not computed again.

    Args:
        policies: shipped ones or checkpoints, one a training seed.
        tables: names of tables, or files of your own.
        num_orders: lives with each table.
        num_examples: of each life, or all there are.
        slow_orders: lives of the baselines that go through them one by one.
        hidden_wires: of the agents, 0 for the crossings of inputs and classes alone; as many as
            each policy was trained with by default.
        seed: of the orders.

    Raises:
        ValueError: for a number below 1, or a table that is none or has numbers to say; and where
            the file has a table with other numbers of orders, examples or hidden wires.
    """

    name = "learn_tables"

    @checked(
        num_orders=size(),
        num_examples=size(),
        slow_orders=size(0),
        hidden_wires=size(0),
        seed=SEED,
    )
    def __init__(
        self,
        policies: list[str],
        tables: Sequence[str] = FIVE,
        num_orders: int = 200,
        num_examples: int = 100,
        slow_orders: int = 20,
        hidden_wires: int | None = None,
        seed: int = 0,
    ) -> None:
        self.policies = policies
        self.tables = {name: load_classes(name) for name in tables}
        self.num_orders = num_orders
        self.num_examples = num_examples
        self.slow_orders = slow_orders
        self.hidden_wires = hidden_wires
        self.seed = seed

    def compute(self, file: Path) -> dict[str, Any]:
        agents = {name: load_agent(name) for name in self.policies}
        result: dict[str, Any] = read_json(file) if file.exists() else {}
        settings = {
            "num_orders": self.num_orders,
            "num_examples": self.num_examples,
            "hidden_wires": self.hidden_wires,
        }
        for name, data in self.tables.items():
            kept = resume(result, name, settings, ["policies", "baselines"])
            inputs, label = draw_orders(data, self.num_orders, self.num_examples, self.seed)
            for policy, agent in agents.items():
                if policy not in kept["policies"]:
                    lives = (inputs, label, data.num_classes, f"{policy}, {name}")
                    right = right_answers(agent, *lives, self.hidden_wires)
                    kept["policies"][policy] = curve(right)
                    write_json(file, result)
            slow = {} if not self.slow_orders else CLASSIFIERS
            for baseline in track(slow or FAST, f"baselines, {name}"):
                if baseline not in kept["baselines"]:
                    orders = self.num_orders if baseline in FAST else self.slow_orders
                    some = (inputs[:, :orders], label[:, :orders], data.num_classes)
                    kept["baselines"][baseline] = curve(CLASSIFIERS[baseline](*some))
                    write_json(file, result)
        return result

    @staticmethod
    def markdown(result: dict[str, Any]) -> str:
        parts = []
        for name, kept in result.items():
            length = len(next(iter(kept["policies"].values()))["accuracy"])
            windows = [window for window in WINDOWS if window[1] <= length]
            wires = kept.get("hidden_wires")
            agent = "Badger" if wires is None else f"Badger, {wires} hidden wires"
            rows = [[agent, *(_of_policies(kept["policies"], window) for window in windows)]]
            for baseline, own in kept["baselines"].items():
                rows.append([baseline, *(f"{_mean(own, window):.3f}" for window in windows)])
            heads = [name, *(f"examples {low}-{high}" for low, high in windows)]
            parts.append(table(heads, rows))
        return "\n\n".join(parts)

    @staticmethod
    def figure(result: dict[str, Any]) -> Figure:
        return accuracy_over_examples(result)


def load_classes(name: str) -> Dataset:
    """A table with classes.

    Args:
        name: as :func:`badger_graph.datasets.load_dataset` takes it.

    Raises:
        ValueError: when it has numbers to say.
    """
    data = load_dataset(name)
    if not data.num_classes:
        raise ValueError(
            f"the table must have classes, got {name!r}, which has numbers to say; those with "
            f"classes are {', '.join(set(DATASETS) - {'diabetes'})}, or a file of yours"
        )
    return data


def curve(right: torch.Tensor) -> dict[str, Any]:
    """The accuracy of every example of a life, over orders, as plain numbers."""
    accuracy = right.float().mean(dim=1)
    return {"orders": right.size(1), "accuracy": [round(float(share), 4) for share in accuracy]}


def _mean(own: dict[str, Any], window: tuple[int, int]) -> float:
    low, high = window
    values = own["accuracy"][low - 1 : high]
    return float(sum(values) / len(values))


def _of_policies(policies: dict[str, Any], window: tuple[int, int]) -> str:
    return with_bar([_mean(own, window) for own in policies.values()], ".3f")
