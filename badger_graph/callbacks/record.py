"""How weights came about: commands, machines and time, kept in the checkpoint."""

from __future__ import annotations

import shlex
import sys
import time
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from badger_graph.machine import machine

Piece = dict[str, Any]
"""One start of a training: ``command``, ``machine``, ``from_step``, wall ``seconds`` and
``cpu_seconds`` of its first process, which neighbours on the machine do not change."""


class TrainingRecord(Callback):
    """Writes down each piece of a training; a resumed run goes on with the pieces before it.

    A piece ends with the checkpoint that it is kept in: what is trained after that, and lost by
    a kill, is no part of the weights and is not counted.
    """

    def __init__(self) -> None:
        self._before: list[Piece] = []
        self._now: Piece | None = None
        self._start = (0.0, 0.0)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._start = (time.monotonic(), time.process_time())
        self._now = {
            # sys.argv may be rewritten by now; this is what was typed.
            "command": shlex.join(["python", *sys.orig_argv[1:]]),
            "machine": machine(pl_module.device),
            "from_step": trainer.global_step,
        }

    def state_dict(self) -> dict[str, Any]:
        if self._now is None:
            return {"pieces": self._before}
        wall, cpu = self._start
        durations = {
            "seconds": round(time.monotonic() - wall, 1),
            "cpu_seconds": round(time.process_time() - cpu, 1),
        }
        return {"pieces": [*self._before, {**self._now, **durations}]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._before = list(state_dict["pieces"])


def recorded_pieces(checkpoint: dict[str, Any]) -> list[Piece]:
    """The pieces of the training that wrote a checkpoint; none where it kept no record."""
    state = checkpoint.get("callbacks", {}).get(TrainingRecord.__qualname__, {})
    return list(state.get("pieces", []))
