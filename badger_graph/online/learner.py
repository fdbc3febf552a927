"""What scikit-learn expects of a classifier and a regressor alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from badger_graph.agent import BadgerAgent
from badger_graph.life import Life
from badger_graph.online.table_life import TableLife
from badger_graph.typing import Interface


class OnlineLearner(BaseEstimator):
    """One agent that lives with a table: it is shown examples one by one, and learns in its states.

    The policy is frozen. What is learned of the data is in the states of experts, one on every
    crossing of an input and an output, and on those with hidden wires between. Subclasses say what
    the truth about an example is, and what an answer means.

    Attributes:
        policy: a shipped policy, or a checkpoint.
        hidden_wires: how many there are; none for as many as the policy was trained with.
        allow_missing: take NaN for a number that is missing.
        random_state: seed of what tells hidden wires apart.
    """

    _interface: ClassVar[Interface]

    policy: str | Path
    hidden_wires: int | None
    allow_missing: bool
    random_state: int
    table_: TableLife

    @property
    def life_(self) -> Life:
        """The agent's life so far; :func:`badger_graph.to_pyg` shows what its experts do.

        Raises:
            NotFittedError: before anything was learned.
        """
        check_is_fitted(self, "table_")
        return self.table_.life

    @property
    def agent_(self) -> BadgerAgent:
        """The agent, frozen.

        Raises:
            NotFittedError: before anything was learned.
        """
        check_is_fitted(self, "table_")
        return self.table_.agent

    def _begin(self, num_inputs: int, num_outputs: int) -> None:
        sizes = (num_inputs, num_outputs, self.hidden_wires, self.random_state)
        self.table_ = TableLife(self.policy, self._interface, *sizes)

    def _examples(self, X: Any, reset: bool) -> np.ndarray:
        finite = "allow-nan" if self.allow_missing else True
        examples: np.ndarray = validate_data(
            self, X, reset=reset, dtype=np.float64, ensure_all_finite=finite
        )
        return examples

    def _newborn(self) -> bool:
        return not hasattr(self, "table_")

    def _forget(self) -> Self:
        """As before anything was learned."""
        self.__dict__.pop("table_", None)
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return not self._newborn()

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.allow_missing
        return tags
