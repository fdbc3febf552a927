"""This library, with each of its executors."""

from __future__ import annotations

from torch import Tensor

from badger_graph import unroll
from badger_graph.executors.prepare import ExecutorName
from badger_graph.outer.learner import default_optimizer
from badger_graph.tasks import GuessingTask
from benchmarks.sizes import Sizes
from benchmarks.torch_peer import TorchPeer


def badger(sizes: Sizes, executor: ExecutorName) -> TorchPeer:
    """An agent as :class:`~badger_graph.MetaLearner` trains it, without Lightning."""
    agent = sizes.agent(executor)

    def loss(task: GuessingTask) -> Tensor:
        rollout = unroll(agent, task, sizes.num_experts, sizes.num_steps)
        return rollout.loss[sizes.num_steps // 2 :].mean()

    return TorchPeer(sizes, agent.policy, loss, default_optimizer(agent.policy.parameters()))
