"""Does the graph of the experts decide how soon they learn?"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import networkx as nx

from badger_graph.experiments.tables import median_steps
from badger_graph.experiments.trainings import Run
from badger_graph.experiments.why_hard.base import (
    SOLVED,
    by_name,
    estimate,
    in_all,
    lowest,
    positive,
    rank_correlation,
    sign_claim,
    squared_error,
    steps_to_level,
)
from badger_graph.experiments.why_hard.experiment import Scale, TrainingExperiment
from badger_graph.experiments.why_hard.findings import Claim, Findings, Panel, Verdict, Whose
from badger_graph.library.load import load_agent
from topologies import GraphTopology

EXPERTS = 16

NETWORKX = "--topology networkx --topology.seed {seed} --topology.generator "

FAMILIES = {
    "no communication": "--topology isolated",
    "ring": "--topology ring",
    "grid": "--topology grid",
    "star": "--topology star",
    "random, 1 in-link": "--topology.k 1 --topology.seed {seed}",
    "random, 2 in-links": "--topology.k 2 --topology.seed {seed}",
    "random, 4 in-links": "--topology.k 4 --topology.seed {seed}",
    "random, 8 in-links": "--topology.k 8 --topology.seed {seed}",
    "small-world": NETWORKX + "watts_strogatz_graph --topology.kwargs.k 4 --topology.kwargs.p 0.1",
    "scale-free": NETWORKX + "barabasi_albert_graph --topology.kwargs.m 2",
    "4-regular": NETWORKX + "random_regular_graph --topology.kwargs.d 4",
    "complete": "--topology complete",
}

ALL_TOLD = "no communication, all told"

LOWEST = "lowest MSE (training ends below 0.005)"

LINKED = [name for name in FAMILIES if name != "no communication"]

CONNECTIVITY, GAP, LINKS = "algebraic connectivity", "spectral gap", "in-links"
DISTANCE = "steps from the one told"
STRONG = "strongly connected"

SPEAKERS = 4
"""The experts who guess, one number each."""

PROPERTIES = (CONNECTIVITY, GAP, LINKS, DISTANCE)

Graph = Mapping[str, float | None]
"""Its properties by name; none where it has none of that name."""

Graphs = Mapping[str, Sequence[Graph]]
Steps = Mapping[str, Sequence[int | None]]
"""Of each family one a seed; of steps none where the game was never solved."""


class TopologyExperiment(TrainingExperiment):
    """Graphs of sixteen experts, one of which is told the error of the guess at four numbers.

    Source: Šimánek (blog), "Topology": strongly connected graphs, and the eigenvalues of the
    Laplacian, decide how soon experts agree.
    """

    name = "topology"
    title = "Topology: connectivity against speed of learning"
    question = (
        "Only one expert of sixteen, which identifiers tell apart, is told the error, so that what "
        "it hears must travel. On which graphs is the game of four numbers solved soonest, and "
        "does the speed go with the algebraic connectivity, the spectral gap, the number of links, "
        "or the distance from the expert told?"
    )
    short = Scale(seeds=1, max_steps=1000)
    full = Scale(seeds=5, max_steps=3000)

    told = {name: f"--config told_one {arguments}" for name, arguments in FAMILIES.items()} | {
        ALL_TOLD: "--config told_one --membrane.readers all --topology isolated"
    }

    def findings(self, runs: Sequence[Run]) -> Findings:
        groups = by_name(runs)
        steps = {
            name: steps_to_level(group, SOLVED, squared_error, 1) for name, group in groups.items()
        }
        errors = {name: lowest(group) for name, group in groups.items()}
        graphs = {name: [_properties(one) for one in groups[name]] for name in FAMILIES}
        numbers = {"steps": steps, "lowest": errors, "graphs": graphs}
        claims, panels = judge(numbers, runs[0].training.max_steps)
        return Findings(
            claims=claims,
            panels=panels,
            columns=["graph", *PROPERTIES, f"outer steps to MSE {SOLVED}", LOWEST],
            rows=[
                [
                    name,
                    *(_average(graphs.get(name), label) for label in PROPERTIES),
                    median_steps(steps[name]),
                    estimate(errors[name], 4),
                ]
                for name in groups
            ],
            numbers=numbers,
        )


def judge(numbers: Mapping[str, Any], max_steps: int) -> tuple[list[Claim], list[Panel]]:
    """What the outer steps and graphs of a result say, without its trainings."""
    steps, errors, graphs = (numbers[name] for name in ("steps", "lowest", "graphs"))
    panels = [
        Panel(
            f"By {label}",
            label,
            f"outer steps to MSE {SOLVED}",
            _points(graphs, steps, label),
            log_x=label in (CONNECTIVITY, LINKS),
            never=max_steps,
        )
        for label in PROPERTIES
    ]
    claims = [
        _without(steps, errors),
        _strong(graphs, steps),
        *(_goes_with(label, graphs, steps, max_steps) for label in PROPERTIES),
    ]
    return claims, panels


def _properties(one: Run) -> Graph:
    """Of the graph of a run: those of PROPERTIES, and whether every expert reaches every other; all
    none if it diverged before its first checkpoint.
    """
    if not one.checkpoint.is_file():
        return dict.fromkeys((*PROPERTIES, STRONG))
    topology = load_agent(one.checkpoint).topology
    assert isinstance(topology, GraphTopology)
    summary = topology.summary(EXPERTS)
    graph = topology.graph(EXPERTS)
    distance = nx.single_source_shortest_path_length(graph, 0)  # expert 0 is told
    return {
        CONNECTIVITY: summary.algebraic_connectivity,
        GAP: summary.spectral_gap,
        LINKS: summary.num_edges / EXPERTS,
        DISTANCE: max(distances)
        if None not in (distances := [distance.get(j) for j in range(SPEAKERS)])
        else None,
        STRONG: float(summary.strongly_connected),
    }


def _average(graphs: Sequence[Graph] | None, label: str) -> str:
    values = [graph[label] for graph in graphs or [] if graph[label] is not None]
    return f"{statistics.mean(values):.2f}" if values else "-"  # type: ignore[type-var]


def _points(graphs: Graphs, steps: Steps, label: str) -> dict[str, dict[str, Any]]:
    """A point for each seed of each family, without a height where it was never solved."""
    points = {}
    for name in LINKED:
        of_family = graphs[name]
        seeds = [k for k, graph in enumerate(of_family) if graph[label] is not None]
        if seeds:
            places = [of_family[k][label] for k in seeds]
            points[name] = {"x": places, "y": [[steps[name][k] for k in seeds]]}
    return points


def _without(steps: Steps, errors: Mapping[str, Sequence[float]]) -> Claim:
    alone, all_told = steps["no communication"], steps[ALL_TOLD]
    solutions = sum(step is not None for step in all_told)
    evidence = (
        f"without links and all told, solved after {median_steps(all_told)}; with one told "
        f"{median_steps(alone)}, lowest MSE {estimate(errors['no communication'], 3)}"
    )
    says = "The game can be solved without any communication"
    return Claim(says, evidence, in_all(solutions, len(all_told)))


def _strong(graphs: Graphs, steps: Steps) -> Claim:
    """Of each seed the share of its strongly connected graphs that are solved, and of those others
    on which all who guess can be reached: where they cannot, nothing can be learned.
    """
    kinds: dict[str, list[list[bool]]] = {
        "strongly connected graphs": [],
        "others on which all who guess can be reached": [],
        "those on which one cannot": [],
    }
    strong, others, apart = kinds
    for seed in range(len(next(iter(steps.values())))):
        for of_kind in kinds.values():
            of_kind.append([])
        for name in LINKED:
            graph = graphs[name][seed]
            if (linked := graph[STRONG]) is not None:
                kind = strong if linked else others if graph[DISTANCE] is not None else apart
                kinds[kind][seed].append(steps[name][seed] is not None)
    pairs = [(a, b) for a, b in zip(kinds[strong], kinds[others], strict=True) if a and b]
    shares = [(statistics.mean(a), statistics.mean(b)) for a, b in pairs]
    words = ", ".join(
        f"{sum(map(sum, of_kind))} of {sum(map(len, of_kind))} on {kind}"
        for kind, of_kind in kinds.items()
    )
    more = positive([a - b for a, b in shares])
    verdict: Verdict = more
    if len(shares) > 1 and more != "no":
        weak = statistics.mean(b for _, b in shares)
        if weak > 0.8:
            verdict = "no"  # they do as well
        elif more == "yes" and weak > 0:
            verdict = "partly"  # they help
    return Claim(
        "Strongly connected graphs are needed",
        f"solved: {words}; the others all have one or two in-links an expert",
        verdict,
    )


def _goes_with(label: str, graphs: Graphs, steps: Steps, max_steps: int) -> Claim:
    """One rank correlation over the graphs a seed: runs of one seed are not independent."""
    sign, more = (1, "fewer") if label == DISTANCE else (-1, "more")

    def correlations(families: Sequence[str]) -> list[float]:
        by_seed = []
        for seed in range(len(next(iter(steps.values())))):
            values = [(name, graphs[name][seed]) for name in families]
            # Who cannot be reached is farther than anyone who can.
            points = [
                (EXPERTS if label == DISTANCE and graph[label] is None else graph[label], name)
                for name, graph in values
                if graph[STRONG] is not None
            ]
            pairs = [(x, steps[name][seed] or max_steps) for x, name in points if x is not None]
            correlation = rank_correlation([x for x, _ in pairs], [y for _, y in pairs])
            by_seed += [] if correlation is None else [sign * correlation]
        return by_seed

    words = (
        f"rank correlation over {len(LINKED)} graphs with {'' if sign > 0 else 'minus '}the outer "
        "steps {}"
    )
    claim = sign_claim(f"Learning is sooner with {more} {label}", words, correlations(LINKED))
    without = correlations([name for name in LINKED if name != "star"])
    holds = claim.holds
    if without:
        words = f"{claim.measured}; without the star {estimate(without, 2)}"
        claim = claim._replace(measured=f"{words}; links, gap and connectivity rise together")
        if holds != (bare := positive(without)):
            holds = "partly" if "yes" in (holds, bare) else "undecided"
    of: Whose = "ours" if label in (LINKS, DISTANCE) else "blog"
    return claim._replace(holds=holds, of=of)
