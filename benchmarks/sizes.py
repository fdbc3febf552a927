"""What is computed: the sizes of a workload and the agent that they stand for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch

from badger_graph import BadgerAgent, GRUPolicy, GuessingGame
from badger_graph.executors.prepare import ExecutorName
from badger_graph.tasks import GuessingTask
from topologies import RandomTopology, Topology

FAMILY = GuessingGame()


@dataclass(frozen=True)
class Sizes:
    """A rollout of the guessing game on a random graph; the defaults are those of W1."""

    batch_size: int = 64
    num_experts: int = 16
    k: int = 4
    num_outputs: int = 4
    num_steps: int = 20
    hidden_size: int = 32
    message_size: int = 32

    def agent(
        self, executor: ExecutorName = "auto", topology: Topology | None = None
    ) -> BadgerAgent:
        """The agent, with the same weights, graph and identifiers at every call."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return BadgerAgent(
                FAMILY.interface,
                partial(GRUPolicy, message_size=self.message_size),
                topology or RandomTopology(self.k),
                hidden_size=self.hidden_size,
                executor=executor,
            )

    def task(self, generator: torch.Generator | None = None) -> GuessingTask:
        """A batch of tasks; without a generator the same at every call."""
        generator = generator or torch.Generator().manual_seed(0)
        return FAMILY.sample(self.batch_size, self.num_outputs, generator)


MICRO_BADGER = Sizes()

LARGE_AGENT = Sizes(batch_size=1, num_experts=10_000, k=8, num_steps=10)
