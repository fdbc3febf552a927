"""The outer loop: the search for the expert policy."""

from badger_graph.outer.curriculum import CURRICULA, Curriculum, OneMoreOutput, Stage, Stages
from badger_graph.outer.finite import NonFiniteLossError
from badger_graph.outer.learner import MetaLearner
from badger_graph.outer.losses import META_LOSSES, ConvergeFast, LastStep, MeanOverEnd, MetaLoss

__all__ = [
    "CURRICULA",
    "META_LOSSES",
    "ConvergeFast",
    "Curriculum",
    "LastStep",
    "MeanOverEnd",
    "MetaLearner",
    "MetaLoss",
    "NonFiniteLossError",
    "OneMoreOutput",
    "Stage",
    "Stages",
]
