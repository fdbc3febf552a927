"""Classes that come two by two, in one pass: what is left of the first ones in the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.neighbors import KNeighborsClassifier

from badger_graph.experiments.online.learn_tables import load_classes
from badger_graph.experiments.runner import Experiment
from badger_graph.experiments.tables import table, with_bar
from badger_graph.online import OnlineClassifier
from badger_graph.progress import track
from topologies.checks import SEED, checked, size

Inputs = Float[np.ndarray, "rows n"]
Labels = Int[np.ndarray, " rows"]

Learner = Callable[[Inputs, Labels, Inputs, int], Labels]
"""Examples in their order, what to answer then, and the number of classes, to the answers."""

RATES = (0.003, 0.01, 0.03, 0.1, 0.3)
"""Of stochastic gradients, the best of which counts, in hindsight."""

WAYS = ("in sequence", "shuffled")
"""Task after task, two classes each; the same examples in random order."""


class ClassIncremental(Experiment):
    """Frozen policies learn the classes of a table two by two: all examples of the first two, then
    those of the next two, each once and in one life. In the end they are asked about all classes.

    Args:
        policies: shipped ones or checkpoints, one a training seed.
        data: a table, or a file of your own.
        per_class: examples of each class.
        questions: about each class, in the end.
        num_orders: lives, each with other pairs of classes and other examples.
        seed: of the orders.

    Raises:
        ValueError: for a number below 1, or a table with too few classes or examples.
    """

    name = "class_incremental"

    @checked(per_class=size(), questions=size(), num_orders=size(), seed=SEED)
    def __init__(
        self,
        policies: list[str],
        data: str = "digits",
        per_class: int = 15,
        questions: int = 20,
        num_orders: int = 50,
        seed: int = 0,
    ) -> None:
        self.policies = policies
        self.data = load_classes(data)
        fewest = min(np.bincount(self.data.target))
        if self.data.num_classes < 4 or fewest < per_class + questions:
            raise ValueError(
                "a table must have at least 4 classes and per_class + questions = "
                f"{per_class + questions} examples of each, got {self.data.num_classes} classes, "
                f"of one {fewest} examples, in {data}"
            )
        self.per_class = per_class
        self.questions = questions
        self.num_orders = num_orders
        self.seed = seed

    def compute(self, file: Path) -> dict[str, Any]:
        result: dict[str, Any] = {
            name: getattr(self, name) for name in ("per_class", "questions", "num_orders", "seed")
        }
        learners: dict[str, Learner] = {policy: _agent(policy) for policy in self.policies}
        result["policies"] = {name: self.accuracy(name, one) for name, one in learners.items()}
        result["baselines"] = {name: self.accuracy(name, one) for name, one in BASELINES.items()}
        rates = [self.accuracy(f"gradients, {rate}", _gradients(rate)) for rate in RATES]
        best = {way: max(rate[way] for rate in rates) for way in WAYS}
        result["baselines"]["softmax regression, best rates"] = best
        return result

    def accuracy(self, name: str, learner: Learner) -> dict[str, float]:
        """The share of right answers in the end, by the order of the examples."""
        right: dict[str, list[float]] = {way: [] for way in WAYS}
        for orders in track(self.orders(), name, self.num_orders):
            asked = orders["asked"]
            for way in WAYS:
                inputs, label = self.data.inputs[orders[way]], self.data.target[orders[way]]
                said = learner(inputs, label, self.data.inputs[asked], self.data.num_classes)
                right[way].append(float((said == self.data.target[asked]).mean()))
        return {way: round(float(np.mean(of)), 4) for way, of in right.items()}

    def orders(self) -> Iterator[dict[str, Labels]]:
        """Of each life the rows to learn in both orders, and those to be asked about."""
        rng = np.random.default_rng(self.seed)
        last = self.per_class + self.questions
        for _ in range(self.num_orders):
            classes = rng.permutation(self.data.num_classes)
            drawn = {c: rng.permutation(np.flatnonzero(self.data.target == c)) for c in classes}
            pairs = [classes[first : first + 2] for first in range(0, len(classes), 2)]
            tasks = [np.concatenate([drawn[c][: self.per_class] for c in pair]) for pair in pairs]
            sequence = np.concatenate([rng.permutation(task) for task in tasks])
            asked = np.concatenate([drawn[c][self.per_class : last] for c in classes])
            yield dict(zip(WAYS, (sequence, rng.permutation(sequence)), strict=True), asked=asked)

    @staticmethod
    def markdown(result: dict[str, Any]) -> str:
        policies = result["policies"].values()
        rows = [["Badger, frozen", *(with_bar([p[way] for p in policies], ".3f") for way in WAYS)]]
        for name, kept in result["baselines"].items():
            rows.append([name, *(f"{kept[way]:.3f}" for way in WAYS)])
        return table(["learner", *WAYS], rows)


def _agent(policy: str) -> Learner:
    def learner(inputs: Inputs, label: Labels, asked: Inputs, num_classes: int) -> Labels:
        agent = OnlineClassifier(policy).partial_fit(inputs, label, classes=range(num_classes))
        answers: Labels = agent.predict(asked)
        return answers

    return learner


def _scaled(inputs: Inputs, asked: Inputs) -> tuple[Inputs, Inputs]:
    """Both in units of the mean deviation of the first, around its mean."""
    centre, deviation = inputs.mean(axis=0), inputs.std(axis=0).mean()
    return (inputs - centre) / deviation, (asked - centre) / deviation


def _refitted(make: Callable[[], Any]) -> Learner:
    def learner(inputs: Inputs, label: Labels, asked: Inputs, num_classes: int) -> Labels:
        inputs, asked = _scaled(inputs, asked)
        answers: Labels = make().fit(inputs, label).predict(asked)
        return answers

    return learner


_nearest_neighbour = _refitted(lambda: KNeighborsClassifier(1))


def _nearest_mean(inputs: Inputs, label: Labels, asked: Inputs, num_classes: int) -> Labels:
    classes = np.unique(label)
    means = np.stack([inputs[label == one].mean(axis=0) for one in classes])
    return _nearest_neighbour(means, classes, asked, num_classes)


def _gradients(rate: float) -> Learner:
    """Logistic regressions, one a class, by one gradient an example."""

    def learner(inputs: Inputs, label: Labels, asked: Inputs, num_classes: int) -> Labels:
        inputs, asked = _scaled(inputs, asked)
        model = SGDClassifier(loss="log_loss", alpha=0.0, learning_rate="constant", eta0=rate)
        for row, one in zip(inputs, label, strict=True):
            model.partial_fit(row[None], one[None], classes=range(num_classes))
        answers: Labels = model.predict(asked)
        return answers

    return learner


BASELINES: dict[str, Learner] = {
    "nearest neighbour": _nearest_neighbour,
    "nearest mean": _nearest_mean,
    "refitted logistic regression": _refitted(lambda: LogisticRegression(max_iter=1000)),
}
"""None of them forgets, since all examples or means are kept."""
