"""Lives that go on: task after task, on any graph; one experiment a file."""

from badger_graph.experiments.lasting.any_graph import AnyGraph
from badger_graph.experiments.lasting.class_incremental import ClassIncremental
from badger_graph.experiments.lasting.recovery import Recovery
from badger_graph.experiments.lasting.tasks_in_a_row import TasksInARow
from badger_graph.experiments.runner import Experiment

EXPERIMENTS: dict[str, type[Experiment]] = {
    experiment.name: experiment
    for experiment in (TasksInARow, AnyGraph, Recovery, ClassIncremental)
}
