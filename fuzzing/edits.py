"""What may happen to living agents: one function an edit, each with random sizes of its own."""

from __future__ import annotations

import copy
from collections.abc import Callable
from random import Random
from typing import get_args

import torch
from torch_geometric.data import Batch

from badger_graph import (
    BadgerAgent,
    add_experts,
    change_outputs,
    clone_experts,
    remove_experts,
    rewire,
)
from badger_graph.growth import CloneIdentifiers
from badger_graph.typing import Edges
from topologies import CompleteTopology, RandomTopology, RingTopology, StarTopology, Topology

DTYPES = (torch.float32, torch.float64)

Edit = Callable[[BadgerAgent, Batch, Random, torch.Generator], Batch]


def edit(agent: BadgerAgent, graph: Batch, name: str, seed: int) -> Batch:
    """Living agents after one edit; the graph before is unchanged.

    Raises:
        ValueError: when it is refused.
    """
    after = EDITS[name](agent, graph, Random(seed), torch.Generator().manual_seed(seed))
    agent.life(after)  # what was assigned is looked at when they live on
    return after


def _some_experts(graph: Batch, random: Random) -> list[int]:
    num_experts = len(graph.hidden) // graph.num_graphs
    return random.sample(range(num_experts), random.randint(1, min(3, num_experts)))


def _some_topology(random: Random) -> Topology:
    return random.choice(
        [RingTopology(), CompleteTopology(), StarTopology(), RandomTopology(1, redraw="agent")]
    )


def _some_edges(graph: Batch, random: Random, generator: torch.Generator) -> Edges:
    """Other edges in every agent, each once and in no order, self-loops among them."""
    num_agents = graph.num_graphs
    num_experts = len(graph.hidden) // num_agents
    pairs = num_agents * num_experts**2
    number = torch.randperm(pairs, generator=generator)[: random.randint(0, 4 * num_experts)]
    target, source = number // num_experts, number % num_experts
    index = torch.stack([source + target // num_experts * num_experts, target])
    weight = torch.rand(len(number), generator=generator, dtype=random.choice(DTYPES))
    if random.random() < 0.3:  # laid out otherwise
        index = index.t().contiguous().t()
    return Edges(index, weight if random.random() < 0.5 else torch.ones_like(weight))


def _add(agent: BadgerAgent, graph: Batch, random: Random, generator: torch.Generator) -> Batch:
    topology = random.choice([None, _some_topology(random)])
    return add_experts(agent, graph, random.randint(1, 3), generator, topology)


def _clone(agent: BadgerAgent, graph: Batch, random: Random, generator: torch.Generator) -> Batch:
    experts, identifiers = _some_experts(graph, random), random.choice(get_args(CloneIdentifiers))
    return clone_experts(agent, graph, experts, identifiers, generator)


def _remove(agent: BadgerAgent, graph: Batch, random: Random, generator: torch.Generator) -> Batch:
    return remove_experts(agent, graph, _some_experts(graph, random))


def _rewire(agent: BadgerAgent, graph: Batch, random: Random, generator: torch.Generator) -> Batch:
    edges = _some_edges(graph, random, generator)
    choices: list[Topology | Edges] = [_some_topology(random), edges]
    links = random.choice(choices)
    return rewire(agent, graph, links, generator)


def _outputs(agent: BadgerAgent, graph: Batch, random: Random, generator: torch.Generator) -> Batch:
    return change_outputs(agent, graph, random.randint(1, 8), generator)


def _assign_edges(
    agent: BadgerAgent, graph: Batch, random: Random, generator: torch.Generator
) -> Batch:
    after = copy.copy(graph)
    after.edge_index, after.edge_weight = _some_edges(graph, random, generator)
    return after


def _assign_weights(
    agent: BadgerAgent, graph: Batch, random: Random, generator: torch.Generator
) -> Batch:
    after = copy.copy(graph)
    after.edge_weight = graph.edge_weight * random.uniform(-1, 2)
    return after


def _assign_states(
    agent: BadgerAgent, graph: Batch, random: Random, generator: torch.Generator
) -> Batch:
    after = copy.copy(graph)
    noise = torch.randn(graph.hidden.shape, generator=generator, dtype=graph.hidden.dtype)
    after.hidden = graph.hidden + 0.1 * noise
    if random.random() < 0.3:  # laid out otherwise
        after.hidden = after.hidden.t().contiguous().t()
    return after


EDITS: dict[str, Edit] = {
    "add": _add,
    "clone": _clone,
    "remove": _remove,
    "rewire": _rewire,
    "outputs": _outputs,
    "assign_edges": _assign_edges,
    "assign_weights": _assign_weights,
    "assign_states": _assign_states,
}
