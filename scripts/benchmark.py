"""Time one outer step against plain PyG: python scripts/benchmark.py.

The peer is what one writes first with PyG: a message network on every edge, a scatter, and
``Batch.from_data_list`` in every outer step. Both sides share one set of weights, and their
gradients are compared before anything is timed. Runs are interleaved, so that a slow moment of
the machine hits both; medians and minima of the wall time are printed and written as JSON.
"""

from __future__ import annotations

import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from jsonargparse import auto_cli
from torch import Tensor, nn
from torch_geometric.data import Batch, Data
from torch_geometric.nn import MessagePassing

from badger_graph import BadgerAgent, GRUPolicy, GuessingGame, HardwiredMembrane, unroll
from badger_graph.tasks import Task
from topologies import RandomTopology


class PlainPolicy(MessagePassing):
    """The policy as one writes it first: every edge computes its own message."""

    def __init__(self, policy: GRUPolicy) -> None:
        super().__init__(aggr="mean")
        self.policy = policy

    def forward(self, hidden: Tensor, percept: Tensor, edge_index: Tensor) -> Tensor:
        received = self.propagate(edge_index, hidden=hidden)
        return self.policy.cell(torch.cat([received, percept], dim=-1), hidden)

    def message(self, hidden_j: Tensor) -> Tensor:
        return self.policy.message_mlp(hidden_j)


def plain_loss(
    plain: PlainPolicy, agent: BadgerAgent, task: Task, num_experts: int, num_steps: int
) -> Tensor:
    """The loss of a rollout in plain PyG."""
    policy, (batch_size, num_outputs) = plain.policy, task.target.shape
    born = agent.reset(1, num_experts, num_outputs)
    # As from_networkx lists them: by source.
    edge_index = born.edge_index[:, born.edge_index[0].argsort(stable=True)]
    batch = Batch.from_data_list(
        [
            Data(x=born.hidden, identifier=born.identifier, edge_index=edge_index, y=target)
            for target in task.target.split(1)
        ]
    )
    hidden, speaks = batch.x, batch.ptr[:-1, None] + torch.arange(num_outputs)
    role = torch.zeros(len(hidden)).index_fill(0, speaks.flatten(), 1.0)
    action = torch.zeros_like(task.target)
    losses = []
    for _ in range(num_steps):
        feedback = ((action - task.target) ** 2).mean(dim=1)[batch.batch]
        own = torch.zeros(len(hidden)).index_put((speaks.flatten(),), action.flatten())
        nothing = torch.zeros(len(hidden))
        percept = torch.stack([feedback, nothing, own, role], dim=-1)
        percept = torch.cat([percept, batch.identifier], dim=-1)
        hidden = plain(hidden, percept, batch.edge_index)
        action = policy.readout(hidden)[speaks, 0]
        losses.append(((action - task.target) ** 2).mean(dim=1))
    return torch.stack(losses)[num_steps // 2 :].mean()


def gradients(loss: Tensor, module: nn.Module) -> Tensor:
    parameters = list(module.parameters())
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss, parameters)])


def interleave(steps: dict[str, Callable[[], None]], rounds: int) -> dict[str, list[float]]:
    """Wall seconds of every step, run in turn; the first three rounds only warm up."""
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for index in range(rounds + 3):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            if index >= 3:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def benchmark(
    batch_size: int = 64,
    num_experts: int = 16,
    k: int = 4,
    num_outputs: int = 4,
    num_steps: int = 20,
    message_size: int = 16,
    identifier_size: int = 12,
    rounds: int = 30,
    threads: int = 1,
    out: str = "results/benchmark.json",
) -> None:
    """Time one outer step (sample, rollout, backward, Adam) of badger-graph and of plain PyG.

    Args:
        batch_size: agents B.
        num_experts: experts N of an agent.
        k: in-neighbours of an expert.
        num_outputs: numbers d to guess.
        num_steps: inner steps T.
        message_size: size M of a message.
        rounds: timed runs of each variant.
        threads: CPU threads.
        out: where to write the JSON.
    """
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    policy = GRUPolicy(message_size=message_size, identifier_size=identifier_size)
    topology, membrane, family = RandomTopology(k), HardwiredMembrane(), GuessingGame()
    agents = {
        "badger-graph": BadgerAgent(policy, topology, membrane),
        "badger-graph, reference executor": BadgerAgent(
            policy, topology, membrane, executor="reference"
        ),
    }
    plain, generator = PlainPolicy(policy), torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(policy.parameters(), lr=0.0)

    def agent_loss(agent: BadgerAgent, task: Task) -> Tensor:
        return unroll(agent, task, num_experts, num_steps).loss[num_steps // 2 :].mean()

    agent = agents["badger-graph"]
    losses: dict[str, Callable[[Task], Tensor]] = {
        "plain PyG": lambda task: plain_loss(plain, agent, task, num_experts, num_steps),
        **{name: lambda task, a=a: agent_loss(a, task) for name, a in agents.items()},
    }
    task = family.sample(batch_size, num_outputs, generator)
    expected = gradients(losses["plain PyG"](task), policy)
    difference = {
        name: float((gradients(loss(task), policy) - expected).norm() / expected.norm())
        for name, loss in losses.items()
    }

    def outer_step(loss: Callable[[Task], Tensor]) -> None:
        optimizer.zero_grad()
        loss(family.sample(batch_size, num_outputs, generator)).backward()
        optimizer.step()

    seconds = interleave(
        {name: lambda loss=loss: outer_step(loss) for name, loss in losses.items()}, rounds
    )
    rows: dict[str, Any] = {}
    for name, values in seconds.items():
        pairs = [plain / own for plain, own in zip(seconds["plain PyG"], values, strict=True)]
        rows[name] = {
            "median_ms": 1e3 * statistics.median(values),
            "min_ms": 1e3 * min(values),
            "speed_median": statistics.median(pairs),
            "speed_min": min(seconds["plain PyG"]) / min(values),
            "gradient_difference": difference[name],
        }
    sizes = f"B={batch_size} N={num_experts} k={k} d={num_outputs} T={num_steps} M={message_size}"
    machine = f"{platform.machine()}, {threads} thread(s), torch {torch.__version__}"
    print(f"one outer step, {sizes}, {rounds} interleaved rounds on {machine}")
    print(f"{'':34}{'median':>10}{'min':>10}{'speed':>8}{'(min)':>8}{'gradient diff':>15}")
    for name, row in rows.items():
        print(
            f"{name:34}{row['median_ms']:8.1f}ms{row['min_ms']:8.1f}ms"
            f"{row['speed_median']:7.2f}x{row['speed_min']:7.2f}x{row['gradient_difference']:15.1e}"
        )
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    Path(out).write_text(json.dumps({"sizes": sizes, "machine": machine, "rows": rows}, indent=1))


if __name__ == "__main__":
    auto_cli(benchmark)
