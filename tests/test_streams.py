"""Learners of streams, by the conventions of river."""

from __future__ import annotations

import math

import pytest
from properties import assert_refused

river = pytest.importorskip("river")

from river import checks, datasets, metrics  # noqa: E402

from badger_graph.online.streams import StreamClassifier, StreamRegressor  # noqa: E402

EVERY = 3
"""One in so many of river's checks that go through data runs here; all take minutes."""

CHECKS = [
    (model, check)
    for model in (StreamClassifier(), StreamRegressor())
    for number, check in enumerate(checks.yield_checks(model))
    if not hasattr(check, "keywords") or (number % EVERY == 0 and "memory" not in check.__name__)
    if check.__name__ not in model._unit_test_skips()
]


@pytest.mark.parametrize(
    ("model", "check"), CHECKS, ids=lambda part: getattr(part, "__name__", type(part).__name__)
)
def test_river_is_content(model, check) -> None:
    check(model.clone())


def test_it_learns_a_stream() -> None:
    model, accuracy = StreamClassifier(), metrics.Accuracy()
    for number, (x, y) in enumerate(datasets.Phishing().take(300)):
        if number >= 100:
            accuracy.update(y, model.predict_one(x))
        model.learn_one(x, y)
    assert accuracy.get() > 0.8


def test_inputs_and_classes_join_as_they_come() -> None:
    model = StreamClassifier(hidden_wires=2)
    assert model.predict_proba_one({"a": 1.0}) == {}
    model.learn_one({"a": 1.0}, "low")
    assert model.life.num_experts == 2 + 2 * 3
    model.learn_one({"a": 2.0, "b": 0.5}, "high")
    assert (model.life.num_inputs, model.life.num_outputs) == (2, 2)
    for step in range(40):
        model.learn_one({"b": float(step % 2), "a": step % 3}, ("low", "high")[step % 2])
    assert model.predict_one({"b": 0.0}) == "low"
    assert model.predict_one({"b": 1.0, "never seen": 3.0}) == "high"


def test_an_example_is_not_kept() -> None:
    """What river asks by comparing pickles, which in tensors hold addresses."""
    model, x = StreamClassifier(), {"a": 1.0, "b": 2.0}
    model.learn_one(x, "low")
    model.learn_one({"a": -1.0, "b": 0.0}, "high")
    before = model.predict_proba_one({"a": 0.5})
    x["a"] = 1e9
    x.pop("b")
    assert model.predict_proba_one({"a": 0.5}) == before


def test_a_bad_example_is_refused_and_nothing_is_lost() -> None:
    model = StreamClassifier().clone()
    model.learn_one({"a": 1.0}, True)
    for bad in (math.inf, "much", None):
        assert_refused("a finite number", lambda bad=bad: model.learn_one({"a": bad}, False))
    assert model.predict_proba_one({"a": 0.0}) == {True: 1.0}
    regressor = StreamRegressor()
    assert regressor.predict_one({"a": 1.0}) == 0.0
    assert_refused("a target", lambda: regressor.learn_one({"a": 1.0}, math.nan))
