"""Measures of how agents learn and live: plain functions of plain tensors, one concept a file."""

from badger_graph.analysis.discrete_entropy import DiscreteEntropy
from badger_graph.analysis.entropy import JointEntropy
from badger_graph.analysis.gaussian_entropy import GaussianEntropy
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
from badger_graph.analysis.samples import (
    Excess,
    above_shuffled,
    gaussianised,
    principal,
    shuffled,
    standardised,
)

__all__ = [
    "BindingCurve",
    "DiscreteEntropy",
    "Excess",
    "GaussianEntropy",
    "JointEntropy",
    "above_shuffled",
    "binding_curve",
    "binding_information",
    "gaussianised",
    "mutual_information",
    "o_information",
    "principal",
    "redundancy",
    "residual_entropy",
    "shuffled",
    "standardised",
    "total_correlation",
]
