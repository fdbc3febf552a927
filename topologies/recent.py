"""What was made last, kept for when it is asked for again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

Kept = TypeVar("Kept")


class Recent(Generic[Kept]):
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
        self._kept: OrderedDict[Hashable, tuple[Kept, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Hashable) -> Kept | None:
        """What is kept under a key, if anything."""
        if key not in self._kept:
            return None
        self._kept.move_to_end(key)
        return self._kept[key][0]

    def keep(self, key: Hashable, made: Kept, size: int) -> None:
        """Keep what was made; a size is in edges, of about twenty bytes."""
        self._kept[key] = (made, size)
        self._kept.move_to_end(key)
        total = sum(size for _, size in self._kept.values())
        while len(self._kept) > self.entries or (len(self._kept) > 4 and total > self.total):
            _, (_, forgotten) = self._kept.popitem(last=False)
            total -= forgotten
