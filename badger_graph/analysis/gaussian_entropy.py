"""How much is uncertain of states that are vectors."""

from __future__ import annotations

import math
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from badger_graph.analysis.checks import UndefinedError, check_finite, check_shape
from badger_graph.analysis.entropy import JointEntropy
from badger_graph.analysis.samples import gaussianised, standardised
from topologies.checks import NOT_NEGATIVE, checked


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
        ValueError: when :math:`C` has other dimensions, :math:`\Sigma` is not symmetric and
            positive definite, or S not above N F.
    """

    @checked(ridge=NOT_NEGATIVE)
    def __init__(
        self,
        covariance: Float[Tensor, "N F N F"],
        ridge: float = 0.0,
        num_samples: int | None = None,
    ) -> None:
        check_shape("a covariance", covariance, "experts", "features", "experts", "features")
        super().__init__(covariance.size(0))
        check_finite("a covariance", covariance)
        self.covariance = covariance.double()
        self.ridge = ridge
        self.num_samples = num_samples
        matrix = self._noisy()
        if not (away := (matrix - matrix.mT).abs().max()) <= 1e-6 * matrix.abs().max():
            raise ValueError(f"a covariance must be symmetric, got an asymmetry of {away:.1e}")
        factor, failure = torch.linalg.cholesky_ex(matrix)
        # The share of its variance by which each feature differs from those before it.
        share = factor.diagonal().square() / matrix.diagonal()
        if failure or not (share > len(matrix) * torch.finfo(matrix.dtype).eps).all():
            raise UndefinedError(
                "a covariance must be positive definite, got one in which a feature is constant or "
                "follows from the others; a ridge makes it so"
            )
        if num_samples is not None:
            _check_enough(num_samples, len(matrix))

    @classmethod
    @checked()
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
        check_shape("states", states, "samples", "experts", "features")
        num_samples, num_experts, num_features = states.shape
        _check_enough(num_samples, num_experts * num_features)
        check_finite("states", states)
        columns = states.flatten(1)
        columns = standardised(gaussianised(columns) if ranks else columns)
        correlation = columns.mT @ columns / (num_samples - 1)
        blocks = correlation.view(2 * (num_experts, num_features))
        return cls(blocks, ridge, num_samples)

    def _entropies(self, orders: Int[Tensor, "K n"]) -> Float[Tensor, "K n"]:
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
        bias = (half - torch.digamma((self.num_samples - place) / 2)).cumsum(dim=0)
        bias = bias - bias[0]  # of 0, 1, 2, ... features
        # The inverse of the first rows is that of the factor's, squared: its trace adds up.
        inverse = torch.linalg.solve_triangular(factor, torch.eye(size).to(factor), upper=False)
        effective = place[1:] - self.ridge * inverse.square().sum(dim=2).cumsum(dim=1)
        whole = effective.long().clamp(0, size - 1)
        return bias[whole] + (effective - whole) * (bias[whole + 1] - bias[whole])


def _check_enough(num_samples: int, dimensions: int) -> None:
    if num_samples <= dimensions:
        raise ValueError(
            "a covariance needs more samples than dimensions (experts x features), got "
            f"{num_samples} samples of {dimensions} dimensions; project states on fewer features"
        )
