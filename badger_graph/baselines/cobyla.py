"""Linear models in a shrinking trust region."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from scipy.optimize import minimize

from badger_graph.baselines.base import BOX
from badger_graph.baselines.best_so_far import FIRST_STEP, BestSoFar, Search


class COBYLA(Search):
    """Fits a linear model to d+1 points and steps downhill; answers with the best point so far.

    From `"A direct search optimization method that models the objective and constraint
    functions by linear interpolation" <https://doi.org/10.1007/978-94-015-8330-5_4>`_, as SciPy
    has it. Draws nothing at random.
    """

    name: ClassVar[str] = "COBYLA"

    def search(self, query: BestSoFar, num_outputs: int, rng: np.random.Generator) -> None:
        # It insists on a budget of d+2; the query ends it where we want.
        budget = max(query.num_queries, num_outputs + 2)
        options = {"rhobeg": FIRST_STEP, "tol": 1e-10, "maxiter": budget}
        bounds = [BOX] * num_outputs
        minimize(query, np.zeros(num_outputs), method="COBYLA", bounds=bounds, options=options)
