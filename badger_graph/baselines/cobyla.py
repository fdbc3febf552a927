"""Linear models in a shrinking trust region."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from jaxtyping import Float64

from badger_graph.baselines.base import Query, Solver
from badger_graph.baselines.scipy_minimise import FIRST_STEP, scipy_minimise


class COBYLA(Solver):
    """Fits a linear model to d+1 points and steps downhill; answers with the best point so far.

    From `"A direct search optimization method that models the objective and constraint
    functions by linear interpolation" <https://doi.org/10.1007/978-94-015-8330-5_4>`_, as SciPy
    has it. Draws nothing at random.
    """

    name: ClassVar[str] = "COBYLA"

    def solve(
        self, query: Query, num_outputs: int, num_queries: int, rng: np.random.Generator
    ) -> Float64[np.ndarray, "num_queries d"]:
        # COBYLA itself insists on a budget of d+2; `scipy_minimise` ends it where we want.
        options = {"rhobeg": FIRST_STEP, "tol": 1e-10, "maxiter": max(num_queries, num_outputs + 2)}
        return scipy_minimise("COBYLA", query, num_outputs, num_queries, options, bounded=True)
