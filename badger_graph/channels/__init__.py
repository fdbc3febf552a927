"""What happens to messages under way: one channel a file."""

from badger_graph.channels.base import Channel
from badger_graph.channels.clear import ClearChannel
from badger_graph.channels.lossy import LossyChannel

CHANNELS: dict[str, type[Channel]] = {"clear": ClearChannel, "lossy": LossyChannel}
