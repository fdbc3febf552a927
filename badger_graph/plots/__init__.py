"""Every figure, from saved results only: plain numbers and arrays in, a Matplotlib figure out."""

from badger_graph.plots.animation import animate
from badger_graph.plots.communication import communication
from badger_graph.plots.error_after_queries import error_after_queries
from badger_graph.plots.error_against import error_against_experts, error_against_outputs
from badger_graph.plots.error_over_steps import error_over_steps
from badger_graph.plots.growth import growth
from badger_graph.plots.learning_curve import learning_curve
from badger_graph.plots.panels import panels
from badger_graph.plots.rollouts import rollouts
from badger_graph.plots.saved import read_history, save_all, save_errors
from badger_graph.plots.topology import topology

__all__ = [
    "animate",
    "communication",
    "error_after_queries",
    "error_against_experts",
    "error_against_outputs",
    "error_over_steps",
    "growth",
    "learning_curve",
    "panels",
    "read_history",
    "rollouts",
    "save_all",
    "save_errors",
    "topology",
]
