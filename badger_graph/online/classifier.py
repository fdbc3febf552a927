"""A classifier that learns while it is used."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets, unique_labels
from sklearn.utils.validation import check_is_fitted, column_or_1d

from badger_graph.online.learner import OnlineLearner
from badger_graph.tasks import CLASSIFICATION


class OnlineClassifier(ClassifierMixin, OnlineLearner):
    """A classifier for any table, one example at a time, that needs no training of its own.

    An agent with a frozen policy, which was trained on made-up tables alone, lives with the data:
    each example is shown, answered, and then its class is told. There are no rates, scales or
    epochs to set; inputs may be in any unit.

    It follows scikit-learn's conventions: :meth:`partial_fit` goes on with what it has learned,
    :meth:`fit` begins a new life and goes through the rows once, in their order. To predict changes
    nothing: each row is answered as if it came next.

    Args:
        policy: a shipped policy for tables, or a checkpoint of your own. It is read when the first
            examples are learned.
        hidden_wires: how many hidden wires there are, for what is not linear; as many as the
            policy was trained with by default.
        allow_missing: take NaN for a number that is missing; refuse it by default.
        random_state: seed of what tells hidden wires apart.

    Attributes:
        classes_: the classes, in the order of :meth:`predict_proba`.
        n_features_in_: inputs n.
        agent_: the agent, frozen.
        life_: its life so far; :func:`badger_graph.to_pyg` shows what its experts do.
    """

    _interface = CLASSIFICATION

    classes_: np.ndarray

    def __init__(
        self,
        policy: str | Path = "tables-0",
        hidden_wires: int | None = None,
        allow_missing: bool = False,
        random_state: int = 0,
    ) -> None:
        self.policy = policy
        self.hidden_wires = hidden_wires
        self.allow_missing = allow_missing
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> Self:
        """A new life with these examples, in their order.

        Args:
            X: ``[rows, n]``.
            y: ``[rows]``, a class each; those that are there are all that there will be.

        Raises:
            ValueError: for inputs that are not finite, labels that are no classes or not as many,
                or a policy that is none.
        """
        check_classification_targets(y)
        self._forget()
        return self.partial_fit(X, y, classes=unique_labels(y))

    def partial_fit(self, X: Any, y: Any, classes: Any = None) -> Self:
        """Live on with these examples, in their order.

        Args:
            X: ``[rows, n]``.
            y: ``[rows]``, a class each.
            classes: all there will be; needed the first time, and not after.

        Raises:
            ValueError: for inputs that are not finite or of another number than before, labels
                that are not as many, when no classes were announced or others than before, or for
                a class that was not. Nothing is learned then. For a policy that is none.
        """
        newborn = self._newborn()
        examples = self._examples(X, reset=newborn)
        labels = column_or_1d(y, warn=True)
        if len(labels) != len(examples):
            raise ValueError(
                f"every example must have one class, got {len(examples)} and {len(labels)} classes"
            )
        check_classification_targets(labels)
        if newborn:
            if classes is None:
                raise ValueError("classes must be passed on the first call to partial_fit")
            announced = unique_labels(classes)
        else:
            announced = self.classes_
            if classes is not None and not np.array_equal(announced, unique_labels(classes)):
                raise ValueError(
                    f"classes must be the same as before, {announced.tolist()}, got {list(classes)}"
                )
        strange = sorted(set(labels.tolist()) - set(announced.tolist()), key=str)
        if strange:
            raise ValueError(
                f"labels must be announced in classes, {announced.tolist()}, got {strange[0]!r}"
            )
        if newborn:
            self.classes_ = announced
            self._begin(examples.shape[1], len(announced))
        truths = torch.eye(len(announced))[np.searchsorted(announced, labels)]
        for example, truth in zip(examples, truths, strict=True):
            self.table_.learn(example, truth)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """How probable each class is for each example, ``[rows, d]``, rows that sum to one.

        Args:
            X: ``[rows, n]``.

        Raises:
            ValueError: for inputs that are not finite or of another number than before.
            NotFittedError: before anything was learned.
        """
        check_is_fitted(self, "table_")
        answers: np.ndarray = self.table_.answer(self._examples(X, reset=False)).double().numpy()
        return answers / answers.sum(axis=1, keepdims=True)

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class of each example, ``[rows]``.

        Args:
            X: ``[rows, n]``.

        Raises:
            ValueError: for inputs that are not finite or of another number than before.
            NotFittedError: before anything was learned.
        """
        probability = self.predict_proba(X)
        best: np.ndarray = self.classes_[probability.argmax(axis=1)]
        return best
