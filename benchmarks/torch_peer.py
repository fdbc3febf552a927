"""What all peers that compute with torch have in common: everything but the loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import torch
from torch import Tensor, nn

from badger_graph.tasks import GuessingTask
from benchmarks.sizes import Sizes


@final
class TorchPeer:
    """A peer by its policy, the loss of its rollout and its optimiser."""

    def __init__(
        self,
        sizes: Sizes,
        policy: nn.Module,
        loss: Callable[[GuessingTask], Tensor],
        optimizer: torch.optim.Optimizer,
    ) -> None:
        self._sizes = sizes
        self._policy = policy
        self._loss = loss
        self._optimizer = optimizer
        self._generator = torch.Generator().manual_seed(0)

    def loss(self, task: GuessingTask) -> float:
        with torch.no_grad():
            return self._loss(task).item()

    def loss_and_gradient(self, task: GuessingTask) -> tuple[float, Tensor]:
        loss = self._loss(task)
        gradients = torch.autograd.grad(loss, list(self._policy.parameters()))
        return loss.item(), torch.cat([gradient.flatten() for gradient in gradients])

    def outer_step(self) -> None:
        self._optimizer.zero_grad()
        self._loss(self._sizes.task(self._generator)).backward()
        self._optimizer.step()
