"""The baselines: exact where they can be, honest about what they ask, the same every time."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from badger_graph.baselines import (
    SOLVERS,
    AlwaysZero,
    ExactSolver,
    OutOfQueries,
    Solver,
    error_after_queries,
)
from badger_graph.baselines.best_so_far import BestSoFar

BEST_SO_FAR = ("random_search", "nelder_mead", "cobyla", "cma_es")


def mse(guess, target):
    return float(np.mean((guess - target) ** 2))


def uniform_targets(num_tasks, num_outputs, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (num_tasks, num_outputs))


def errors_of(name, targets, num_queries, seed=0):
    return error_after_queries(SOLVERS[name](), targets, num_queries, mse, mse, seed)


def test_every_solver_has_a_name_of_its_own():
    assert len({solver.name for solver in SOLVERS.values()}) == len(SOLVERS)


# The contract of every solver.


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize(("num_outputs", "num_queries"), [(1, 1), (1, 20), (3, 2), (4, 20), (9, 5)])
def test_budget_shape_and_first_query(name, num_outputs, num_queries):
    target = uniform_targets(1, num_outputs)[0]
    asked = []

    def query(guess):
        asked.append(np.array(guess))
        assert guess.shape == (num_outputs,)
        return mse(guess, target)

    rng = np.random.default_rng(0)
    answers = SOLVERS[name]().solve(query, num_outputs, num_queries, rng)
    assert answers.shape == (num_queries, num_outputs)
    assert answers.dtype == np.float64
    assert len(asked) <= num_queries
    assert not asked or not asked[0].any()
    assert not answers[0].any()


@pytest.mark.parametrize("name", BEST_SO_FAR)
def test_answers_are_the_best_queries_so_far(name):
    target = uniform_targets(1, 3)[0]
    guesses, values = [], []

    def query(guess):
        guesses.append(np.array(guess))
        values.append(mse(guess, target))
        return values[-1]

    answers = SOLVERS[name]().solve(query, 3, 25, np.random.default_rng(0))
    for q in range(1, len(guesses) + 1):
        np.testing.assert_array_equal(answers[q - 1], guesses[int(np.argmin(values[:q]))])


@pytest.mark.parametrize("name", [*BEST_SO_FAR, "exact"])
def test_error_never_grows(name):
    errors = errors_of(name, uniform_targets(10, 4), 30)
    assert (np.diff(errors, axis=0) <= 1e-12).all()


@pytest.mark.parametrize("name", SOLVERS)
def test_seed_reproduces_and_order_does_not_matter(name):
    targets = uniform_targets(6, 3)
    order = np.array([4, 0, 5, 2, 1, 3])
    first = errors_of(name, targets, 12, 7)
    again = errors_of(name, targets[order], 12, 7)
    np.testing.assert_array_equal(first[:, order], again)


@pytest.mark.parametrize("name", ["random_search", "cma_es"])
def test_seeds_differ(name):
    targets = uniform_targets(3, 3)
    assert not np.array_equal(errors_of(name, targets, 12, 0), errors_of(name, targets, 12, 1))


@pytest.mark.parametrize("name", SOLVERS)
def test_leaves_the_global_generator_alone_and_prints_nothing(name, capfd, recwarn):
    np.random.seed(3)
    before = np.random.get_state()[1].copy()
    errors_of(name, uniform_targets(2, 2), 60)
    np.testing.assert_array_equal(before, np.random.get_state()[1])
    assert capfd.readouterr() == ("", "")
    assert not recwarn.list


@pytest.mark.parametrize("name", SOLVERS)
def test_coarse_feedback_is_no_obstacle(name):
    def hot_or_cold(guess, target):
        return float(mse(guess, target) > 0.2)

    errors = error_after_queries(SOLVERS[name](), uniform_targets(4, 3), 40, hot_or_cold, mse, 0)
    assert np.isfinite(errors).all()


# What each of them is good for.


@settings(max_examples=60, deadline=None)
@given(
    target=st.integers(1, 20).flatmap(
        lambda d: st.lists(st.floats(-1, 1, allow_nan=False), min_size=d, max_size=d)
    )
)
def test_exact_solver_is_exact_after_d_plus_one_queries(target):
    targets = np.array([target])
    num_outputs = targets.shape[1]
    errors = error_after_queries(ExactSolver(), targets, num_outputs + 3, mse, mse, 0)
    assert (errors[num_outputs:] < 1e-10).all()
    # Until then it misses exactly the coordinates that it has not asked about.
    for q in range(1, num_outputs + 1):
        unknown = np.sum(targets[0, q - 1 :] ** 2) / num_outputs
        assert errors[q - 1, 0] == pytest.approx(unknown, abs=1e-10)


def test_exact_solver_is_nowhere_near_one_query_earlier():
    errors = error_after_queries(ExactSolver(), uniform_targets(200, 4), 5, mse, mse, 0)
    assert errors[3].mean() > 0.05  # one unknown coordinate of four: 1/12 on average


@pytest.mark.parametrize("num_outputs", [1, 4])
def test_always_zero_is_chance(num_outputs):
    errors = error_after_queries(AlwaysZero(), uniform_targets(2000, num_outputs), 2, mse, mse, 0)
    standard_error = errors[-1].std() / np.sqrt(2000)
    assert abs(errors[-1].mean() - 1 / 3) < 4 * standard_error


def test_search_beats_chance_and_adaptation_beats_blind_search():
    last = {name: errors_of(name, uniform_targets(8, 4), 150)[-1].mean() for name in SOLVERS}
    assert last["random_search"] < 0.5 * last["always_zero"]
    for name in ("cma_es", "nelder_mead", "cobyla"):
        assert last[name] < 0.1 * last["random_search"], name


# Their repetition over tasks.


class Greedy(Solver):
    """Asks once more than it may."""

    name = "greedy"

    def solve(self, query, num_outputs, num_queries, rng):
        for _ in range(num_queries + 1):
            query(np.zeros(num_outputs))
        return np.zeros((num_queries, num_outputs))


class Terse(Solver):
    """Gives one answer where one a query is due."""

    name = "terse"

    def solve(self, query, num_outputs, num_queries, rng):
        return np.zeros((1, num_outputs))


def test_asking_too_often_is_an_error():
    with pytest.raises(OutOfQueries, match="greedy may ask 3 times"):
        error_after_queries(Greedy(), uniform_targets(1, 2), 3, mse, mse, 0)


def test_answers_of_the_wrong_shape_are_an_error():
    with pytest.raises(ValueError, match=r"\(3, 2\), terse gave \(1, 2\)"):
        error_after_queries(Terse(), uniform_targets(1, 2), 3, mse, mse, 0)


def test_feedback_and_error_are_different_things():
    """The solver sees only the feedback: under a constant one no search leaves zero."""
    targets = uniform_targets(3, 2)
    errors = error_after_queries(SOLVERS["random_search"](), targets, 9, lambda x, t: 1.0, mse, 0)
    np.testing.assert_allclose(errors, np.broadcast_to((targets**2).mean(axis=1), (9, 3)))


def test_memory_keeps_its_own_copy():
    search = BestSoFar(lambda guess: float(guess.sum()), 3)
    guess = np.zeros(2)
    search(guess)
    guess += 5
    np.testing.assert_array_equal(search.answers(), np.zeros((3, 2)))
