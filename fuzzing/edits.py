"""What may happen to living agents."""

from __future__ import annotations

from random import Random
from typing import get_args

import torch

from badger_graph import (
    BadgerAgent,
    add_experts,
    change_outputs,
    clone_experts,
    from_pyg,
    remove_experts,
    rewire,
    to_pyg,
)
from badger_graph.growth import CloneIdentifiers
from badger_graph.life import Life
from badger_graph.typing import Edges
from topologies import CompleteTopology, RandomTopology, RingTopology, StarTopology, Topology

DTYPES = (torch.float32, torch.float64)

EDITS = (
    *("add", "clone", "remove", "rewire", "outputs"),
    *("assign_edges", "assign_weights", "assign_states"),
)
"""What may happen to living agents."""


def edit(agent: BadgerAgent, life: Life, name: str, seed: int) -> Life:
    """Living agents after one edit, with random sizes of its own; the life before is unchanged.

    Raises:
        ValueError: when it is refused.
    """
    random, generator = Random(seed), torch.Generator().manual_seed(seed)
    graph = to_pyg(life)
    match name:
        case "add":
            topology = random.choice([None, _some_topology(random)])
            return add_experts(agent, life, random.randint(1, 3), generator, topology)
        case "clone":
            experts = _some_experts(life, random)
            identifiers = random.choice(get_args(CloneIdentifiers))
            return clone_experts(agent, life, experts, identifiers, generator)
        case "remove":
            return remove_experts(agent, life, _some_experts(life, random))
        case "rewire":
            edges = _some_edges(life, random, generator)
            choices: list[Topology | Edges] = [_some_topology(random), edges]
            return rewire(agent, life, random.choice(choices), generator)
        case "outputs":
            return change_outputs(agent, life, random.randint(1, 8), generator)
        case "assign_edges":
            graph.edge_index, graph.edge_weight = _some_edges(life, random, generator)
        case "assign_weights":
            graph.edge_weight = graph.edge_weight * random.uniform(-1, 2)
        case "assign_states":
            noise = torch.randn(graph.hidden.shape, generator=generator, dtype=graph.hidden.dtype)
            graph.hidden = graph.hidden + 0.1 * noise
            if random.random() < 0.3:  # laid out otherwise
                graph.hidden = graph.hidden.t().contiguous().t()
    return from_pyg(agent, graph)


def _some_experts(life: Life, random: Random) -> list[int]:
    return random.sample(range(life.num_experts), random.randint(1, min(3, life.num_experts)))


def _some_topology(random: Random) -> Topology:
    return random.choice(
        [RingTopology(), CompleteTopology(), StarTopology(), RandomTopology(1, redraw="agent")]
    )


def _some_edges(life: Life, random: Random, generator: torch.Generator) -> Edges:
    """Other edges in every agent, each once and in no order, self-loops among them."""
    num_experts = life.num_experts
    pairs = life.batch_size * num_experts**2
    number = torch.randperm(pairs, generator=generator)[: random.randint(0, 4 * num_experts)]
    target, source = number // num_experts, number % num_experts
    index = torch.stack([source + target // num_experts * num_experts, target])
    weight = torch.rand(len(number), generator=generator, dtype=random.choice(DTYPES))
    if random.random() < 0.3:  # laid out otherwise
        index = index.t().contiguous().t()
    return Edges(index, weight if random.random() < 0.5 else torch.ones_like(weight))
