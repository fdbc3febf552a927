"""Joint entropies of Gaussian vectors against what is known of them."""

from __future__ import annotations

import math

import pytest
import torch
from properties import assert_refused, seeded, uniform
from torch import Tensor

from badger_graph.analysis import (
    GaussianEntropy,
    JointEntropy,
    binding_information,
    mutual_information,
    residual_entropy,
    total_correlation,
)


def some_covariance(num_experts: int, num_features: int, seed: int = 0) -> Tensor:
    """A covariance that has no structure."""
    size = num_experts * num_features
    root = uniform(seed, size, 2 * size)
    return (root @ root.mT).view(2 * (num_experts, num_features))


def drawn(covariance: Tensor, num_samples: int, seed: int) -> Tensor:
    """Gaussian states of that covariance."""
    num_experts, num_features = covariance.shape[:2]
    matrix = covariance.flatten(2).flatten(0, 1)
    values, vectors = torch.linalg.eigh(matrix)
    root = vectors * values.clamp(min=0).sqrt()
    noise = torch.randn(num_samples, len(matrix), generator=seeded(seed), dtype=torch.float64)
    return (noise @ root.mT).view(num_samples, num_experts, num_features)


def measures(entropy: JointEntropy) -> Tensor:
    """All that say how much experts depend on each other, in one vector."""
    pairs = mutual_information(entropy).flatten()
    total, binding = total_correlation(entropy), binding_information(entropy)
    return torch.cat([pairs, torch.stack([total, binding, total - binding])])


def test_gaussian_entropies_are_those_of_torch() -> None:
    """To a relative error of 1e-12, for every place of some orders."""
    covariance = some_covariance(4, 3)
    orders = torch.tensor([[0, 1, 2, 3], [3, 1, 0, 2]])
    entropies = GaussianEntropy(covariance)(orders)
    for order, along in zip(orders.tolist(), entropies, strict=True):
        for n in range(1, 5):
            block = covariance[order[:n]][:, :, order[:n]].flatten(2).flatten(0, 1)
            known = torch.distributions.MultivariateNormal(torch.zeros(3 * n).double(), block)
            torch.testing.assert_close(along[n - 1], known.entropy(), rtol=1e-12, atol=0)


@pytest.mark.parametrize("strength", [0.0, 0.6])
def test_few_samples_make_no_bias(strength: float) -> None:
    """100 samples of 24 dimensions: means over 100 draws within 4 of their standard errors.

    Taken for exact, the covariances of independent experts would seem to have a total
    correlation of 1.3 nats, and more binding information.
    """
    num_experts, num_features = 6, 4
    alike = torch.eye(num_experts).double() * (1 - strength) + strength
    covariance = torch.kron(alike, torch.eye(num_features).double())
    covariance = covariance.view(2 * (num_experts, num_features))

    def estimates(seed: int) -> tuple[Tensor, Tensor]:
        states = drawn(covariance, 100, seed)
        corrected = GaussianEntropy.of_states(states, ridge=0.0, ranks=False)
        return measures(corrected), measures(GaussianEntropy(corrected.covariance))

    corrected, naive = (torch.stack(e) for e in zip(*map(estimates, range(100)), strict=True))
    exact = measures(GaussianEntropy(covariance))
    error = corrected.std(dim=0) / 100**0.5
    assert ((corrected.mean(dim=0) - exact).abs() <= 4 * error).all()
    total, binding, _ = (naive.mean(dim=0) - exact)[-3:]
    assert 1 < total < binding


def test_states_that_follow_from_few_numbers_are_not_overcorrected() -> None:
    """3 numbers make 24: TC and B in the mean over 50 draws within 3% of exact ones, ridge 1e-3."""
    mixing = uniform(0, 24, 3)
    covariance = mixing @ mixing.mT
    scale = covariance.diagonal().rsqrt()
    covariance = (scale[:, None] * covariance * scale).view(6, 4, 6, 4)
    exact = measures(GaussianEntropy(covariance, ridge=1e-3))
    found = [
        measures(GaussianEntropy.of_states(drawn(covariance, 100, seed), 1e-3, ranks=False))
        for seed in range(50)
    ]
    mean = torch.stack(found).mean(dim=0)
    torch.testing.assert_close(mean[-3:-1], exact[-3:-1], rtol=0.03, atol=0)


