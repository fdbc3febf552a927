"""The memory that turns any search into a solver."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import suppress

import numpy as np
from jaxtyping import Float64

from badger_graph.baselines.base import OutOfQueries, Query, Solver

FIRST_STEP = 0.5
"""How far a search first moves away from zero: half way to the border of the box."""


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
        self.num_queries = num_queries
        self._best: list[Float64[np.ndarray, " d"]] = []
        self._lowest = np.inf

    def __call__(self, guess: Float64[np.ndarray, " d"]) -> float:
        """The feedback on ``guess``.

        Raises:
            OutOfQueries: when the budget is spent; the search is then over.
        """
        if len(self._best) == self.num_queries:
            raise OutOfQueries(f"all {self.num_queries} queries are used")
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
        num_left = self.num_queries - len(self._best)
        return np.stack(self._best + self._best[-1:] * num_left)


class Search(Solver, ABC):
    """Answers with the best guess so far of a search that starts at zero.

    The budget is not left to the search, which may go over its own or raise it when it is small:
    the query itself ends it.
    """

    @abstractmethod
    def search(self, query: BestSoFar, num_outputs: int, rng: np.random.Generator) -> None:
        """Ask, zero first, as long as there is something to ask."""

    def solve(
        self, query: Query, num_outputs: int, num_queries: int, rng: np.random.Generator
    ) -> Float64[np.ndarray, "num_queries d"]:
        best = BestSoFar(query, num_queries)
        with suppress(OutOfQueries):
            self.search(best, num_outputs, rng)
        return best.answers()
