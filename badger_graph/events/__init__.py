"""What happens to living agents in mid-life: one event a file."""

from badger_graph.events.base import Event
from badger_graph.events.births import Births
from badger_graph.events.clones import Clones
from badger_graph.events.output_changes import OutputChanges
from badger_graph.events.removals import Removals
from badger_graph.events.rewiring import Rewiring

EVENTS: dict[str, type[Event]] = {
    "births": Births,
    "clones": Clones,
    "output_changes": OutputChanges,
    "removals": Removals,
    "rewiring": Rewiring,
}
