"""The memory that turns any search into a solver."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from badger_graph.baselines.base import OutOfQueries, Query


class BestSoFar:
    r"""A query that remembers the best guess so far and ends the search when the budget is spent.

    .. math::
        a_q = x_{k}, \quad k = \arg\min_{i \le q} f(x_i), \text{ the earliest of equals}

    Args:
        query: the feedback of the task.
        num_queries: how often it may be called.
    """

    def __init__(self, query: Query, num_queries: int) -> None:
        self._query = query
        self._num_queries = num_queries
        self._best: list[Float64[np.ndarray, " d"]] = []
        self._lowest = np.inf

    def __call__(self, guess: Float64[np.ndarray, " d"]) -> float:
        """The feedback on ``guess``.

        Raises:
            OutOfQueries: when the budget is spent; the search is then over.
        """
        if len(self._best) == self._num_queries:
            raise OutOfQueries(f"all {self._num_queries} queries are used")
        # The copy matters: searches write the next guess into the same array.
        guess = np.array(guess, dtype=np.float64)
        value = self._query(guess)
        if not self._best or value < self._lowest:
            self._lowest = value
            self._best.append(guess)
        else:
            self._best.append(self._best[-1])
        return value

    def answers(self) -> Float64[np.ndarray, "num_queries d"]:
        """The best guess after each query; a search that stopped early keeps its last one."""
        num_left = self._num_queries - len(self._best)
        return np.stack(self._best + self._best[-1:] * num_left)
