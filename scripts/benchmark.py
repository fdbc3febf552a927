"""Time one outer step against plain PyG: python scripts/benchmark.py.

The peer is what one writes first with PyG: a message network run on every edge, a scatter, and
``Batch.from_data_list`` in every outer step. Both sides share one set of weights, and their
gradients are compared before anything is timed. Runs are interleaved, so that a slow moment of
the machine hits both; medians and minima of the wall time are printed, and written as JSON and
Markdown.
"""

from __future__ import annotations

import json
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from jsonargparse import auto_cli
from torch import Tensor, nn
from torch_geometric.data import Batch, Data
from torch_geometric.nn import MessagePassing

from badger_graph import BadgerAgent, GRUPolicy, GuessingGame, HardwiredMembrane, Task, unroll
from badger_graph.exchange import Executor
from topologies import RandomTopology

WARM_UP = 3


@dataclass(frozen=True)
class Sizes:
    """The workload; the defaults are those of ``fit.py``."""

    batch_size: int = 64
    num_experts: int = 16
    k: int = 4
    num_outputs: int = 4
    num_steps: int = 20


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


def plain_loss(plain: PlainPolicy, agent: BadgerAgent, sizes: Sizes, task: Task) -> Tensor:
    """The loss of a rollout in plain PyG."""
    born = agent.reset(1, sizes.num_experts, sizes.num_outputs)
    # As torch_geometric.utils.from_networkx lists them: by source.
    edge_index = born.edge_index[:, born.edge_index[0].argsort(stable=True)]
    batch = Batch.from_data_list(
        [
            Data(x=born.hidden, identifier=born.identifier, edge_index=edge_index, y=target)
            for target in task.target.split(1)
        ]
    )
    hidden, action, losses = batch.x, torch.zeros_like(batch.y), []
    speakers = batch.ptr[:-1, None] + torch.arange(sizes.num_outputs)
    nothing = torch.zeros(len(hidden))
    role = nothing.index_fill(0, speakers.flatten(), 1.0)
    for _ in range(sizes.num_steps):
        feedback = ((action - batch.y) ** 2).mean(dim=1)[batch.batch]
        own = nothing.index_put((speakers.flatten(),), action.flatten())
        percept = torch.stack([feedback, nothing, own, role], dim=-1)
        percept = torch.cat([percept, batch.identifier], dim=-1)
        hidden = plain(hidden, percept, batch.edge_index)
        action = plain.policy.readout(hidden)[speakers, 0]
        losses.append(((action - batch.y) ** 2).mean())
    return torch.stack(losses)[sizes.num_steps // 2 :].mean()


def agent_loss(agent: BadgerAgent, sizes: Sizes, task: Task) -> Tensor:
    """The loss of the same rollout in badger-graph."""
    loss = unroll(agent, task, sizes.num_experts, sizes.num_steps).loss
    return loss[sizes.num_steps // 2 :].mean()


def gradient(loss: Tensor, module: nn.Module) -> Tensor:
    gradients = torch.autograd.grad(loss, list(module.parameters()))
    return torch.cat([gradient.flatten() for gradient in gradients])


def interleave(steps: dict[str, Callable[[], None]], rounds: int) -> dict[str, list[float]]:
    """Wall seconds of every step, run in turn; the first rounds only warm up."""
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for index in range(rounds + WARM_UP):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            if index >= WARM_UP:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def summarise(seconds: list[float], peer: list[float]) -> dict[str, float]:
    return {
        "median_ms": 1e3 * statistics.median(seconds),
        "min_ms": 1e3 * min(seconds),
        "speed_median": statistics.median(a / b for a, b in zip(peer, seconds, strict=True)),
        "speed_min": min(peer) / min(seconds),
    }


def markdown(rows: dict[str, dict[str, float]]) -> str:
    lines = [
        "| one outer step | median | minimum | speed (medians) | speed (minima) "
        "| gradient difference |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {row['median_ms']:.1f} ms | {row['min_ms']:.1f} ms "
        f"| {row['speed_median']:.2f}x | {row['speed_min']:.2f}x "
        f"| {row['gradient_difference']:.0e} |"
        for name, row in rows.items()
    ]
    return "\n".join(lines)


def benchmark(
    sizes: Sizes = Sizes(),
    rounds: int = 30,
    threads: int = 1,
    out: str = "results/benchmark.json",
) -> None:
    """Time one outer step (sample, rollout, backward, Adam) of badger-graph and of plain PyG.

    Args:
        sizes: the workload.
        rounds: timed runs of each variant.
        threads: CPU threads.
        out: where to write the JSON.
    """
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    policy, topology, membrane = GRUPolicy(), RandomTopology(sizes.k), HardwiredMembrane()
    executors: dict[str, Executor] = {
        "badger-graph": "auto",
        "badger-graph, reference executor": "reference",
    }
    agents = {
        name: BadgerAgent(policy, topology, membrane, executor=executor)
        for name, executor in executors.items()
    }
    losses: dict[str, Callable[[Task], Tensor]] = {
        "plain PyG": partial(plain_loss, PlainPolicy(policy), agents["badger-graph"], sizes)
    }
    losses |= {name: partial(agent_loss, agent, sizes) for name, agent in agents.items()}

    family, generator = GuessingGame(), torch.Generator().manual_seed(0)
    task = family.sample(sizes.batch_size, sizes.num_outputs, generator)
    gradients = {name: gradient(loss(task), policy) for name, loss in losses.items()}
    expected = gradients["plain PyG"]
    # A learning rate of zero: Adam does its work, and every variant keeps the same weights.
    optimizer = torch.optim.Adam(policy.parameters(), lr=0.0)

    def outer_step(loss: Callable[[Task], Tensor]) -> None:
        optimizer.zero_grad()
        loss(family.sample(sizes.batch_size, sizes.num_outputs, generator)).backward()
        optimizer.step()

    seconds = interleave({name: partial(outer_step, f) for name, f in losses.items()}, rounds)
    rows: dict[str, dict[str, Any]] = {
        name: summarise(own, seconds["plain PyG"])
        | {"gradient_difference": float((gradients[name] - expected).norm() / expected.norm())}
        for name, own in seconds.items()
    }
    machine = f"{platform.machine()}, {threads} thread(s), torch {torch.__version__}"
    table = markdown(rows)
    print(f"{sizes}, {rounds} interleaved rounds on {machine}\n{table}")
    file = Path(out)
    file.parent.mkdir(parents=True, exist_ok=True)
    result = {"sizes": asdict(sizes), "rounds": rounds, "machine": machine, "rows": rows}
    file.write_text(json.dumps(result, indent=1))
    file.with_suffix(".md").write_text(table + "\n")


if __name__ == "__main__":
    auto_cli(benchmark)
