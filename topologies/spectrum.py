"""What the eigenvalues of its Laplacian say about a graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import networkx as nx
import torch
from jaxtyping import Complex, Float
from torch import Tensor

from topologies.checks import checked, size
from topologies.edges import Edges

MAX_SPECTRUM = 4096
"""The largest graph whose spectrum is computed: the matrix is dense, the time cubic."""


class GraphSummary(NamedTuple):
    """A graph in a few numbers; see :func:`summarise`."""

    num_experts: int
    num_edges: int
    laplacian_spectrum: Complex[Tensor, " N"]
    algebraic_connectivity: float
    strongly_connected: bool
    spectral_gap: float


@checked(num_experts=size())
def summarise(edges: Edges, num_experts: int) -> GraphSummary:
    r"""The Laplacian spectrum of one graph, its algebraic connectivity and connectedness.

    The spectrum is that of :func:`laplacian`, sorted by real part. The smallest eigenvalue is 0.
    The algebraic connectivity is the real part of the second smallest: the rate at which
    experts that only follow what they hear, :math:`\dot x = -L x`, come to agree. It is 0 when
    some expert cannot be influenced from where some other can, and, by convention, for one
    expert. For an undirected graph it is Fiedler's, and NetworkX's, algebraic connectivity.

    The spectral gap is the same for experts that take the mean of what they hear and of
    themselves, whatever the number of their links:

    .. math:: 1 - \max_{k \ge 2} |\lambda_k(W)|, \qquad W = I - \tfrac{1}{2} (D^{in})^{-1} L

    Its W is the lazy random walk; one who hears nobody stays as it is.

    Source: Olfati-Saber & Murray, "Consensus Problems in Networks of Agents With Switching
    Topology and Time-Delays", IEEE Transactions on Automatic Control 49(9), 2004.

    Args:
        edges: the edges of one graph, not of a batch.
        num_experts: number of nodes N.

    Raises:
        ValueError: when N is above :data:`MAX_SPECTRUM`, or an edge ends outside the graph.
    """
    if num_experts > MAX_SPECTRUM:
        raise ValueError(
            f"a Laplacian spectrum can be had for up to {MAX_SPECTRUM} experts, got {num_experts}"
        )
    components = list(nx.strongly_connected_components(edges.to_networkx(num_experts)))
    matrix = laplacian(edges, num_experts)
    # Ordered by strongly connected component the matrix is block triangular, so its spectrum is
    # that of its blocks. Taken whole, the repeated eigenvalues of a layered graph come out wrong
    # by eps^(1/N): its matrix has no full set of eigenvectors.
    blocks = [sorted(component) for component in components]
    spectrum = _spectrum(matrix, blocks)
    degree = matrix.diag()
    walk = _spectrum(matrix / torch.where(degree > 0, degree, 1.0)[:, None], blocks)
    moduli = (1 - walk / 2).abs().sort(descending=True).values
    return GraphSummary(
        num_experts=num_experts,
        num_edges=edges.index.size(1),
        laplacian_spectrum=spectrum,
        algebraic_connectivity=spectrum[1].real.item() if num_experts > 1 else 0.0,
        strongly_connected=len(components) == 1,
        spectral_gap=1 - moduli[1].item() if num_experts > 1 else 0.0,
    )


@checked(num_experts=size(most=MAX_SPECTRUM))
def laplacian(edges: Edges, num_experts: int) -> Float[Tensor, "N N"]:
    r"""The consensus Laplacian of one graph, in float64 on the CPU.

    .. math:: L = D^{in} - A, \qquad D^{in}_{ii} = \sum_j A_{ij},

    where :math:`A_{ij}` is the weight of the edge from :math:`j` to :math:`i`: row :math:`i`
    holds what expert :math:`i` hears, and every row sums to 0. Self-loops cancel.
    """
    source, target = edges.index.cpu()
    adjacency = torch.zeros(num_experts, num_experts, dtype=torch.float64)
    weight = edges.weight.detach().to(adjacency)
    adjacency.index_put_((target, source), weight, accumulate=True)
    return adjacency.sum(dim=1).diag() - adjacency


@checked(num_experts=size())
def is_strongly_connected(edges: Edges, num_experts: int) -> bool:
    """Whether every expert of one graph can reach every other along its edges."""
    return bool(nx.is_strongly_connected(edges.to_networkx(num_experts)))


def _spectrum(
    matrix: Float[Tensor, "N N"], blocks: Sequence[Sequence[int]]
) -> Complex[Tensor, " N"]:
    spectrum = torch.cat([_eigenvalues(matrix[block][:, block]) for block in blocks])
    return spectrum[spectrum.real.argsort(stable=True)]


def _eigenvalues(matrix: Float[Tensor, "K K"]) -> Complex[Tensor, " K"]:
    symmetric = torch.equal(matrix, matrix.T)  # then they are real, and more precise
    values: Tensor = torch.linalg.eigvalsh(matrix) if symmetric else torch.linalg.eigvals(matrix)
    return values.to(torch.complex128)
