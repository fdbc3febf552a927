"""What was made last, kept for when it is asked for again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Recent(Generic[Item]):
    """A memory that forgets what was used least recently.

    It serves a training that goes through many sizes of agents, and does not fill up in a sweep
    over large ones.

    Args:
        entries: so many are kept at most,
        total: and of those beyond the last four, no more than this together.
    """

    def __init__(self, entries: int = 64, total: int = 4_000_000) -> None:
        self.entries = entries
        self.total = total
        self._items: OrderedDict[Hashable, tuple[Item, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._items)

    def get(self, key: Hashable) -> Item | None:
        """What is kept under a key, if anything."""
        if key not in self._items:
            return None
        self._items.move_to_end(key)
        return self._items[key][0]

    def keep(self, key: Hashable, item: Item, size: int) -> None:
        """Keep an item; its size is in edges, of about twenty bytes."""
        self._items[key] = (item, size)
        self._items.move_to_end(key)
        total = sum(size for _, size in self._items.values())
        while len(self._items) > self.entries or (len(self._items) > 4 and total > self.total):
            _, (_, num_edges) = self._items.popitem(last=False)
            total -= num_edges
