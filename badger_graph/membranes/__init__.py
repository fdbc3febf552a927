"""Membranes: one a file."""

from badger_graph.membranes.addressed import AddressedMembrane
from badger_graph.membranes.attention import AttentionMembrane
from badger_graph.membranes.base import Membrane
from badger_graph.membranes.crossbar import CrossbarMembrane
from badger_graph.membranes.hardwired import HardwiredMembrane
from badger_graph.membranes.own_readout import OwnReadoutMembrane
from badger_graph.membranes.whole import WholeMembrane

MEMBRANES: dict[str, type[Membrane]] = {
    "hardwired": HardwiredMembrane,
    "addressed": AddressedMembrane,
    "attention": AttentionMembrane,
    "own_readout": OwnReadoutMembrane,
    "whole": WholeMembrane,
    "crossbar": CrossbarMembrane,
}
