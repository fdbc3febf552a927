"""The experiments on lives that go on: known answers, and what must be the same."""

from __future__ import annotations

from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from properties import assert_refused

from badger_graph.experiments.lasting import any_graph
from badger_graph.experiments.lasting.any_graph import AnyGraph
from badger_graph.experiments.lasting.class_incremental import (
    BASELINES,
    WAYS,
    ClassIncremental,
)
from badger_graph.experiments.lasting.recovery import NOTHING, Recovery
from badger_graph.experiments.lasting.tasks_in_a_row import TasksInARow
from badger_graph.experiments.runner import run


def test_the_first_task_of_a_life_is_that_of_a_newborn_and_one_life_forgets(
    tmp_path: Path,
) -> None:
    experiment = TasksInARow(["micro_badger"], num_tasks=3, num_lives=32)
    kept = run(experiment, tmp_path / "tasks.json")["groups"]["micro_badger"]
    [one], [anew] = kept["in one life"], kept["born anew"]
    assert one[0] == anew[0]
    assert one[1][-1] > 50 * anew[1][-1]
    assert "| micro_badger: MSE |" in (tmp_path / "tasks.md").read_text()
    assert (tmp_path / "tasks.png").exists()


def test_nothing_happens_to_the_control() -> None:
    experiment = Recovery(["micro_badger"], num_steps=5, after=4, num_lives=8)
    result = {"num_steps": 5, "after": 4, "groups": experiment.compute(Path())["groups"]}
    lives = {name: life for name, [life] in result["groups"]["micro_badger"].items()}
    assert len({tuple(life[:5]) for life in lives.values()}) == 1
    after = {name: life[5] for name, life in lives.items()}
    assert len({after[NOTHING], *after.values()}) == len(after)
    nothing = next(row for row in Recovery.markdown(result).splitlines() if NOTHING in row)
    assert nothing.split("|")[3].strip() == "0"


def test_families_of_graphs_are_what_their_names_say() -> None:
    graphs = {**any_graph.TRAINED, **any_graph.UNSEEN}
    assert len(graphs) == 32
    for name, family in graphs.items():
        graph = family(3)
        assert 12 <= len(graph) <= 17, name
        again = any_graph._shuffle(graph, 1)
        assert nx.is_isomorphic(nx.convert_node_labels_to_integers(graph), again)
    for name in ("de Bruijn", "Kautz (12 experts)"):
        graph = graphs[name](0)
        assert {degree for _, degree in graph.in_degree} == {2}
        assert nx.is_strongly_connected(graph)
    assert not nx.number_of_selfloops(graphs["Kautz (12 experts)"](0))


def test_every_graph_has_its_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(any_graph, "SIZES", (8, 12))
    experiment = AnyGraph(["micro_badger"], num_tasks=4, graphs=2)
    [errors] = experiment.compute(Path())["groups"]["micro_badger"]
    assert len(errors) == 1 + 32 + 2
    assert all(0 < error < 2 for error in errors.values())
    assert errors["no links"] > 10 * errors["random, 16 experts"]


def test_classes_come_two_by_two_and_no_question_was_an_example() -> None:
    experiment = ClassIncremental([], per_class=5, questions=3, num_orders=2)
    for orders in experiment.orders():
        for way in WAYS:
            assert sorted(orders[way]) == sorted(orders[WAYS[0]])
        tasks = np.split(experiment.data.target[orders["in sequence"]], 5)
        classes = [np.unique(task, return_counts=True) for task in tasks]
        assert all(count.tolist() == [5, 5] for _, count in classes)
        assert sorted(np.concatenate([own for own, _ in classes])) == list(range(10))
        assert not set(orders["asked"]) & set(orders["shuffled"])
        counts = np.bincount(experiment.data.target[orders["asked"]])
        assert counts.tolist() == [3] * 10
    message = "per_class \\+ questions = 900 examples of each, got 10 classes"
    assert_refused(message, lambda: ClassIncremental([], per_class=800, questions=100))


@pytest.mark.parametrize("name", BASELINES)
def test_those_who_keep_all_examples_do_not_mind_the_order(name: str) -> None:
    inputs = np.array([[0.0, 0], [1, 0], [0, 5], [0, 6], [9, 9], [9, 8]])
    label = np.array([2, 2, 0, 0, 1, 1])
    asked = np.array([[0.4, 0], [0, 5.4], [9, 8.4]])
    order = [3, 4, 0, 5, 2, 1]
    assert BASELINES[name](inputs, label, asked, 3).tolist() == [2, 0, 1]
    assert BASELINES[name](inputs[order], label[order], asked, 3).tolist() == [2, 0, 1]
