"""Guessing blindly and keeping the best."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from jaxtyping import Float64

from badger_graph.baselines.base import BOX, Query, Solver
from badger_graph.baselines.best_so_far import BestSoFar


class RandomSearch(Solver):
    """Asks zero, then uniform random points; answers with the best point so far."""

    name: ClassVar[str] = "random search"

    def solve(
        self, query: Query, num_outputs: int, num_queries: int, rng: np.random.Generator
    ) -> Float64[np.ndarray, "num_queries d"]:
        search = BestSoFar(query, num_queries)
        guesses = rng.uniform(*BOX, size=(num_queries, num_outputs))
        guesses[0] = 0.0
        for guess in guesses:
            search(guess)
        return search.answers()
