"""What an agent's outputs mean: one kind of action a file."""

from badger_graph.actions.base import Action
from badger_graph.actions.bits import Bits
from badger_graph.actions.choice import Choice
from badger_graph.actions.distribution import Distribution
from badger_graph.actions.real import Real
