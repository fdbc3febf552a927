"""A frozen policy on graphs it never saw."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import networkx as nx
import torch

from badger_graph.analysis.seeds import mean_and_bar
from badger_graph.experiments.process import fit
from badger_graph.experiments.runner import Experiment
from badger_graph.experiments.tables import table
from badger_graph.files import require_writable, write_json
from badger_graph.library.load import load_trained
from badger_graph.library.shipping import SHIPPED as SHIPPED_FOLDER
from badger_graph.library.shipping import read_card
from badger_graph.progress import track
from badger_graph.rollout import unroll
from topologies import (
    CompleteTopology,
    GridTopology,
    IsolatedTopology,
    NetworkXTopology,
    RandomTopology,
    RingTopology,
    StarTopology,
    Topology,
    from_networkx,
)
from topologies.checks import checked, size

TASKS, SEED = 256, 0
"""Lives of a policy on each graph, and the seed of their tasks."""

TRAINED = {"redrawn in training": "--config redrawn", "one graph in training": ""}
"""What the trainings of each group are told."""

SHIPPED = "micro_badger"
"""The shipped policy, which was trained as the first group are; its seeds are those of graphs."""

EXPERTS = 16

OWN = "its own"
"""The graph of a policy's training; of those with a new one in every rollout, one more."""


class UnseenGraphs(Experiment):
    """One policy on graphs it never saw.

    Trains the preset ``redrawn`` (a fresh random graph for every rollout; N=16, d=4, T=20) and, to
    compare, the default (one random graph for good), once for each seed, and puts the frozen
    policies, and the shipped ``micro_badger``, on other kinds of graphs and other numbers of
    experts, all on the same 256 tasks. Trained runs are kept and not trained again.

    Args:
        seeds: policies to train of each group, and draws of random graphs for the shipped one.
        jobs: trainings side by side, one thread each.
        runs: where to keep the runs.
        card: whether to say it on the card of the shipped policy, too.

    Raises:
        ValueError: when a number is below 1.
    """

    name = "unseen_graphs"

    @checked(seeds=size(most=1000), jobs=size(most=1000))
    def __init__(
        self, seeds: int = 5, jobs: int = 2, runs: str = "runs", card: bool = False
    ) -> None:
        self.seeds = seeds
        self.jobs = jobs
        self.runs = Path(runs)
        self.card = card

    def compute(self, file: Path) -> dict[str, Any]:
        require_writable(self.runs / "redrawn-0" / "finished")
        trainings = [(group, seed) for seed in range(self.seeds) for group in TRAINED]
        with ThreadPoolExecutor(self.jobs) as pool:
            paths = pool.map(lambda one: train(one[0], one[1], self.runs), trainings)
            files = list(track(paths, "training", len(trainings)))
        groups: dict[str, list[dict[str, Any]]] = {group: [] for group in (*TRAINED, SHIPPED)}
        pairs = list(zip(trainings, files, strict=True))
        for (group, seed), checkpoint in track(pairs, "measuring"):
            groups[group].append(measure(str(checkpoint), seed))
        groups[SHIPPED] = [measure(SHIPPED, seed) for seed in range(self.seeds)]
        result = {"groups": groups}
        if self.card:
            write_card(result)
        return result

    @staticmethod
    def markdown(result: Mapping[str, Any]) -> str:
        """One row a graph: mean and standard error over seeds of each group, and for the shipped
        one how many times that on its own graphs it is.
        """
        groups = result["groups"]
        heads = [
            "graph of the frozen agent",
            *(f"{name}: MSE" for name in groups),
            f"{SHIPPED}: times",
        ]
        rows = []
        for name in groups[SHIPPED][0]["errors"]:
            bars = [mean_and_bar([row["errors"][name] for row in rows]) for rows in groups.values()]
            home, _ = mean_and_bar([row["errors"][OWN] for row in groups[SHIPPED]])
            cells = [f"{error:.4f} ± {bar:.4f}" for error, bar in bars]
            rows.append([name, *cells, f"{bars[-1][0] / home:.1f}"])
        return table(heads, rows)


