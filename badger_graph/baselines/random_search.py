"""Guessing blindly and keeping the best."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from badger_graph.baselines.base import BOX
from badger_graph.baselines.best_so_far import BestSoFar, Search


class RandomSearch(Search):
    """Asks zero, then uniform random points; answers with the best point so far."""

    name: ClassVar[str] = "random search"

    def search(self, query: BestSoFar, num_outputs: int, rng: np.random.Generator) -> None:
        guesses = rng.uniform(*BOX, size=(query.num_queries, num_outputs))
        guesses[0] = 0.0
        for guess in guesses:
            query(guess)
