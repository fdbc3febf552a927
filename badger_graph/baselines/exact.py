"""The limit: d+1 queries say everything."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from jaxtyping import Float64

from badger_graph.baselines.base import Query, Solver

DISPLACEMENT = 1.0
"""How far each query is from zero; rounding errors grow as it shrinks."""


class ExactSolver(Solver):
    r"""Knows that the feedback is a mean squared error and solves for the target.

    .. math::
        f(x) = \tfrac{1}{d} \lVert x - t \rVert^2
        \quad\Rightarrow\quad
        t_i = \frac{h^2 - d \, \bigl(f(h e_i) - f(0)\bigr)}{2 h}

    It asks zero and then one displaced point a coordinate, d+1 queries in all, and leaves the
    rest of its budget unused. Before that it answers with the coordinates known so far and 0
    elsewhere: :math:`f(0)` gives away the length of what is missing, but its sign stays open,
    so 0 is its mean. No method does better after d+1 queries, and with fewer the target is not
    determined. With any other feedback (quantised, L1) its answers are biased.
    """

    name: ClassVar[str] = "exact solver"

    def solve(
        self, query: Query, num_outputs: int, num_queries: int, rng: np.random.Generator
    ) -> Float64[np.ndarray, "num_queries d"]:
        h = DISPLACEMENT
        answers = np.zeros((num_queries, num_outputs))
        at_zero = query(np.zeros(num_outputs))
        for i in range(min(num_outputs, num_queries - 1)):
            displaced = np.zeros(num_outputs)
            displaced[i] = h
            answers[i + 1 :, i] = (h**2 - num_outputs * (query(displaced) - at_zero)) / (2 * h)
        return answers
