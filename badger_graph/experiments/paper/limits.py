"""What to hold an agent of the guessing game against."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from badger_graph.baselines import ExactSolver, error_after_queries
from badger_graph.experiments.paper.published import Curve
from badger_graph.tasks import GuessingGame


def limits(num_outputs: int, num_steps: int, num_tasks: int, seed: int) -> dict[str, float]:
    """The errors of methods that learned nothing, divided by chance, for d outputs.

    - **chance**: always zero errs by 1.
    - **all outputs equal the mean**: an agent whose outputs cannot differ errs by 1 - 1/d at best.
    - **exact solver**: run here, with T queries; d + 1 are enough to know the target.
    """
    return {
        "chance": 1.0,
        "all outputs equal the mean": 1 - 1 / num_outputs,
        ExactSolver.name: exact_error(num_outputs, num_steps, num_tasks, seed),
    }


def exact_error(num_outputs: int, num_queries: int, num_tasks: int, seed: int) -> float:
    """The exact solver's error after so many queries, divided by chance."""
    family = GuessingGame()
    generator = torch.Generator().manual_seed(seed)
    targets = family.sample(num_tasks, num_outputs, generator).target.double().numpy()

    def error(guess: NDArray[np.float64], target: NDArray[np.float64]) -> float:
        return float(np.square(guess - target).mean())

    errors = error_after_queries(ExactSolver(), targets, num_queries, error, error, seed)
    return float(errors[-1].mean()) / family.chance


def along(x: list[int], values: list[dict[str, float]]) -> dict[str, Curve]:
    """The limits at each place of a horizontal axis, as lines."""
    return {
        name: {"x": [float(place) for place in x], "error": [value[name] for value in values]}
        for name in values[0]
    }
