"""Notices that training diverged."""

from __future__ import annotations

import math

import torch
from torch import Tensor

MAX_UNREAD = 64
"""So many values wait on a GPU before they are read."""


class NonFiniteLossError(RuntimeError):
    """Training produced a loss, gradient or weight that is no number."""


class FiniteWatch:
    """Stops a run at the first number that is none, and says which it was and when.

    On a CPU at once. To read a number from a GPU is to wait for it, so there many are read
    together; whoever keeps what came of them, in a checkpoint, has them read first.
    """

    def __init__(self) -> None:
        self._unread: list[tuple[str, int, Tensor]] = []

    def see(self, name: str, value: Tensor, step: int) -> None:
        """Take note of a number of an outer step.

        Raises:
            NonFiniteLossError: when this or an earlier one is none.
        """
        self._unread.append((name, step, value.detach()))
        if value.device.type == "cpu" or len(self._unread) == MAX_UNREAD:
            self.read()

    def read(self) -> None:
        """Read what was not read yet.

        Raises:
            NonFiniteLossError: when one of the numbers is none; names the first.
        """
        unread, self._unread = self._unread, []
        if not unread:
            return
        values = torch.stack([value for _, _, value in unread]).tolist()
        for (name, step, _), value in zip(unread, values, strict=True):
            if not math.isfinite(value):
                raise NonFiniteLossError(
                    f"the {name} must be finite, got {value} at outer step {step}; a smaller "
                    "learning rate, gradient clipping or detach_every may help"
                )
