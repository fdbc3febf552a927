r"""What experts know of each other: measures made of their joint entropies, in nats.

The dependence among N experts can be counted in two ways, which agree for two experts. The *total
correlation* TC is what they need less to be described together than one by one; the *binding
information* B is what of their joint entropy is shared by two or more. Copies of one number have
more of the first (N - 1 times that number's entropy against once), numbers that only together add
up to something more of the second.

Their difference says whether experts are *redundant* or *synergistic*; it is one picture with what
a further expert brings. Let :math:`\psi(n)` be what n experts tell of another one, in the mean over
all choices. It rises from 0 at n = 0, and by the chain rule

.. math::
    TC = \sum_{n=0}^{N-1} \psi(n), \qquad TC + B = N \psi(N - 1), \qquad
    TC - B = 2 \sum_{n=0}^{N-1} \psi(n) - N \psi(N - 1),

the last of which is twice the area between :math:`\psi` and its chord. It is positive where the
first few experts tell nearly all, and each further one less and less; negative where nothing can be
told until nearly all are known; zero for a straight line, such as that of separate pairs.

Sources: Rosas, Mediano, Ugarte & Jensen, "An Information-Theoretic Approach to Self-Organisation:
Emergence of Complex Interdependencies in Coupled Dynamical Systems", Entropy 20(10), 2018 (binding
information and residual entropy as the organisation of a system, redundancy and synergy by how
information is shared); Rosas, Mediano, Gastpar & Jensen, "Quantifying high-order interdependencies
via multivariate extensions of the mutual information", Physical Review E 100, 2019 (O-information).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from badger_graph.analysis.entropy import JointEntropy

INDEPENDENT = 1e-9
"""Experts that share less than this many nats are taken for independent."""


def mutual_information(entropy: JointEntropy) -> Float[Tensor, "N N"]:
    r"""What two experts know of each other, for every pair.

    .. math:: I(X_i; X_j) = H(X_i) + H(X_j) - H(X_i, X_j)

    Symmetric. The diagonal is zero by convention: what a continuous state knows of itself is
    infinite.
    """
    _check(entropy)
    single = entropy(torch.arange(entropy.num_experts)[:, None])[:, 0]
    pairs = torch.combinations(torch.arange(entropy.num_experts))
    i, j = pairs.to(single.device).unbind(1)
    between = single[i] + single[j] - entropy(pairs)[:, -1]
    matrix = single.new_zeros(2 * (entropy.num_experts,)).index_put((i, j), between)
    return matrix + matrix.mT


def total_correlation(entropy: JointEntropy) -> Float[Tensor, ""]:
    r"""How far the experts are from being independent.

    .. math:: TC = \sum_i H(X_i) - H(X_1, \ldots, X_N)

    Source: Watanabe, "Information theoretical analysis of multivariate correlation", IBM Journal
    of Research and Development 4(1), 1960.
    """
    return _dependence(entropy)[0]


def residual_entropy(entropy: JointEntropy) -> Float[Tensor, ""]:
    r"""What of the experts' joint entropy none of them shares with others.

    .. math:: R = \sum_i H(X_i | X_1, \ldots, X_{i-1}, X_{i+1}, \ldots, X_N)

    Of continuous states a differential entropy, which may be negative.
    """
    _check(entropy)
    along = entropy(_rotations(torch.arange(entropy.num_experts)))
    return (along[:, -1] - along[:, -2]).sum()


def binding_information(entropy: JointEntropy) -> Float[Tensor, ""]:
    r"""What of the experts' joint entropy two or more of them share: dual total correlation.

    .. math:: B = H(X_1, \ldots, X_N) - R

    Sources: Rosas et al. 2018; Han, "Nonnegative entropy measures of multivariate symmetric
    correlations", Information and Control 36(2), 1978.
    """
    return _dependence(entropy)[1]


def o_information(entropy: JointEntropy) -> Float[Tensor, ""]:
    r"""Positive where redundancy, negative where synergy dominates; zero for two experts.

    .. math:: \Omega = TC - B

    Source: Rosas et al. 2019.
    """
    total, binding = _dependence(entropy)
    return total - binding


def redundancy(entropy: JointEntropy) -> Float[Tensor, ""]:
    r"""The O-information as a share of all dependence, to compare systems of unlike strength.

    .. math:: \frac{TC - B}{TC + B} \in \left[-\frac{N - 2}{N}, \frac{N - 2}{N}\right]

    The bounds are reached by N copies of one number, and by numbers of which any N - 1 are
    independent and give the last one. Independent experts, where TC + B is 0, have 0 by
    convention. Estimates of TC and B may be slightly negative: where their sum is, it is 0, too,
    and beyond a bound it is the bound. Of experts that are nearly independent it says nothing, see
    :func:`badger_graph.analysis.samples.above_shuffled`.
    """
    return _redundancy(*_dependence(entropy), entropy.num_experts)


class BindingCurve(NamedTuple):
    r"""What experts share, as they are added one by one.

    Shapes:
        - **binding:** ``[N]``, binding information of the first n = 1, ..., N experts
        - **increment:** ``[N]``, what the n-th expert adds to it
        - **shared:** ``[N]``, :math:`\psi(n - 1)`, what the n-th expert shares with the n - 1
          before it
        - **redundancy:** ``[]``, positive where ``shared`` is bent down, negative where it is bent
          up: :func:`redundancy` of all experts
    """

    binding: Float[Tensor, " N"]
    increment: Float[Tensor, " N"]
    shared: Float[Tensor, " N"]
    redundancy: Float[Tensor, ""]


def binding_curve(
    entropy: JointEntropy, generator: torch.Generator, num_orders: int = 4
) -> BindingCurve:
    r"""What each further expert brings, in the mean over random orders of experts.

    With :math:`h(n)` the mean joint entropy of n experts and :math:`h(0) = 0`:

    .. math:: \psi(n) = h(1) + h(n) - h(n + 1), \qquad B(n) = h(n) - n \, (h(n) - h(n - 1))

    Each order is a ring, gone round from every expert in turn. So each expert comes equally often
    at each place, and the ends of the curves, n = 1 and N, are exact.

    Redundant or synergistic is read off ``shared``. The binding information of separate pairs,
    which are neither, grows by more and more, because more of them are complete; and what an
    expert brings that is new, :math:`h(n + 1) - h(n)`, never grows in any system.

    Source: :mod:`badger_graph.analysis.information`.

    Args:
        entropy: of the experts' states.
        generator: draws the orders.
        num_orders: how many rings.

    Raises:
        ValueError: when there is no order.
    """
    if num_orders < 1:
        raise ValueError(f"the curve needs at least one order of experts, got {num_orders}")
    _check(entropy)
    rings = [_ring(entropy.num_experts, generator) for _ in range(num_orders)]
    mean = torch.stack([entropy(_rotations(ring)).mean(dim=0) for ring in rings]).mean(dim=0)
    new = mean.diff(prepend=mean.new_zeros(1))
    binding = mean - new * torch.arange(1, len(mean) + 1, device=mean.device)
    increment = binding.diff(prepend=mean.new_zeros(1))
    shared = new[0] - new
    share = _redundancy(shared.sum(), binding[-1], entropy.num_experts)
    return BindingCurve(binding, increment, shared, share)


def _check(entropy: JointEntropy) -> None:
    if not isinstance(entropy, JointEntropy):
        raise ValueError(
            "information is measured of entropies, GaussianEntropy.of_states(states) or "
            f"DiscreteEntropy(symbols), got a {type(entropy).__name__}"
        )


def _dependence(entropy: JointEntropy) -> tuple[Tensor, Tensor]:
    """Total correlation and binding information, each expert once first and once last."""
    _check(entropy)
    along = entropy(_rotations(torch.arange(entropy.num_experts)))
    joint = along[0, -1]
    residual = (along[:, -1] - along[:, -2]).sum()
    return along[:, 0].sum() - joint, joint - residual


def _redundancy(total: Tensor, binding: Tensor, num_experts: int) -> Tensor:
    dependence, bound = total + binding, (num_experts - 2) / num_experts
    share = ((total - binding) / dependence).clamp(-bound, bound)
    return torch.where(dependence > INDEPENDENT, share, 0.0)


def _ring(num_experts: int, generator: torch.Generator) -> Tensor:
    return torch.randperm(num_experts, generator=generator, device=generator.device).cpu()


def _rotations(ring: Tensor) -> Tensor:
    """The experts of a ring in turn, from each on: every expert is once at every place."""
    place = torch.arange(len(ring))
    return ring[(place[:, None] + place) % len(ring)]
