"""What all peers that compute with torch have in common: everything but the loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, final

import torch
from torch import Tensor, nn

from badger_graph import BadgerAgent, unroll
from badger_graph.executors.prepare import ExecutorName
from badger_graph.outer.learner import default_optimizer
from badger_graph.tasks import GuessingTask
from benchmarks.sizes import Sizes


class Tasks(Protocol):
    """Sizes that tasks are drawn by."""

    def task(self, generator: torch.Generator | None = None) -> Any:
        """Without a generator the same at every call."""


@final
@dataclass
class TorchPeer:
    """A peer by what it trains.

    Args:
        sizes: draw its tasks.
        module: its parameters are those that all peers have, under whatever names.
        loss_of: the loss of the module's rollout with tasks.
        optimizer: of these parameters.
        renamed: gradients of parameters under the names that all share.
    """

    sizes: Tasks
    module: nn.Module
    loss_of: Callable[[Any, Any], Tensor]
    optimizer: torch.optim.Optimizer
    renamed: Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]] = dict

    def __post_init__(self) -> None:
        self._generator = torch.Generator().manual_seed(0)

    def loss(self, task: Any) -> float:
        with torch.no_grad():
            return self.loss_of(self.module, task).item()

    def loss_and_gradient(self, task: Any) -> tuple[float, Tensor]:
        loss = self.loss_of(self.module, task)
        parameters = dict(self.module.named_parameters())
        found = torch.autograd.grad(loss, list(parameters.values()))
        gradient = self.renamed(dict(zip(parameters, found, strict=True)))
        return loss.item(), torch.cat([gradient[name].flatten() for name in sorted(gradient)])

    def outer_step(self) -> None:
        self.optimizer.zero_grad()
        self.loss_of(self.module, self.sizes.task(self._generator)).backward()
        self.optimizer.step()


def badger(sizes: Sizes, executor: ExecutorName) -> TorchPeer:
    """An agent as :class:`~badger_graph.MetaLearner` trains it, without Lightning."""
    agent = sizes.agent(executor)

    def loss(agent: BadgerAgent, task: GuessingTask) -> Tensor:
        rollout = unroll(agent, task, sizes.num_experts, sizes.num_steps)
        return rollout.loss[sizes.num_steps // 2 :].mean()

    return TorchPeer(sizes, agent, loss, default_optimizer(agent.parameters()))