def unseen(seed: int) -> dict[str, tuple[Topology, int]]:
    """Graphs and numbers of experts by the name of their row; no random one was trained on."""
    new = 1000 + seed
    random = RandomTopology(k=4, seed=new)
    kinds: dict[str, Topology] = {
        "random": random,
        "complete": CompleteTopology(),
        "small-world": NetworkXTopology("watts_strogatz_graph", {"k": 4, "p": 0.1}, seed=new),
        "scale-free": NetworkXTopology("barabasi_albert_graph", {"m": 2}, seed=new),
        "4-regular": NetworkXTopology("random_regular_graph", {"d": 4}, seed=new),
        "hypercube": from_networkx(nx.hypercube_graph(4)),
        "grid": GridTopology(),
        "caveman (4 cliques of 4)": from_networkx(nx.connected_caveman_graph(4, 4)),
        "barbell (2 cliques of 8)": from_networkx(nx.barbell_graph(8, 0)),
        "ring": RingTopology(),
        "star": StarTopology(),
        "binary tree": from_networkx(nx.full_rary_tree(2, EXPERTS)),
        "path": from_networkx(nx.path_graph(EXPERTS)),
        "directed cycle": from_networkx(nx.cycle_graph(EXPERTS, create_using=nx.DiGraph)),
        "de Bruijn": from_networkx(_de_bruijn()),
        "no communication": IsolatedTopology(),
    }
    sizes = (8, 12, 32, 64, 256, 333, 1000)
    return {f"{name}, {EXPERTS} experts": (kind, EXPERTS) for name, kind in kinds.items()} | {
        f"random, {size:,} experts": (random, size) for size in sizes
    }


def _de_bruijn() -> nx.DiGraph:
    """Expert j is heard by 2 j and 2 j + 1, modulo their number: two in-links each."""
    return nx.DiGraph((j, (2 * j + bit) % EXPERTS) for j in range(EXPERTS) for bit in range(2))


def train(group: str, seed: int, runs: Path) -> Path:
    """The checkpoint of a run of a group with this seed, trained unless it is there."""
    arguments = TRAINED[group].split()
    folder = runs / f"{arguments[-1] if arguments else 'fixed'}-{seed}"
    if not (folder / "finished").exists():
        if fit([*arguments, "--seed", str(seed)], folder).diverged:
            raise ValueError(f"a training must end well, got {str(folder)!r}, which diverged")
        (folder / "finished").touch()
    return folder / "checkpoints" / "best.ckpt"


@torch.no_grad()
def measure(policy: str, seed: int) -> dict[str, Any]:
    """The error at the last step on every unseen graph."""
    training = load_trained(policy)
    agent = training.agent.eval()
    errors = {}
    own = (agent.topology, training.num_experts)
    for name, (topology, num_experts) in {OWN: own, **unseen(seed)}.items():
        agent.topology = topology
        generator = torch.Generator().manual_seed(SEED)
        task = training.task.sample(TASKS, training.num_outputs, generator)
        rollout = unroll(agent, task, num_experts, training.num_steps, generator)
        errors[name] = rollout.loss[-1].double().mean().item()
    return {"seed": seed, "outer_steps": training.outer_steps, "errors": errors}


def write_card(result: Mapping[str, Any]) -> None:
    """Say on the card of the shipped policy what its error is on each graph."""
    rows = result["groups"][SHIPPED]
    table = {
        name: round(mean_and_bar([row["errors"][name] for row in rows])[0], 4)
        for name in rows[0]["errors"]
    }
    graphs = {"unit": "MSE of the last step", "num_tasks": TASKS, "seed": SEED, "table": table}
    card = SHIPPED_FOLDER / f"{SHIPPED}.json"
    write_json(card, {**read_card(SHIPPED), "graphs": graphs})
