"""The agent as one writes it first with PyG."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data
from torch_geometric.nn import MessagePassing

from badger_graph import GRUPolicy
from badger_graph.tasks import GuessingTask
from benchmarks.sizes import Sizes
from benchmarks.torch_peer import TorchPeer


class PlainPolicy(MessagePassing):
    """Every edge runs the message network on its source; a scatter takes the mean."""

    def __init__(self, policy: GRUPolicy) -> None:
        super().__init__(aggr="mean")
        self.policy = policy

    def forward(self, hidden: Tensor, percept: Tensor, edge_index: Tensor) -> Tensor:
        received = self.propagate(edge_index, hidden=hidden)
        return self.policy.cell(torch.cat([received, percept], dim=-1), hidden)

    def message(self, hidden_j: Tensor) -> Tensor:
        return self.policy.message_mlp(hidden_j)


def plain_pyg(sizes: Sizes) -> TorchPeer:
    """The rollout in plain PyG: ``Batch.from_data_list`` in every outer step, Adam by default."""
    agent = sizes.agent()
    assert isinstance(agent.policy, GRUPolicy)
    plain = PlainPolicy(agent.policy)
    born = agent.reset(1, sizes.num_experts, sizes.num_outputs)
    # As torch_geometric.utils.from_networkx lists them: by source.
    edge_index = born.edges.index[:, born.edges.index[0].argsort(stable=True)]
    hidden, identifier = born.hidden, born.identifier

    def loss(plain: PlainPolicy, task: GuessingTask) -> Tensor:
        graphs = [
            Data(x=hidden, identifier=identifier, edge_index=edge_index, y=target)
            for target in task.target.split(1)
        ]
        losses = rollout(plain, Batch.from_data_list(graphs), sizes.num_steps)
        return torch.stack(losses[sizes.num_steps // 2 :]).mean()

    return TorchPeer(sizes, plain, loss, torch.optim.Adam(plain.parameters(), lr=3e-3))


def rollout(plain: PlainPolicy, batch: Batch, num_steps: int) -> list[Tensor]:
    """The mean error of every inner step."""
    hidden, action, losses = batch.x, torch.zeros_like(batch.y), []
    speakers = batch.ptr[:-1, None] + torch.arange(batch.y.size(1))
    nothing = torch.zeros(len(hidden))
    role = nothing.index_fill(0, speakers.flatten(), 1.0)
    for _ in range(num_steps):
        feedback = ((action - batch.y) ** 2).mean(dim=1)[batch.batch]
        own = nothing.index_put((speakers.flatten(),), action.flatten())
        percept = torch.stack([feedback, nothing, own, role], dim=-1)
        percept = torch.cat([percept, batch.identifier], dim=-1)
        hidden = plain(hidden, percept, batch.edge_index)
        action = plain.policy.readout(hidden)[speakers, 0]
        losses.append(((action - batch.y) ** 2).mean())
    return losses
