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


RING_4 = [2 - 2 * math.cos(2 * math.pi * i / 4) for i in range(4)]

CLOSED_FORMS = {
    "ring": (RingTopology(), [2 - 2 * math.cos(2 * math.pi * i / 7) for i in range(7)]),
    "complete": (CompleteTopology(), [0] + 5 * [6]),
    "star": (StarTopology(), [0] + 4 * [1] + [6]),
    "torus": (GridTopology(rows=4, periodic=True), [r + c for r in RING_4 for c in RING_4]),
    "isolated": (IsolatedTopology(), 4 * [0]),
    "one expert in a ring": (RingTopology(), [0]),
    "one expert": (CompleteTopology(), [0]),
    "one expert isolated": (IsolatedTopology(), [0]),
    "directed cycle": (
        from_networkx(nx.cycle_graph(8, create_using=nx.DiGraph)),
        [1 - cmath.exp(2j * math.pi * i / 8) for i in range(8)],
    ),
    # One eigenvalue 39 times and one eigenvector: taken whole, the matrix gives nonsense.
    "directed path": (
        from_networkx(nx.path_graph(40, create_using=nx.DiGraph)),
        [0] + 39 * [1],
    ),
    # Block by block: 3 inputs, then 5 hidden experts, then 2 outputs.
    "layered": (
        LayeredTopology(num_inputs=3, num_outputs=2),
        3 * [0] + [3] + 4 * [3 + 5] + 2 * [5],
    ),
}


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_spectra_in_closed_form(name: str) -> None:
    topology, expected = CLOSED_FORMS[name]
    assert_spectrum(topology, len(expected), expected)
    assert len(expected) > 1 or topology.summary(1).strongly_connected


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
