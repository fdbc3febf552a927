"""Membranes: one a file."""

from badger_graph.membranes.base import Membrane
from badger_graph.membranes.hardwired import HardwiredMembrane

MEMBRANES: dict[str, type[Membrane]] = {"hardwired": HardwiredMembrane}

__all__ = ["MEMBRANES", "HardwiredMembrane", "Membrane"]
