"""Experts on wires that they share: all pairs on a wire hear each other, in linear memory."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Int
from scipy.sparse import csr_array
from torch import Tensor

from topologies.edges import Edges


class Wires(NamedTuple):
    r"""Who is on which wires; of each of its wires an expert hears the mean of all who are on it.

    It is a bipartite graph of experts and wires, or a hypergraph of experts: with
    :math:`\mathcal{W}(i, k)` all who are on the k-th wire of expert i, itself among them, the
    expert hears, of every k apart,

    .. math::
        \bar m_{ik} = \frac{1}{|\mathcal{W}(i, k)|} \sum_{j \in \mathcal{W}(i, k)} m_j

    Experts of a batch of agents are numbered through, as in :class:`Edges`, and so are the wires;
    no wire joins two agents.

    Shapes:
        - **wire:** ``[K, V]``, the K wires of each expert
        - **num_wires:** W, of all agents
    """

    wire: Int[Tensor, "K V"]
    num_wires: int

    def repeat(self, batch_size: int, num_experts: int) -> Wires:
        """The same wires once for every agent of a batch, as :meth:`Edges.repeat` does with edges.

        Args:
            batch_size: agents B.
            num_experts: experts N of each, V of these wires.
        """
        offsets = torch.arange(batch_size, device=self.wire.device) * self.num_wires
        wire = self.wire[:, None, :] + offsets[None, :, None]
        return Wires(wire.flatten(1), batch_size * self.num_wires)

    def members(self) -> Int[Tensor, " W"]:
        """How many ends each wire has; an expert that is twice on one counts twice."""
        return self.wire.flatten().bincount(minlength=self.num_wires)

    def to_edges(self) -> Edges:
        """All pairs of experts that share a wire, each expert with itself among them.

        The weight of an edge is the number of wires that the two share. There are as many edges as
        the squares of those on each wire, so this is to look at, and not to compute with.
        """
        experts = torch.arange(self.wire.size(1)).expand_as(self.wire)
        ends = (experts.flatten().numpy(), self.wire.flatten().cpu().numpy())
        shape = (self.wire.size(1), self.num_wires)
        member = csr_array((np.ones(len(ends[0])), ends), shape=shape)
        pairs = (member @ member.T).tocoo()
        index = np.stack([pairs.col, pairs.row]).astype(np.int64)
        weight = torch.from_numpy(pairs.data).to(self.wire.device, torch.get_default_dtype())
        return Edges(torch.from_numpy(index).to(self.wire.device), weight)


def check_wires(wires: Wires, batch_size: int, num_experts: int) -> None:
    """Refuse what does not put every expert of a batch on wires of its own agent.

    Args:
        wires: of the whole batch.
        batch_size: agents B.
        num_experts: experts N of each.

    Raises:
        ValueError: for wires of another shape or type, or numbered beyond their number, or one that
            joins two agents.
    """
    wire, num_wires = wires
    nodes = batch_size * num_experts
    if wire.dim() != 2 or wire.size(1) != nodes or wire.dtype != torch.int64:
        raise ValueError(
            f"wires must be [K, V] for V = {nodes} experts, of torch.int64, got "
            f"{list(wire.shape)} of {wire.dtype}"
        )
    least, most = (int(end) for end in wire.aminmax())
    if least < 0 or most >= num_wires:
        raise ValueError(
            f"the wires of experts must be 0 to {num_wires - 1}, got {least if least < 0 else most}"
        )
    agent = torch.arange(nodes, device=wire.device) // num_experts
    owner = agent.new_full((num_wires,), -1).scatter_(0, wire[0], agent)
    owner = owner.scatter_(0, wire.flatten(), agent.repeat(len(wire)))
    strangers = (owner[wire] != agent).nonzero()
    if len(strangers):
        raise ValueError(f"no wire may join two agents, got wire {int(wire[*strangers[0]])}")
