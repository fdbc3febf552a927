"""What a trained agent is compared with on the guessing game."""

from badger_graph.baselines.always_zero import AlwaysZero
from badger_graph.baselines.base import OutOfQueries, Query, Score, Solver, error_after_queries
from badger_graph.baselines.cma_es import CMAES
from badger_graph.baselines.cobyla import COBYLA
from badger_graph.baselines.exact import ExactSolver
from badger_graph.baselines.nelder_mead import NelderMead
from badger_graph.baselines.random_search import RandomSearch

SOLVERS: dict[str, type[Solver]] = {
    "always_zero": AlwaysZero,
    "random_search": RandomSearch,
    "cma_es": CMAES,
    "nelder_mead": NelderMead,
    "cobyla": COBYLA,
    "exact": ExactSolver,
}
"""Every solver by the name of its file, from the weakest to the limit (d=4, 20 queries)."""
