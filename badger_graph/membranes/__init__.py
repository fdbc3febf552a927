"""Membranes: one a file."""

from badger_graph.membranes.addressed import AddressedMembrane
from badger_graph.membranes.base import Membrane
from badger_graph.membranes.hardwired import HardwiredMembrane

MEMBRANES: dict[str, type[Membrane]] = {
    "hardwired": HardwiredMembrane,
    "addressed": AddressedMembrane,
}

__all__ = ["MEMBRANES", "AddressedMembrane", "HardwiredMembrane", "Membrane"]
