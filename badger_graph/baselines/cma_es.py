"""Evolution strategy with an adapted covariance."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from badger_graph.baselines.base import BOX
from badger_graph.baselines.best_so_far import BestSoFar, Search


class CMAES(Search):
    """Samples a Gaussian whose mean and covariance follow the best samples.

    Asks zero first, then samples around it with a standard deviation of 0.5; answers with the
    best point so far. From `"The CMA evolution strategy: a tutorial"
    <https://arxiv.org/abs/1604.00772>`_, as the package ``cma`` has it.
    """

    name: ClassVar[str] = "CMA-ES"

    def search(self, query: BestSoFar, num_outputs: int, rng: np.random.Generator) -> None:
        import cma  # it takes a second, which only those who solve should wait

        options: dict[str, Any] = {
            # With bounds cma 4.5 fails in one dimension.
            "bounds": list(BOX) if num_outputs > 1 else [None, None],
            "verbose": -9,
            # Its own seed would reseed NumPy's global generator: all draws come from `rng`.
            "seed": np.nan,
            "randn": lambda *size: rng.standard_normal(size),
        }
        strategy = cma.CMAEvolutionStrategy(np.zeros(num_outputs), 0.5, options)
        query(np.zeros(num_outputs))
        while not strategy.stop():
            guesses = strategy.ask()
            strategy.tell(guesses, [query(guess) for guess in guesses])
