"""The downhill simplex."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from jaxtyping import Float64

from badger_graph.baselines.base import Query, Solver
from badger_graph.baselines.scipy_minimise import FIRST_STEP, scipy_minimise


class NelderMead(Solver):
    """Moves a simplex of d+1 points downhill; answers with the best point so far.

    From `"A simplex method for function minimization"
    <https://doi.org/10.1093/comjnl/7.4.308>`_, as SciPy has it. Draws nothing at random.
    """

    name: ClassVar[str] = "Nelder-Mead"

    def solve(
        self, query: Query, num_outputs: int, num_queries: int, rng: np.random.Generator
    ) -> Float64[np.ndarray, "num_queries d"]:
        # Not bounded: clipped to the box its simplex goes flat and stops moving.
        # SciPy's own first simplex is 0.00025 wide around a zero, which wastes the budget.
        simplex = np.vstack([np.zeros(num_outputs), FIRST_STEP * np.eye(num_outputs)])
        options = {
            "initial_simplex": simplex,
            "maxiter": num_queries,
            "maxfev": num_queries,
            "xatol": 0.0,
            "fatol": 0.0,
        }
        return scipy_minimise(
            "Nelder-Mead", query, num_outputs, num_queries, options, bounded=False
        )
