"""Membranes: one a file."""

from badger_graph.membranes.attention import AttentionMembrane
from badger_graph.membranes.base import Membrane
from badger_graph.membranes.hardwired import HardwiredMembrane

MEMBRANES: dict[str, type[Membrane]] = {
    "attention": AttentionMembrane,
    "hardwired": HardwiredMembrane,
}

__all__ = ["MEMBRANES", "AttentionMembrane", "HardwiredMembrane", "Membrane"]
