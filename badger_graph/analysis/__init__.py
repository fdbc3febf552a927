"""Measures of training and of the inner loop: plain functions on plain tensors."""

from badger_graph.analysis.hurst import hurst_exponent, hurst_test
from badger_graph.analysis.lyapunov import largest_lyapunov, lyapunov_of_agent
from badger_graph.analysis.lyapunov_series import lyapunov_of_series, lyapunov_test
from badger_graph.analysis.modes import Modes, dynamic_modes, oscillating_share
from badger_graph.analysis.plateaus import Plateau, find_plateaus
from badger_graph.analysis.surrogates import Tested, against_shuffled

__all__ = [
    "Modes",
    "Plateau",
    "Tested",
    "against_shuffled",
    "dynamic_modes",
    "find_plateaus",
    "hurst_exponent",
    "hurst_test",
    "largest_lyapunov",
    "lyapunov_of_agent",
    "lyapunov_of_series",
    "lyapunov_test",
    "oscillating_share",
]
