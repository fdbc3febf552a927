"""Laplacian spectra against closed forms and NetworkX."""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence

import networkx as nx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from topologies import (
    CompleteTopology,
    Edges,
    GraphTopology,
    GridTopology,
    IsolatedTopology,
    LayeredTopology,
    RandomTopology,
    RingTopology,
    StarTopology,
    from_networkx,
    is_strongly_connected,
    laplacian,
    summarise,
)


def assert_spectrum(topology: GraphTopology, num_experts: int, expected: Sequence[complex]) -> None:
    """The spectrum is ``expected``, in any order; it is sorted; and the rest agrees with it."""
    summary = topology.summary(num_experts)
    spectrum = summary.laplacian_spectrum
    assert spectrum.dtype == torch.complex128
    assert (spectrum.real.diff() >= 0).all()

    def in_order(values: Sequence[complex]) -> list[complex]:
        return sorted(values, key=lambda value: (round(value.real, 6), round(value.imag, 6)))

    assert in_order(spectrum.tolist()) == pytest.approx(in_order(expected), abs=1e-9)
    second = sorted(value.real for value in expected)[1:2]
    assert summary.algebraic_connectivity == pytest.approx((second or [0.0])[0], abs=1e-9)


def test_ring() -> None:
    assert_spectrum(RingTopology(), 7, [2 - 2 * math.cos(2 * math.pi * i / 7) for i in range(7)])


def test_complete() -> None:
    assert_spectrum(CompleteTopology(), 6, [0] + 5 * [6])


def test_star() -> None:
    assert_spectrum(StarTopology(), 6, [0] + 4 * [1] + [6])


@pytest.mark.parametrize(
    ("topology", "gap"),
    [
        (RingTopology(), (1 - math.cos(2 * math.pi / 6)) / 2),
        (CompleteTopology(), 0.6),
        (StarTopology(), 0.5),
        (IsolatedTopology(), 0.0),
    ],
)
def test_spectral_gap_in_closed_form(topology: GraphTopology, gap: float) -> None:
    assert topology.summary(6).spectral_gap == pytest.approx(gap, abs=1e-9)


def test_torus() -> None:
    ring = [2 - 2 * math.cos(2 * math.pi * i / 4) for i in range(4)]
    torus = GridTopology(rows=4, periodic=True)
    assert_spectrum(torus, 16, [row + column for row in ring for column in ring])


def test_isolated() -> None:
    assert_spectrum(IsolatedTopology(), 4, 4 * [0])


@pytest.mark.parametrize("topology", [RingTopology(), CompleteTopology(), IsolatedTopology()])
def test_one_expert(topology: GraphTopology) -> None:
    assert_spectrum(topology, 1, [0])
    assert topology.summary(1).strongly_connected


def test_directed_cycle() -> None:
    cycle = from_networkx(nx.cycle_graph(8, create_using=nx.DiGraph))
    assert_spectrum(cycle, 8, [1 - cmath.exp(2j * math.pi * i / 8) for i in range(8)])


def test_directed_path_is_exact() -> None:
    """One eigenvalue 39 times and one eigenvector: taken whole, the matrix gives nonsense."""
    path = from_networkx(nx.path_graph(40, create_using=nx.DiGraph))
    assert_spectrum(path, 40, [0] + 39 * [1])


def test_layered() -> None:
    """Block by block: 3 inputs, then 5 hidden experts, then 2 outputs."""
    layered = LayeredTopology(num_inputs=3, num_outputs=2)
    assert_spectrum(layered, 10, 3 * [0] + [3] + 4 * [3 + 5] + 2 * [5])


def test_rows_hold_what_an_expert_hears() -> None:
    edges = Edges(torch.tensor([[0, 2], [1, 1]]), torch.tensor([0.5, 2.0]))
    expected = torch.tensor([[0, 0, 0], [-0.5, 2.5, -2], [0, 0, 0]], dtype=torch.float64)
    assert torch.equal(laplacian(edges, 3), expected)


@settings(deadline=None, max_examples=40)
@given(num_experts=st.integers(2, 20), p=st.floats(0, 1), seed=st.integers(0, 1000))
def test_undirected_graphs_agree_with_networkx(num_experts: int, p: float, seed: int) -> None:
    pytest.importorskip("scipy")
    graph = nx.gnp_random_graph(num_experts, p, seed=seed)
    for i, (_, _, data) in enumerate(graph.edges(data=True)):
        data["weight"] = 0.5 + i % 3  # exact in float32
    expected = nx.laplacian_spectrum(graph).tolist()
    topology = from_networkx(graph)
    assert_spectrum(topology, num_experts, expected)
    summary = topology.summary(num_experts)
    assert summary.strongly_connected == nx.is_connected(graph)
    assert (summary.algebraic_connectivity > 1e-9) == nx.is_connected(graph)


def test_algebraic_connectivity_agrees_with_networkx() -> None:
    pytest.importorskip("scipy")
    graph = nx.watts_strogatz_graph(16, 4, 0.1, seed=0)
    expected = nx.algebraic_connectivity(graph, tol=1e-12)
    assert from_networkx(graph).summary(16).algebraic_connectivity == pytest.approx(expected)


@settings(deadline=None, max_examples=40)
@given(num_experts=st.integers(2, 12), k=st.integers(0, 4), seed=st.integers(0, 1000))
def test_directed_graphs_agree_with_the_whole_matrix(num_experts: int, k: int, seed: int) -> None:
    topology = RandomTopology(min(k, num_experts - 1), seed=seed)
    spectrum = topology.summary(num_experts).laplacian_spectrum
    index = topology.graph(num_experts).edges
    edges = Edges.unweighted(torch.tensor(list(index), dtype=torch.int64).view(-1, 2).T)
    matrix = laplacian(edges, num_experts).to(torch.complex128)
    # Power sums fix a spectrum, and are exact where single eigenvalues are not.
    for power in (1, 2, 3):
        trace = torch.linalg.matrix_power(matrix, power).trace()
        assert (spectrum**power).sum().item() == pytest.approx(trace.item(), rel=1e-9, abs=1e-6)


def test_weights_that_need_gradients() -> None:
    weight = torch.ones(2, requires_grad=True)
    summary = summarise(Edges(torch.tensor([[0, 1], [1, 0]]), weight), 2)
    assert summary.algebraic_connectivity == pytest.approx(2)


def test_strongly_connected() -> None:
    assert is_strongly_connected(Edges.unweighted(torch.tensor([[0, 1], [1, 0]])), 2)
    assert not is_strongly_connected(Edges.unweighted(torch.tensor([[0, 1], [1, 0]])), 3)
    assert not is_strongly_connected(Edges.unweighted(torch.tensor([[0], [1]])), 2)
