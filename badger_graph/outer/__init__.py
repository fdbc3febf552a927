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
from badger_graph.outer.gradients import (
    GRADIENTS,
    Backpropagation,
    Captured,
    JacobianDescent,
    OuterGradient,
)
from badger_graph.outer.learner import MetaLearner
from badger_graph.outer.losses import (
    META_LOSSES,
    Alikeness,
    ConvergeFast,
    LastStep,
    LogError,
    MeanOverEnd,
    MetaLoss,
    Sum,
)
from badger_graph.outer.objective import Objective, Outcome
from badger_graph.outer.sizes import Sizes

__all__ = [
    "CURRICULA",
    "GRADIENTS",
    "META_LOSSES",
    "Alikeness",
    "Backpropagation",
    "Captured",
    "ConvergeFast",
    "Curriculum",
    "JacobianDescent",
    "LastStep",
    "LogError",
    "MeanOverEnd",
    "MetaLearner",
    "MetaLoss",
    "MoreCodebooks",
    "NonFiniteLossError",
    "Objective",
    "OneMoreOutput",
    "Outcome",
    "OuterGradient",
    "Sizes",
    "Stage",
    "Stages",
    "Sum",
]
