"""The chance level."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from jaxtyping import Float64

from badger_graph.baselines.base import Query, Solver


class AlwaysZero(Solver):
    r"""Asks nothing and answers with the mean of the targets: this is chance.

    For targets uniform in :math:`[-1, 1]^d` its mean squared error is
    :math:`\mathbb E[t_i^2] = 1/3`.
    """

    name: ClassVar[str] = "always zero"

    def solve(
        self, query: Query, num_outputs: int, num_queries: int, rng: np.random.Generator
    ) -> Float64[np.ndarray, "num_queries d"]:
        return np.zeros((num_queries, num_outputs))
