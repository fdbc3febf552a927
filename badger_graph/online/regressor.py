"""A regressor that learns while it is used."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_is_fitted, column_or_1d

from badger_graph.online.learner import OnlineLearner
from badger_graph.scaling import RunningScale
from badger_graph.tasks import REGRESSION


class OnlineRegressor(RegressorMixin, OnlineLearner):
    """A regressor for any table, one example at a time, that needs no training of its own.

    As :class:`OnlineClassifier`, for a number to be said about each example. Inputs and targets may
    be in any unit: the agent lives with both in units of their deviation so far, and targets beyond
    four of them are told as four.

    Args:
        policy: a shipped policy for regression, or a checkpoint of your own. It is read when the
            first examples are learned.
        hidden_wires: how many hidden wires there are, for what is not linear; as many as the
            policy was trained with by default.
        allow_missing: take NaN for a number that is missing; refuse it by default.
        random_state: seed of what tells hidden wires apart.

    Attributes:
        n_features_in_: inputs n.
        agent_: the agent, frozen.
        life_: its life so far; :func:`badger_graph.to_pyg` shows what its experts do.
    """

    _interface = REGRESSION

    def __init__(
        self,
        policy: str | Path = "regression-0",
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
            y: ``[rows]``, a number each.

        Raises:
            ValueError: for inputs or targets that are not finite or not as many, or a policy that
                is none.
        """
        return self._forget().partial_fit(X, y)

    def partial_fit(self, X: Any, y: Any) -> Self:
        """Live on with these examples, in their order.

        Args:
            X: ``[rows, n]``.
            y: ``[rows]``, a number each.

        Raises:
            ValueError: for inputs or targets that are not finite or not as many, or inputs of
                another number than before. Nothing is learned then. For a policy that is none.
        """
        newborn = self._newborn()
        examples = self._examples(X, reset=newborn)
        targets = column_or_1d(y, warn=True).astype(np.float64)
        if len(targets) != len(examples) or not np.isfinite(targets).all():
            raise ValueError(
                "every example must have one finite target, got "
                f"{len(examples)} examples and {int(np.isfinite(targets).sum())} finite targets"
            )
        if newborn:
            self._begin(examples.shape[1], 1)
            self.target_scale_ = RunningScale(1, 1)
        for example, target in zip(examples, torch.from_numpy(targets), strict=True):
            self.target_scale_.see(target.view(1, 1))
            self.table_.learn(example, self.target_scale_.scale(target.view(1, 1))[0])
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The number that the agent says about each example, ``[rows]``, in the unit of targets.

        Args:
            X: ``[rows, n]``.

        Raises:
            ValueError: for inputs that are not finite or of another number than before.
            NotFittedError: before anything was learned.
        """
        check_is_fitted(self, "table_")
        answers = self.table_.answer(self._examples(X, reset=False))
        said: np.ndarray = self.target_scale_.unscale(answers)[:, 0].numpy()
        return said