def test_ranks_see_a_gaussian_copula_through_any_monotone_map() -> None:
    """Cubes of Gaussian states, 4,000 samples: each measure of the copula to 0.05 nats."""
    alike = torch.eye(4).double() * 0.5 + 0.5
    covariance = alike.view(4, 1, 4, 1)
    states = drawn(covariance, 4000, 0)
    by_ranks = GaussianEntropy.of_states(states**3, ridge=0.0)
    exact = measures(GaussianEntropy(covariance))
    torch.testing.assert_close(measures(by_ranks), exact, rtol=0, atol=0.05)
    raw = GaussianEntropy.of_states(states**3, ridge=0.0, ranks=False)
    assert (measures(raw) - exact).abs().max() > 0.2


def test_a_linear_map_of_each_expert_changes_nothing() -> None:
    """To 1e-9 nats."""
    states = drawn(some_covariance(4, 3), 200, 0)
    maps = uniform(1, 4, 3, 3)
    mapped = torch.einsum("snf,nfg->sng", states, maps)

    def of(samples: Tensor) -> Tensor:
        return measures(GaussianEntropy.of_states(samples, ridge=0.0, ranks=False))

    torch.testing.assert_close(of(mapped), of(states), rtol=0, atol=1e-9)


@pytest.mark.parametrize("scale", [1e-40, 1.0, 1e40])
def test_whether_features_follow_from_others_is_no_matter_of_scale(scale: float) -> None:
    pair = torch.tensor([[1.0, 0.6], [0.6, 1.0]], dtype=torch.float64)[:, None, :, None]
    assert mutual_information(GaussianEntropy(scale * pair, 0.0))[0, 1].item() == pytest.approx(
        -math.log(1 - 0.6**2) / 2
    )
    assert_refused("positive definite", lambda: GaussianEntropy(scale * torch.ones_like(pair), 0.0))


def test_experts_that_are_all_alike_share_what_the_ridge_says() -> None:
    """Exactly for the exact covariance, to 2% from 256 samples."""
    ridge, num_features = 1e-3, 2
    copies = torch.ones(5, 5).double()
    covariance = torch.kron(copies, torch.eye(num_features).double()).view(5, 2, 5, 2)
    expected = -num_features / 2 * math.log(1 - (1 + ridge) ** -2)
    exact = mutual_information(GaussianEntropy(covariance, ridge))
    assert exact[0, 1].item() == pytest.approx(expected, rel=1e-12)
    states = drawn(covariance, 256, 0)[:, :1].expand(-1, 5, -1)
    for ranks in (False, True):
        found = mutual_information(GaussianEntropy.of_states(states, ridge, ranks))
        assert found[3, 1].item() == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("ranks", [False, True])
def test_constant_states_share_nothing(ranks: bool) -> None:
    states = torch.full((50, 4, 3), 0.1)
    entropy = GaussianEntropy.of_states(states, ranks=ranks)
    torch.testing.assert_close(measures(entropy), torch.zeros(19).double(), rtol=0, atol=1e-12)
    assert residual_entropy(entropy).isfinite()
    states[:, 0] = torch.rand(50, 3, generator=seeded(0))
    assert measures(GaussianEntropy.of_states(states, ranks=ranks)).abs().max() < 0.2


def test_measures_have_gradients_by_states() -> None:
    """So that a loss can ask for experts that differ."""
    states = drawn(some_covariance(3, 2), 20, 0).requires_grad_()

    def measure(samples: Tensor) -> tuple[Tensor, Tensor]:
        entropy = GaussianEntropy.of_states(samples, ranks=False)
        return total_correlation(entropy), binding_information(entropy)

    assert torch.autograd.gradcheck(measure, (states,))


def test_states_in_single_precision_are_measured_in_double() -> None:
    """Of one sample more than dimensions, which are the fewest."""
    states = drawn(some_covariance(3, 2), 7, 0).float()
    found = measures(GaussianEntropy.of_states(states))
    assert found.dtype == torch.float64
    torch.testing.assert_close(found, measures(GaussianEntropy.of_states(states.double())))
