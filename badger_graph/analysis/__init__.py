"""Measures of training and of the inner loop: plain functions on plain tensors."""

from badger_graph.analysis.discrete_entropy import DiscreteEntropy
from badger_graph.analysis.entropy import JointEntropy
from badger_graph.analysis.gaussian_entropy import GaussianEntropy
from badger_graph.analysis.hurst import hurst_exponent, hurst_test
from badger_graph.analysis.information import (
from badger_graph.analysis.lyapunov import largest_lyapunov, lyapunov_of_agent
from badger_graph.analysis.lyapunov_series import lyapunov_of_series, lyapunov_test
from badger_graph.analysis.modes import Modes, dynamic_modes, oscillating_share
from badger_graph.analysis.plateaus import Plateau, find_plateaus
from badger_graph.analysis.samples import (
from badger_graph.analysis.surrogates import Tested, against_shuffled

__all__ = [
    "BindingCurve",
    "DiscreteEntropy",
    "Excess",
    "GaussianEntropy",
    "JointEntropy",
    "Modes",
    "Plateau",
    "Tested",
    "above_shuffled",
    "against_shuffled",
    "binding_curve",
    "binding_information",
    "dynamic_modes",
    "find_plateaus",
    "gaussianised",
    "hurst_exponent",
    "hurst_test",
    "largest_lyapunov",
    "lyapunov_of_agent",
    "lyapunov_of_series",
    "lyapunov_test",
    "mutual_information",
    "o_information",
    "oscillating_share",
    "principal",
    "redundancy",
    "residual_entropy",
    "shuffled",
    "standardised",
    "total_correlation",
]
