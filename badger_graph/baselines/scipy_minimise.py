"""The one way in which the local searches of SciPy are run."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np
from jaxtyping import Float64
from scipy.optimize import minimize

from badger_graph.baselines.base import BOX, OutOfQueries, Query
from badger_graph.baselines.best_so_far import BestSoFar

FIRST_STEP = 0.5
"""How far a search first moves away from zero: half way to the border of the box."""


def scipy_minimise(
    method: str,
    query: Query,
    num_outputs: int,
    num_queries: int,
    options: Mapping[str, Any],
    bounded: bool,
) -> Float64[np.ndarray, "num_queries d"]:
    """The best guess after each query of a SciPy search that starts at zero.

    The budget is not left to SciPy, whose methods go over ``maxfev`` or raise it when it is
    small: the query itself ends the search.

    Args:
        method: name of the search, as :func:`scipy.optimize.minimize` knows it.
        query: the feedback of the task.
        num_outputs: the number d of coordinates.
        num_queries: how many queries it may make.
        options: the options of that search.
        bounded: whether it is told the range of the targets.
    """
    search = BestSoFar(query, num_queries)
    with suppress(OutOfQueries):
        minimize(
            search,
            np.zeros(num_outputs),
            method=method,
            bounds=[BOX] * num_outputs if bounded else None,
            options=dict(options),
        )
    return search.answers()
