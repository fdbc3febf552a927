"""Learners for users who train nothing."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
import torch
from properties import assert_refused
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from badger_graph import BanditPlayer, OnlineClassifier, OnlineRegressor, to_pyg
from badger_graph.datasets import Dataset
from badger_graph.experiments.online.lives import answers, draw_orders
from badger_graph.library.load import load_agent
from badger_graph.tasks import Classification

torch.set_num_threads(1)


@parametrize_with_checks([OnlineClassifier(), OnlineRegressor()])
def test_scikit_learn_is_content(estimator, check) -> None:
    check(estimator)


def iris(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    inputs, classes = load_iris(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(classes))
    return inputs[order], classes[order]


def test_it_learns_one_example_at_a_time() -> None:
    inputs, classes = load_breast_cancer(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(classes))[:120]
    learner, right = OnlineClassifier(), []
    for row, label in zip(inputs[order], classes[order], strict=True):
        if hasattr(learner, "life_"):
            right.append(learner.predict(row[None])[0] == label)
        learner.partial_fit(row[None], [label], classes=[0, 1])
    assert np.mean(right[60:]) > 0.9


@pytest.mark.parametrize("wires", [None, 0, 3])
def test_it_is_the_agent_of_the_library(wires: int | None) -> None:
    """The same answers as a life with the task of examples."""
    inputs, classes = iris()
    learner = OnlineClassifier(hidden_wires=wires, random_state=0)
    told = []
    for row, label in zip(inputs[:12], classes[:12], strict=True):
        if hasattr(learner, "life_"):
            told.append(learner.predict_proba(row[None])[0])
        learner.partial_fit(row[None], [label], classes=[0, 1, 2])
    scaled, label = draw_orders(Dataset(inputs[:12], classes[:12]), 1, 12, seed=0)
    order = np.random.default_rng(0).permutation(12)
    again = OnlineClassifier(hidden_wires=wires, random_state=0)
    for row in order[:-1]:
        again.partial_fit(inputs[row][None], [classes[row]], classes=[0, 1, 2])
    truth = torch.nn.functional.one_hot(label, 3).float()
    agent = load_agent("tables-0")
    said = answers(agent, Classification, scaled, truth, hidden_wires=wires)[-1, 0]
    np.testing.assert_allclose(again.predict_proba(inputs[order[-1]][None])[0], said, atol=1e-5)
    assert np.allclose(np.sum(told, axis=1), 1)


def test_asking_changes_nothing() -> None:
    inputs, classes = iris()
    asked = OnlineClassifier().fit(inputs[:20], classes[:20])
    before = asked.predict_proba(inputs)
    np.testing.assert_array_equal(asked.predict_proba(inputs), before)
    asked.partial_fit(inputs[20:30], classes[20:30])
    silent = OnlineClassifier().fit(inputs[:20], classes[:20])
    silent.partial_fit(inputs[20:30], classes[20:30])
    np.testing.assert_array_equal(silent.predict_proba(inputs), asked.predict_proba(inputs))


def test_units_are_its_own_business() -> None:
    inputs, classes = iris()
    plain = OnlineClassifier().fit(inputs[:40], classes[:40])
    other = OnlineClassifier().fit(1000 * inputs[:40] - 77, classes[:40])
    np.testing.assert_allclose(
        other.predict_proba(1000 * inputs - 77), plain.predict_proba(inputs), atol=1e-3
    )


def test_words_are_classes_too_and_order_is_that_of_classes() -> None:
    inputs, classes = iris()
    words = np.array(["setosa", "versicolor", "virginica"])[classes]
    learner = OnlineClassifier().partial_fit(inputs[:60], words[:60], classes=sorted(set(words)))
    assert learner.predict(inputs[60:]).dtype == words.dtype
    assert learner.score(inputs[60:], words[60:]) > 0.8
    assert list(learner.classes_) == sorted(set(words))


def test_it_can_be_kept_cloned_and_put_in_a_pipeline() -> None:
    inputs, classes = iris()
    learner = OnlineClassifier(random_state=3).fit(inputs[:30], classes[:30])
    kept = pickle.loads(pickle.dumps(learner))
    np.testing.assert_array_equal(kept.predict_proba(inputs), learner.predict_proba(inputs))
    kept.partial_fit(inputs[30:40], classes[30:40])
    learner.partial_fit(inputs[30:40], classes[30:40])
    np.testing.assert_array_equal(kept.predict_proba(inputs), learner.predict_proba(inputs))
    assert not hasattr(clone(learner), "life_")
    pipeline = make_pipeline(StandardScaler(), OnlineClassifier())
    assert pipeline.fit(inputs[:60], classes[:60]).score(inputs[60:], classes[60:]) > 0.8


def test_missing_numbers_are_taken_where_it_is_said() -> None:
    inputs, classes = iris()
    inputs = inputs.copy()
    inputs[::3, 1] = np.nan
    learner = OnlineClassifier(allow_missing=True).fit(inputs[:90], classes[:90])
    assert learner.score(inputs[90:], classes[90:]) > 0.8
    assert_refused("NaN", lambda: OnlineClassifier().fit(inputs, classes))


def test_more_hidden_wires_are_more_experts() -> None:
    inputs, classes = iris()
    few, more = (OnlineClassifier(hidden_wires=k).fit(inputs[:40], classes[:40]) for k in (0, 5))
    assert few.life_.num_experts == 15
    assert more.life_.num_experts == 15 + 5 * 8
    assert len(to_pyg(few.life_).hidden) == 15


@pytest.mark.parametrize(
    ("inputs", "labels", "classes", "message"),
    [
        (np.ones((2, 4)), [0, 3], None, r"announced in classes, \[0, 1, 2\], got 3"),
        (np.ones((2, 5)), [0, 1], None, "5 features"),
        (np.full((2, 4), np.inf), [0, 1], None, "infinity"),
        (np.full((2, 4), np.nan), [0, 1], None, "NaN"),
        (np.ones((2, 4)), [0], None, "2 and 1 classes"),
        (np.ones((2, 0)), [0, 1], None, "0 feature"),
        (np.ones((2, 4)), [0, 1], [0, 1], "the same as before"),
    ],
)
def test_bad_input_is_refused_and_nothing_is_lost(
    inputs: np.ndarray, labels: list[int], classes: list[int] | None, message: str
) -> None:
    good, right = iris()
    learner = OnlineClassifier().partial_fit(good[:20], right[:20], classes=[0, 1, 2])
    before = learner.predict_proba(good)
    assert_refused(message, lambda: learner.partial_fit(inputs, labels, classes=classes))
    np.testing.assert_array_equal(learner.predict_proba(good), before)


def test_policies_for_other_worlds_are_refused() -> None:
    rows, labels = [[1.0], [2.0]], [0, 1]
    for learner in (OnlineClassifier("bandits-0"), OnlineRegressor("tables-0")):
        assert_refused("must be for a world with", lambda one=learner: one.fit(rows, labels))
    assert_refused("must be for a world with", lambda: BanditPlayer(2, 5, policy="tables-0"))
    learner = OnlineClassifier(hidden_wires=-1)
    assert_refused("hidden_wires must be at least 0", lambda: learner.fit(rows, labels))


def test_classes_must_be_announced() -> None:
    inputs, classes = iris()
    assert_refused(
        "classes must be passed", lambda: OnlineClassifier().partial_fit(inputs, classes)
    )


def test_a_regressor_learns_numbers_in_any_unit() -> None:
    inputs, target = load_diabetes(return_X_y=True)
    learner = OnlineRegressor().fit(inputs[:300], target[:300])
    assert learner.score(inputs[300:], target[300:]) > 0.2
    scaled = OnlineRegressor().fit(inputs[:300], 1000 * target[:300] + 5)
    np.testing.assert_allclose(
        scaled.predict(inputs[300:]), 1000 * learner.predict(inputs[300:]) + 5, rtol=1e-3
    )
    assert_refused("finite target", lambda: learner.partial_fit(inputs[:1], [math.nan]))


def test_a_player_finds_the_arm_that_pays() -> None:
    won = []
    for seed in range(20):
        player = BanditPlayer(num_arms=5, num_pulls=100, seed=seed)
        arms = []
        for _ in range(100):
            arms.append(player.choose())
            player.reward(1.0 if arms[-1] == seed % 5 else 0.0)
        won.append(np.mean(np.array(arms[50:]) == seed % 5))
    assert np.mean(won) > 0.95


def test_a_player_says_what_it_cannot_take() -> None:
    player = BanditPlayer(num_arms=2, num_pulls=1)
    assert_refused("chosen before", lambda: player.reward(1.0))
    player.choose()
    assert_refused("must be told before", player.choose)
    for bad in (math.nan, math.inf, "much", None):
        assert_refused("a finite number", lambda bad=bad: player.reward(bad))
    player.reward(0.5)
    assert_refused("made for all its pulls, got 1", player.choose)
    assert_refused("num_arms must be at least 2", lambda: BanditPlayer(1, 5))
    assert_refused("num_pulls must be at least 1", lambda: BanditPlayer(2, 0))
