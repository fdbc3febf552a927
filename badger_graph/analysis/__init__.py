"""Measures of training and of the inner loop: plain functions on plain tensors."""

from badger_graph.analysis.checks import DivergedError, UndefinedError
from badger_graph.analysis.discrete_entropy import DiscreteEntropy
from badger_graph.analysis.entropy import JointEntropy
from badger_graph.analysis.frequencies import WaveAmplitudes, wave_amplitudes
from badger_graph.analysis.gaussian_entropy import GaussianEntropy
from badger_graph.analysis.gradients import GradientConflict, gradient_conflict, output_gradients
from badger_graph.analysis.hessian import (
    ExtremeEigenvalues,
    extreme_eigenvalues,
    twice_differentiable,
)
from badger_graph.analysis.hurst import hurst_exponent, hurst_test
from badger_graph.analysis.information import (
    BindingCurve,
    binding_curve,
    binding_information,
    mutual_information,
    o_information,
    redundancy,
    residual_entropy,
    total_correlation,
)
from badger_graph.analysis.lyapunov import largest_lyapunov, lyapunov_of_agent
from badger_graph.analysis.lyapunov_series import lyapunov_of_series, lyapunov_test
from badger_graph.analysis.modes import Modes, dynamic_modes, oscillating_share
from badger_graph.analysis.plateaus import Plateau, find_plateaus
from badger_graph.analysis.samples import (
    Excess,
    above_shuffled,
    gaussianised,
    principal,
    shuffle,
    standardised,
)
from badger_graph.analysis.surrogates import SurrogateTest, against_shuffled

__all__ = [
    "BindingCurve",
    "DiscreteEntropy",
    "DivergedError",
    "Excess",
    "ExtremeEigenvalues",
    "GaussianEntropy",
    "GradientConflict",
    "JointEntropy",
    "Modes",
    "Plateau",
    "SurrogateTest",
    "UndefinedError",
    "WaveAmplitudes",
    "above_shuffled",
    "against_shuffled",
    "binding_curve",
    "binding_information",
    "dynamic_modes",
    "extreme_eigenvalues",
    "find_plateaus",
    "gaussianised",
    "gradient_conflict",
    "hurst_exponent",
    "hurst_test",
    "largest_lyapunov",
    "lyapunov_of_agent",
    "lyapunov_of_series",
    "lyapunov_test",
    "mutual_information",
    "o_information",
    "oscillating_share",
    "output_gradients",
    "principal",
    "redundancy",
    "residual_entropy",
    "shuffle",
    "standardised",
    "total_correlation",
    "twice_differentiable",
    "wave_amplitudes",
]
