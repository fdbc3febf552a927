"""A topology of your own."""

import torch

from topologies import Edges, FixedTopology


class CycleTopology(FixedTopology):
    """Every expert hears the one before it; information goes round one way."""

    def edges(self, num_experts: int) -> Edges:
        if num_experts < 2:
            raise ValueError(f"a cycle needs at least two experts, got {num_experts}")
        target = torch.arange(num_experts)
        return Edges.unweighted(torch.stack([(target - 1) % num_experts, target]))
