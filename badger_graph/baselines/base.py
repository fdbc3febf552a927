"""What every baseline is: a solver of one guessing game; and its repetition over many."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

import numpy as np
from jaxtyping import Float, Float64

from badger_graph.progress import track
from topologies.checks import SEED, checked, size

Query = Callable[[Float64[np.ndarray, " d"]], float]
"""One guess in, the feedback on it out."""

Score = Callable[[Float64[np.ndarray, " d"], Float64[np.ndarray, " d"]], float]
"""A guess and the target in, a number out: what a solver sees, or how its answer is judged."""

BOX = (-1.0, 1.0)
"""The range of every coordinate of a target, which every solver may know."""


class OutOfQueries(Exception):  # noqa: N818  (it ends a search and is no mistake)
    """The solver asked for more feedback than it may have."""


class Solver(ABC):
    """A method that guesses the target of one task from feedback alone.

    The first query of every solver that asks at all is the zero vector: an agent's first
    feedback is on the zero action too, so that after ``q`` queries all of them have been told
    equally often. No solver learns anything across tasks.
    """

    name: ClassVar[str]
    """How tables and figures call it."""

    @abstractmethod
    def solve(
        self, query: Query, num_outputs: int, num_queries: int, rng: np.random.Generator
    ) -> Float64[np.ndarray, "num_queries d"]:
        """The answers to one task.

        Args:
            query: gives the feedback on a guess; to be called at most ``num_queries`` times.
            num_outputs: the number d of coordinates of the target.
            num_queries: how many queries the solver may make.
            rng: the only source of random draws.

        Returns:
            Row ``q - 1`` is the answer that the solver would give after ``q`` queries.
        """


@checked(num_queries=size(), seed=SEED)
def error_after_queries(
    solver: Solver,
    targets: Float[np.ndarray, "tasks d"],
    num_queries: int,
    feedback: Score,
    error: Score,
    seed: int,
) -> Float64[np.ndarray, "num_queries tasks"]:
    """The error of a solver's answer after each number of queries, on each task.

    The random draws for a task are a function of ``seed`` and its target, so the result for a
    task depends neither on its place among the others nor on their number.

    Args:
        solver: the method to judge.
        targets: one task a row.
        num_queries: the budget on each task.
        feedback: what the solver is told about a guess; may be coarser than the error.
        error: how its answers are judged, from guess and target.
        seed: seed of the random draws.

    Raises:
        ValueError: when there is nothing to ask for, or the solver breaks its contract.
        OutOfQueries: when the solver asks too often.
    """
    targets = np.asarray(targets, dtype=np.float64)
    if targets.ndim != 2 or targets.size == 0:
        raise ValueError(f"targets must be a table [tasks, d], not empty, got {targets.shape}")
    errors = [
        [error(answer, target) for answer in _answers(solver, target, num_queries, feedback, seed)]
        for target in track(targets, f"{solver.name}, tasks")
    ]
    return np.array(errors, dtype=np.float64).T


def _answers(
    solver: Solver, target: Float64[np.ndarray, " d"], num_queries: int, feedback: Score, seed: int
) -> Float64[np.ndarray, "num_queries d"]:
    num_asked = 0

    def query(guess: Float64[np.ndarray, " d"]) -> float:
        nonlocal num_asked
        if num_asked == num_queries:
            raise OutOfQueries(f"{solver.name} may ask {num_queries} times and asked once more")
        num_asked += 1
        return float(feedback(guess, target))

    rng = np.random.default_rng([seed, *np.ascontiguousarray(target).view(np.uint64).tolist()])
    answers = solver.solve(query, target.size, num_queries, rng)
    if answers.shape != (num_queries, target.size):
        raise ValueError(
            f"a solver must give one answer a query, {(num_queries, target.size)}, "
            f"{solver.name} gave {answers.shape}"
        )
    return answers
