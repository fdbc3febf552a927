"""How much is uncertain of the experts' states, together: what information measures are made of."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from badger_graph.analysis.samples import check_finite, gaussianised, standardised


class JointEntropy(ABC):
    """Joint entropies of the states of some of N experts, in nats and float64.

    Every measure of :mod:`badger_graph.analysis.information` is a sum of these, for states of
    any kind.

    Args:
        num_experts: how many experts N there are.

    Raises:
        ValueError: for fewer than two experts, who have nothing to share.
    """

    def __init__(self, num_experts: int) -> None:
        if num_experts < 2:
            raise ValueError(f"shared information needs at least two experts, got {num_experts}")
        self.num_experts = num_experts

    @abstractmethod
    def __call__(self, orders: Int[Tensor, "K n"]) -> Float[Tensor, "K n"]:
        r"""Joint entropies of the first 1, 2, ..., n experts of each order.

        .. math:: H(X_{o_1}), \; H(X_{o_1}, X_{o_2}), \; \ldots, \; H(X_{o_1}, \ldots, X_{o_n})

        All of an order are had in one, since each adds
        :math:`H(X_{o_m} | X_{o_1}, \ldots, X_{o_{m-1}})` to the one before.

        Args:
            orders: K times n different experts, numbered from 0.
        """


@final
class GaussianEntropy(JointEntropy):
    r"""Of states that are vectors with a Gaussian distribution.

    .. math:: H = \tfrac{1}{2} \ln |2 \pi e \Sigma|

    A differential entropy: it may be negative, and depends on the units of the features. The
    measures of dependence made of it are not negative and do not depend on units.

    The determinant of a covariance of S samples is too small, the more so the more features M there
    are, whatever they have in common: its logarithm by

    .. math:: b(M) = \sum_{m=1}^{M} \ln \tfrac{S - 1}{2} - \psi\left(\tfrac{S - m}{2}\right)

    in the mean (:math:`\psi`: digamma). Told S, the entropies are free of this bias, which makes
    independent experts seem to share information, and each further one more of it. A ridge is no
    matter of chance; with one, M is the number of features that differ from others by more than it,
    :math:`\mathrm{tr}\, C (C + r I)^{-1}`, between whole numbers by interpolation.

    Source: Misra, Singh & Demchuk, "Estimation of the entropy of a multivariate normal
    distribution", Journal of Multivariate Analysis 92(2), 2005 (the bias).

    Args:
        covariance: :math:`C`, between the F features of N experts.
        ridge: :math:`r`, the variance of independent noise on each feature:
            :math:`\Sigma = C + r I`.
        num_samples: of how many samples S the covariance is; without it, it is taken for exact.

    Raises:
        ValueError: when :math:`\Sigma` is not symmetric and positive definite, or S not above N F.
    """

    def __init__(
        self,
        covariance: Float[Tensor, "N F N F"],
        ridge: float = 0.0,
        num_samples: int | None = None,
    ) -> None:
        super().__init__(covariance.size(0))
        if not 0 <= ridge < math.inf:
            raise ValueError(f"the ridge must be a number not below 0, got {ridge}")
        check_finite(covariance)
        self.covariance = covariance.double()
        self.ridge = ridge
        self.num_samples = num_samples
        matrix = self._noisy()
        if not (away := (matrix - matrix.mT).abs().max()) <= 1e-6 * matrix.abs().max():
            raise ValueError(f"a covariance must be symmetric, got an asymmetry of {away:.1e}")
        factor, failed = torch.linalg.cholesky_ex(matrix)
        # The share of its variance by which each feature differs from those before it.
        share = factor.diagonal().square() / matrix.diagonal()
        if failed or not (share > len(matrix) * torch.finfo(matrix.dtype).eps).all():
            raise ValueError(
                "a covariance must be positive definite, got one in which a feature is constant or "
                "follows from the others; a ridge makes it so"
            )
        if num_samples is not None:
            _check_enough(num_samples, len(matrix))

    @classmethod
    def of_states(
        cls, states: Float[Tensor, "S N F"], ridge: float = 1e-3, ranks: bool = True
    ) -> GaussianEntropy:
        r"""From S samples of N experts' states of F features, each scaled to unit variance.

        The ridge lets experts that are all alike, as on the first plateau, share a finite amount:
        two copies of one number :math:`-\tfrac12 \ln(1 - (1 + r)^{-2})`, 3.1 nats for 1e-3. A
        constant feature shares nothing. Features that vary by rounding errors alone are scaled up
        like any other: leave them out.

        Args:
            states: the samples, for example the agents of a batch at one step.
            ridge: the variance :math:`r` of independent noise on each feature.
            ranks: whether features are made Gaussian by their ranks first, see
                :func:`badger_graph.analysis.samples.gaussianised`.

        Raises:
            ValueError: unless S is above N F, all states are finite, and the ridge is not negative.
        """
        num_samples, num_experts, num_features = states.shape
        _check_enough(num_samples, num_experts * num_features)
        check_finite(states)
        columns = states.flatten(1)
        columns = standardised(gaussianised(columns) if ranks else columns)
        correlation = columns.mT @ columns / (num_samples - 1)
        blocks = correlation.view(2 * (num_experts, num_features))
        return cls(blocks, ridge, num_samples)

    def __call__(self, orders: Int[Tensor, "K n"]) -> Float[Tensor, "K n"]:
        matrix, num_features = self._noisy(), self.covariance.size(1)
        feature = torch.arange(num_features, device=orders.device)
        rows = (orders[:, :, None] * num_features + feature).flatten(1).to(matrix.device)
        factor = torch.linalg.cholesky(matrix[rows[:, :, None], rows[:, None, :]])
        # Cholesky is the chain rule: row by row, what is left of a feature after those before it.
        left = factor.diagonal(dim1=1, dim2=2).log() + math.log(2 * math.pi * math.e) / 2
        entropies = left.cumsum(dim=1) + self._bias(factor) / 2
        return entropies[:, num_features - 1 :: num_features]

    def _noisy(self) -> Tensor:
        """The covariance with its ridge, as a matrix."""
        matrix = self.covariance.flatten(2, 3).flatten(0, 1)
        return matrix + self.ridge * torch.eye(len(matrix)).to(matrix)

    def _bias(self, factor: Tensor) -> Tensor:
        """By how much the log-determinants of the first 1, 2, ... rows are too small."""
        size = factor.size(-1)
        place = torch.arange(size + 1, dtype=factor.dtype, device=factor.device)
        if self.num_samples is None:
            return torch.zeros_like(place[1:])
        half = math.log((self.num_samples - 1) / 2)
        step = half - torch.digamma((self.num_samples - place[1:]) / 2)
        # The inverse of the first rows is that of the factor's, squared: its trace adds up.
        inverse = torch.linalg.solve_triangular(factor, torch.eye(size).to(factor), upper=False)
        effective = place[1:] - self.ridge * inverse.square().sum(dim=2).cumsum(dim=1)
        within = (effective[:, :, None] - place[:-1]).clamp(0, 1)  # 1 for each whole feature
        return within @ step


@final
class DiscreteEntropy(JointEntropy):
    r"""Of states that are symbols: exact from a table, the plug-in estimate from samples.

    .. math:: H = -\sum_x p(x) \ln p(x)

    Args:
        symbols: S outcomes, the symbols of N experts in each; the same may come more than once.
        probability: of each outcome; without it, all count alike, as samples do.

    Raises:
        ValueError: when there is no outcome, or the probabilities are not S numbers that are not
            negative and sum to 1.
    """

    def __init__(
        self, symbols: Int[Tensor, "S N"], probability: Float[Tensor, " S"] | None = None
    ) -> None:
        super().__init__(symbols.size(1))
        if not len(symbols):
            raise ValueError("an entropy needs at least one outcome, got none")
        if probability is None:
            probability = torch.full((len(symbols),), 1 / len(symbols), dtype=torch.float64)
        if probability.shape != (len(symbols),):
            raise ValueError(
                f"each of the {len(symbols)} outcomes needs one probability, "
                f"got the shape {tuple(probability.shape)}"
            )
        total = float(probability.sum())
        if not ((probability >= 0).all() and abs(total - 1) < 1e-6):
            raise ValueError(
                "probabilities must not be negative and must sum to 1, "
                f"got a smallest one of {float(probability.min()):.3g} and a sum of {total:.9g}"
            )
        self.symbols = symbols
        self.probability = probability.to(symbols.device).double()

    def __call__(self, orders: Int[Tensor, "K n"]) -> Float[Tensor, "K n"]:
        columns = [column.unique(return_inverse=True)[1] for column in self.symbols.unbind(1)]
        entropies = [self._along([columns[i] for i in order]) for order in orders.tolist()]
        return torch.stack(entropies)

    def _along(self, columns: list[Tensor]) -> Tensor:
        """Entropies of the first 1, 2, ... columns, of symbols numbered from 0."""
        word, entropies = torch.zeros_like(columns[0]), []
        for column in columns:
            word = (word * len(column) + column).unique(return_inverse=True)[1]
            mass = torch.bincount(word, weights=self.probability)
            entropies.append(torch.special.entr(mass).sum())
        return torch.stack(entropies)


def _check_enough(num_samples: int, dimensions: int) -> None:
    if num_samples <= dimensions:
        raise ValueError(
            "a covariance needs more samples than dimensions (experts x features), got "
            f"{num_samples} samples of {dimensions} dimensions; project states on fewer features"
        )
