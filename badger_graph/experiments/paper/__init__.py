"""Every experiment on the agents of Rosa et al. 2019 and those like them, one a file."""

from badger_graph.experiments.paper.compare_topologies import CompareTopologies
from badger_graph.experiments.paper.error_against_experts import ErrorAgainstExperts
from badger_graph.experiments.paper.error_against_outputs import ErrorAgainstOutputs
from badger_graph.experiments.paper.growth import Growth
from badger_graph.experiments.paper.long_lives import LongLives
from badger_graph.experiments.paper.unseen_graphs import UnseenGraphs
from badger_graph.experiments.runner import Experiment

EXPERIMENTS: dict[str, type[Experiment]] = {
    "compare_topologies": CompareTopologies,
    "error_against_experts": ErrorAgainstExperts,
    "error_against_outputs": ErrorAgainstOutputs,
    "growth": Growth,
    "long_lives": LongLives,
    "unseen_graphs": UnseenGraphs,
}
"""By the name of their file and of their script."""

__all__ = ["EXPERIMENTS"]
