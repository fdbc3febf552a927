"""The communication stage, the rounds inside one inner-loop step: one kind a file."""

from badger_graph.communication.base import Communication, Round
from badger_graph.communication.fixed_rounds import FixedRounds

COMMUNICATIONS: dict[str, type[Communication]] = {"fixed_rounds": FixedRounds}
