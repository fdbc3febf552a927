"""The outer loop: the search for the expert policy."""

from badger_graph.outer.curriculum import (
    CURRICULA,
    Curriculum,
    MoreCodebooks,
    OneMoreOutput,
    Stage,
    Stages,
)
from badger_graph.outer.finite import NonFiniteLossError
from badger_graph.outer.learner import MetaLearner
from badger_graph.outer.losses import (
    META_LOSSES,
    ConvergeFast,
    LastStep,
    LogError,
    MeanOverEnd,
    MetaLoss,
)

__all__ = [
    "CURRICULA",
    "META_LOSSES",
    "ConvergeFast",
    "Curriculum",
    "LastStep",
    "LogError",
    "MeanOverEnd",
    "MetaLearner",
    "MetaLoss",
    "MoreCodebooks",
    "NonFiniteLossError",
    "OneMoreOutput",
    "Stage",
    "Stages",
]
