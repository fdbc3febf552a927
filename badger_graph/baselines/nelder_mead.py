"""The downhill simplex."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from scipy.optimize import minimize

from badger_graph.baselines.best_so_far import FIRST_STEP, BestSoFar, Search


class NelderMead(Search):
    """Moves a simplex of d+1 points downhill; answers with the best point so far.

    From `"A simplex method for function minimization"
    <https://doi.org/10.1093/comjnl/7.4.308>`_, as SciPy has it. Draws nothing at random.
    """

    name: ClassVar[str] = "Nelder-Mead"

    def search(self, query: BestSoFar, num_outputs: int, rng: np.random.Generator) -> None:
        # Not bounded: clipped to the box its simplex goes flat and stops moving.
        # SciPy's own first simplex is 0.00025 wide around a zero, which wastes the budget.
        simplex = np.vstack([np.zeros(num_outputs), FIRST_STEP * np.eye(num_outputs)])
        options = {
            "initial_simplex": simplex,
            "maxiter": query.num_queries,
            "maxfev": query.num_queries,
            "xatol": 0.0,
            "fatol": 0.0,
        }
        minimize(query, np.zeros(num_outputs), method="Nelder-Mead", options=options)
