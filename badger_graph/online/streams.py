"""Learners of streams, by the conventions of river."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from numbers import Real
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from river import base
from river.base.typing import ClfTarget, FeatureName

from badger_graph.online.table_life import TableLife
from badger_graph.scaling import RunningScale
from badger_graph.tasks import CLASSIFICATION, REGRESSION
from badger_graph.typing import Interface


class StreamLearner(base.Estimator):
    """One agent that lives with a stream of named numbers, of which more may come at any time.

    What is not in an example is missing. With a name that was never there an input joins, and the
    experts on its crossings are born.

    Attributes:
        policy: a shipped policy, or a checkpoint.
        hidden_wires: how many there are; none for as many as the policy was trained with.
        seed: of what tells hidden wires apart.
    """

    _interface: ClassVar[Interface]

    policy: str | Path
    hidden_wires: int | None
    seed: int

    def _unit_test_skips(self) -> set[str]:
        # It compares pickles byte by byte, and in those of tensors are addresses.
        return {"check_no_state_aliasing_with_input"}

    def _start(self) -> None:
        self._table: TableLife | None = None
        self._inputs: dict[FeatureName, int] = {}

    def _row(self, x: Mapping[FeatureName, Any]) -> np.ndarray:
        """The numbers of an example, each in its place."""
        row = np.full(len(self._inputs), math.nan)
        for name, value in x.items():
            if not isinstance(value, Real) or math.isinf(value):
                raise ValueError(f"an input must be a finite number, got {name}={value!r}")
            if name in self._inputs:
                row[self._inputs[name]] = value
        return row

    def _see(self, x: Mapping[FeatureName, Any], num_outputs: int) -> np.ndarray:
        """The numbers of an example, with an agent that has a place for all of them."""
        self._row(x)  # a bad one changes nothing
        for name in sorted(x.keys() - self._inputs.keys(), key=repr):
            self._inputs[name] = len(self._inputs)
        sizes = (len(self._inputs), num_outputs)
        if self._table is None:
            self._table = TableLife(
                self.policy, self._interface, *sizes, self.hidden_wires, self.seed
            )
        elif sizes != (self._table.life.num_inputs, self._table.life.num_outputs):
            self._table.grow(*sizes)
        return self._row(x)

    @property
    def life(self) -> Any:
        """The agent's life so far; none before anything was learned."""
        return None if self._table is None else self._table.life


class StreamClassifier(StreamLearner, base.Classifier):
    """A classifier of streams that needs no training of its own, and no rate.

    As :class:`badger_graph.OnlineClassifier`, where neither inputs nor classes are announced: both
    join the agent as they come.

    Args:
        policy: a shipped policy for tables, or a checkpoint of your own.
        hidden_wires: how many hidden wires there are, for what is not linear; as many as the
            policy was trained with by default.
        seed: of what tells hidden wires apart.
    """

    _interface = CLASSIFICATION

    def __init__(
        self, policy: str = "tables-0", hidden_wires: int | None = None, seed: int = 0
    ) -> None:
        self.policy = policy
        self.hidden_wires = hidden_wires
        self.seed = seed
        self._start()
        self._classes: dict[Hashable, int] = {}

    @property
    def _multiclass(self) -> bool:
        return True

    def learn_one(self, x: dict[FeatureName, Any], y: ClfTarget) -> None:
        """Answer an example, and be told its class.

        Raises:
            ValueError: when an input is no finite number. Nothing is learned then.
        """
        self._row(x)
        self._classes.setdefault(y, len(self._classes))
        row = self._see(x, len(self._classes))
        assert self._table is not None
        truth = torch.zeros(len(self._classes))
        truth[self._classes[y]] = 1
        self._table.learn(row, truth)

    def predict_proba_one(self, x: dict[FeatureName, Any], **kwargs: Any) -> dict[ClfTarget, float]:
        """How probable each class is that was seen so far.

        Raises:
            ValueError: when an input is no finite number.
        """
        if self._table is None:
            return {}
        answer = self._table.answer(self._row(x)[None])[0].double()
        shares = (answer / answer.sum()).tolist()
        return dict(zip(self._classes, shares, strict=True))  # type: ignore[arg-type]


class StreamRegressor(StreamLearner, base.Regressor):
    """A regressor of streams that needs no training of its own, and no rate.

    As :class:`badger_graph.OnlineRegressor`, where inputs are not announced.

    Args:
        policy: a shipped policy for regression, or a checkpoint of your own.
        hidden_wires: how many hidden wires there are, for what is not linear; as many as the
            policy was trained with by default.
        seed: of what tells hidden wires apart.
    """

    _interface = REGRESSION

    def __init__(
        self, policy: str = "regression-0", hidden_wires: int | None = None, seed: int = 0
    ) -> None:
        self.policy = policy
        self.hidden_wires = hidden_wires
        self.seed = seed
        self._start()
        self._scale = RunningScale(1, 1)

    def learn_one(self, x: dict[FeatureName, Any], y: float) -> None:
        """Answer an example, and be told its number.

        Raises:
            ValueError: when an input or the target is no finite number. Nothing is learned then.
        """
        if not isinstance(y, Real) or not math.isfinite(y):
            raise ValueError(f"a target must be a finite number, got {y!r}")
        row = self._see(x, 1)
        assert self._table is not None
        target = torch.tensor([[float(y)]], dtype=torch.float64)
        self._scale.see(target)
        self._table.learn(row, self._scale.scale(target)[0])

    def predict_one(self, x: dict[FeatureName, Any]) -> float:
        """The number that the agent says; 0 before anything was learned.

        Raises:
            ValueError: when an input is no finite number.
        """
        if self._table is None:
            return 0.0
        answer = self._table.answer(self._row(x)[None])
        return float(self._scale.unscale(answer))
