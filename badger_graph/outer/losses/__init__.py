"""Meta-losses, what the outer loop minimises: one a file."""

from badger_graph.outer.losses.alikeness import Alikeness
from badger_graph.outer.losses.base import MetaLoss, check_errors
from badger_graph.outer.losses.converge_fast import ConvergeFast
from badger_graph.outer.losses.last_step import LastStep
from badger_graph.outer.losses.log_error import LogError
from badger_graph.outer.losses.log_over_time import LogOverTime
from badger_graph.outer.losses.mean_over_end import MeanOverEnd
from badger_graph.outer.losses.root_error import RootError
from badger_graph.outer.losses.sum import Sum
from badger_graph.outer.losses.weighted_mean import WeightedMean

META_LOSSES: dict[str, type[MetaLoss]] = {
    "last_step": LastStep,
    "converge_fast": ConvergeFast,
    "mean_over_end": MeanOverEnd,
    "log_error": LogError,
    "log_over_time": LogOverTime,
    "root_error": RootError,
    "alikeness": Alikeness,
    "sum": Sum,
}
