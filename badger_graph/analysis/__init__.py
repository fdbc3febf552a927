"""Measures on recorded states, gradients and errors: one concept a file."""

from badger_graph.analysis.frequencies import WaveAmplitudes, wave_amplitudes
from badger_graph.analysis.gradients import GradientConflict, gradient_conflict, output_gradients
from badger_graph.analysis.hessian import (
    ExtremeEigenvalues,
    extreme_eigenvalues,
    twice_differentiable,
)

__all__ = [
    "ExtremeEigenvalues",
    "GradientConflict",
    "WaveAmplitudes",
    "extreme_eigenvalues",
    "gradient_conflict",
    "output_gradients",
    "twice_differentiable",
    "wave_amplitudes",
]
