"""One frozen policy on graphs of many families and sizes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import networkx as nx
import torch

from badger_graph.analysis.seeds import mean_and_bar
from badger_graph.experiments.paper.jobs import load_policy, named_groups
from badger_graph.experiments.runner import Experiment
from badger_graph.experiments.tables import table
from badger_graph.progress import track
from badger_graph.rollout import unroll
from badger_graph.tasks import GuessingGame
from topologies import RandomTopology, Topology, from_networkx
from topologies.checks import SEED, checked, size

EXPERTS = 16
"""Of graphs that can have so many; others have as many as come next to it."""

OWN = f"random, {EXPERTS} experts"
"""The row that others are compared with."""

RANDOM = RandomTopology(k=4, redraw="agent")
"""Four random in-links for every expert: what all others are compared with."""

Graphs = Callable[[int], nx.Graph]
"""A seed to a graph."""


def _de_bruijn(seed: int) -> nx.DiGraph:
    return nx.DiGraph((j, (2 * j + bit) % EXPERTS) for j in range(EXPERTS) for bit in range(2))


def _kautz(seed: int) -> nx.DiGraph:
    """Expert j is heard by -(2 j + 1) and -(2 j + 2), modulo 12."""
    return nx.DiGraph((j, (-2 * j - bit) % 12) for j in range(12) for bit in (1, 2))


def _tournament(seed: int) -> nx.DiGraph:
    return nx.tournament.random_tournament(EXPERTS, seed=seed)


TRAINED: dict[str, Graphs] = {
    "path": lambda seed: nx.path_graph(EXPERTS),
    "cycle": lambda seed: nx.cycle_graph(EXPERTS),
    "complete": lambda seed: nx.complete_graph(EXPERTS),
    "star": lambda seed: nx.star_graph(EXPERTS - 1),
    "random tree": lambda seed: nx.random_labeled_tree(EXPERTS, seed=seed),
    "scale-free (Barabási and Albert)": lambda seed: nx.barabasi_albert_graph(EXPERTS, 2, seed),
    "small-world (Watts and Strogatz)": lambda seed: nx.connected_watts_strogatz_graph(
        EXPERTS, 4, 0.2, seed=seed
    ),
    "growing network with redirection": lambda seed: nx.gnr_graph(EXPERTS, 0.3, seed=seed),
}
"""Families of the preset ``lasting``, beside random ones of other degrees."""

UNSEEN: dict[str, Graphs] = {
    "directed cycle": lambda seed: nx.cycle_graph(EXPERTS, create_using=nx.DiGraph),
    "balanced tree (15 experts)": lambda seed: nx.balanced_tree(2, 3),
    "binomial tree": lambda seed: nx.binomial_tree(4),
    "de Bruijn": _de_bruijn,
    "Kautz (12 experts)": _kautz,
    "caveman": lambda seed: nx.connected_caveman_graph(4, 4),
    "barbell": lambda seed: nx.barbell_graph(7, 2),
    "lollipop": lambda seed: nx.lollipop_graph(8, 8),
    "hypercube": lambda seed: nx.hypercube_graph(4),
    "grid": lambda seed: nx.grid_2d_graph(4, 4),
    "torus": lambda seed: nx.grid_2d_graph(4, 4, periodic=True),
    "ladder": lambda seed: nx.ladder_graph(8),
    "wheel": lambda seed: nx.wheel_graph(EXPERTS),
    "complete bipartite": lambda seed: nx.complete_bipartite_graph(8, 8),
    "windmill": lambda seed: nx.windmill_graph(5, 4),
    "Möbius and Kantor": lambda seed: nx.moebius_kantor_graph(),
    "ring of circulant links": lambda seed: nx.circulant_graph(EXPERTS, [1, 5]),
    "3-regular": lambda seed: nx.random_regular_graph(3, EXPERTS, seed=seed),
    "geometric": lambda seed: nx.random_geometric_graph(EXPERTS, 0.4, seed=seed),
    "Erdős and Rényi": lambda seed: nx.gnp_random_graph(EXPERTS, 0.2, seed=seed),
    "clustered scale-free": lambda seed: nx.powerlaw_cluster_graph(EXPERTS, 2, 0.5, seed=seed),
    "blocks": lambda seed: nx.random_partition_graph([8, 8], 0.6, 0.05, seed=seed),
    "tournament": _tournament,
    "no links": lambda seed: nx.empty_graph(EXPERTS),
}
"""Families that no policy was trained on."""

SIZES = (8, 12, 24, 64, 128, 256, 333, 1_000, 10_000)
"""Numbers of experts N of random graphs."""

EXPERTS_AT_ONCE = 50_000
"""Experts of all agents of a batch."""


class AnyGraph(Experiment):
    """Frozen policies on 32 families of graphs, 24 of which they were not trained on, and on random
    graphs of 8 to 10,000 experts, beside their own error on random graphs of 16.

    Args:
        policies: groups of one recipe each, as :func:`named_groups` reads them.
        num_steps: inner steps T; the error is that of the last one.
        num_outputs: numbers d to guess.
        num_tasks: of each policy with each graph; fewer where there are thousands of experts.
        graphs: of each random family.
        seed: of graphs, tasks and draws.

    Raises:
        ValueError: for a number below 1, or a policy that is none.
    """

    name = "any_graph"

    @checked(num_steps=size(), num_outputs=size(), num_tasks=size(), graphs=size(), seed=SEED)
    def __init__(
        self,
        policies: list[str],
        num_steps: int = 20,
        num_outputs: int = 4,
        num_tasks: int = 256,
        graphs: int = 4,
        seed: int = 0,
    ) -> None:
        self.policies = policies
        self.num_steps = num_steps
        self.num_outputs = num_outputs
        self.num_tasks = num_tasks
        self.graphs = graphs
        self.seed = seed

    def compute(self, file: Path) -> dict[str, Any]:
        groups = {}
        for group, policies in named_groups(self.policies).items():
            names = track(policies, f"living, {group}")
            groups[group] = [self.errors(policy) for policy in names]
        settings = ("num_steps", "num_outputs", "num_tasks", "graphs", "seed")
        return {name: getattr(self, name) for name in settings} | {"groups": groups}

    def errors(self, policy: str) -> dict[str, float]:
        """The mean error over tasks at the last step, by graph."""
        agent = load_policy(policy).eval()
        errors = {}
        for name, (num_experts, topologies) in self.drawn().items():
            some = max(1, min(self.num_tasks, EXPERTS_AT_ONCE // num_experts))
            total = 0.0
            for number, topology in enumerate(topologies):
                agent.topology = topology
                generator = torch.Generator().manual_seed(self.seed + number)
                tasks = max(1, some // len(topologies))
                task = GuessingGame().sample(tasks, self.num_outputs, generator)
                with torch.no_grad():
                    rollout = unroll(agent, task, num_experts, self.num_steps, generator)
                total += rollout.loss[-1].double().mean().item()
            errors[name] = total / len(topologies)
        return errors

    def drawn(self) -> dict[str, tuple[int, list[Topology]]]:
        """Of every row the number of experts and its graphs."""
        rows: dict[str, tuple[int, list[Topology]]] = {OWN: (EXPERTS, [RANDOM])}
        for families in (TRAINED, UNSEEN):
            for name, family in families.items():
                graphs = [family(seed) for seed in range(self.seed, self.seed + self.graphs)]
                # Whoever speaks for an output may sit anywhere.
                shuffled = [_shuffle(graph, seed) for seed, graph in enumerate(graphs)]
                rows[name] = (len(graphs[0]), [from_networkx(graph) for graph in shuffled])
        for num_experts in SIZES:
            rows[f"random, {num_experts:,} experts"] = (num_experts, [RANDOM])
        return rows

    @staticmethod
    def markdown(result: dict[str, Any]) -> str:
        """One row a graph: the error, and how many times that on random graphs of 16 it is."""
        groups = result["groups"]
        heads = ["graph", "in training"]
        for group in groups:
            heads += [f"{group}: MSE", "times"]
        where = dict.fromkeys(TRAINED, "yes") | dict.fromkeys(UNSEEN, "no")
        rows = []
        for name in next(iter(groups.values()))[0]:
            rows.append([name, where.get(name, "")])
            for seeds in groups.values():
                error, bar = mean_and_bar([seed[name] for seed in seeds])
                own, _ = mean_and_bar([seed[OWN] for seed in seeds])
                rows[-1] += [f"{error:.4f} ± {bar:.4f}" if len(seeds) > 1 else f"{error:.4f}"]
                rows[-1] += [f"{error / own:.1f}"]
        return table(heads, rows)


def _shuffle(graph: nx.Graph, seed: int) -> nx.Graph:
    """The same graph, with another order of its nodes."""
    order = torch.randperm(len(graph), generator=torch.Generator().manual_seed(seed)).tolist()
    return nx.relabel_nodes(graph, dict(zip(graph.nodes, order, strict=True)))
