"""A number of the agent that falls in the course of training."""

from __future__ import annotations

from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from topologies.checks import checked, interval


class Annealing(Callback):
    r"""Multiplies a buffer of the agent by a factor after every outer step.

    .. math::
        z_{s+1} = \mathrm{factor} \cdot z_s

    Args:
        buffer: its name in the agent, such as ``policy.chaos``; kept in checkpoints.
        factor: in [0, 1]; 0.999 halves it every 693 outer steps.

    Raises:
        ValueError: for a factor out of bounds, or before training, when the agent has no such
            buffer.
    """

    @checked(factor=interval(0, 1))
    def __init__(self, buffer: str, factor: float = 0.999) -> None:
        self.buffer = buffer
        self.factor = factor
        self._annealed = 0

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._find(pl_module)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._annealed = trainer.global_step

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step > self._annealed:  # once where gradients are accumulated
            self._annealed = trainer.global_step
            self._find(pl_module).mul_(self.factor)

    def _find(self, pl_module: LightningModule) -> Tensor:
        buffers = dict(pl_module.agent.named_buffers())  # type: ignore[union-attr]
        if self.buffer not in buffers:
            raise ValueError(
                "what is annealed must be a buffer of the agent, "
                f"one of {', '.join(buffers) or 'none'}, got {self.buffer!r}"
            )
        return buffers[self.buffer]
