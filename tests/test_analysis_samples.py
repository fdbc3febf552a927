"""Samples made ready for a measure."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from properties import assert_deterministic_by_seed, seeded, uniform
from scipy.stats import norm, rankdata
from torch import Tensor

from badger_graph.analysis import (
    DiscreteEntropy,
    above_shuffled,
    gaussianised,
    principal,
    shuffle,
    standardised,
    total_correlation,
)


def normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=seeded(seed), dtype=torch.float64)


def test_ranks_are_those_of_scipy_with_ties_averaged() -> None:
    samples = torch.randint(0, 7, (50, 4), generator=seeded(0)).double()
    samples[:, 3] = normal(1, 50)
    expected = norm.ppf(rankdata(samples.numpy(), axis=0) / 51)
    torch.testing.assert_close(gaussianised(samples), torch.from_numpy(expected))


def test_ranks_do_not_notice_monotone_maps_and_a_constant_is_zero() -> None:
    samples = normal(0, 40, 3)
    assert torch.equal(gaussianised(samples.exp()), gaussianised(samples))
    assert torch.equal(gaussianised(torch.full((9, 2), 0.1)), torch.zeros(9, 2).double())


def test_standardised_columns_and_exact_zeros_of_a_constant() -> None:
    columns = torch.cat([normal(0, 300, 2) * 7 + 3, torch.full((300, 1), 0.1)], dim=1)
    scaled = standardised(columns)
    torch.testing.assert_close(scaled.mean(dim=0), torch.zeros(3).double(), rtol=0, atol=1e-12)
    torch.testing.assert_close(scaled.var(dim=0), torch.tensor([1.0, 1.0, 0.0]).double())
    assert not scaled[:, 2].any()


def test_shuffling_moves_the_whole_states_of_each_expert_by_itself() -> None:
    states = torch.arange(30 * 4 * 2).view(30, 4, 2)
    moved = shuffle(states, seeded(0))
    orders = moved[:, :, 0] // 8
    for expert in range(4):
        assert torch.equal(orders[:, expert].sort().values, torch.arange(30))
        assert torch.equal(states[orders[:, expert], expert], moved[:, expert])
    assert len({tuple(column) for column in orders.T.tolist()}) == 4
    assert_deterministic_by_seed(lambda seed: shuffle(states, seeded(seed)))
    assert torch.equal(shuffle(states[..., 0], seeded(0)), moved[..., 0])


def test_principal_components_have_the_variances_of_numpy_around_the_means_of_experts() -> None:
    states = normal(0, 60, 3, 5) @ normal(1, 5, 5) + 100 * normal(2, 3, 5)
    kept = principal(states, 3)
    pooled = (states - states.mean(dim=0)).flatten(0, 1).numpy()
    expected = np.linalg.svd(pooled, compute_uv=False)[:3] ** 2
    second_moment = kept.flatten(0, 1).mT @ kept.flatten(0, 1)
    torch.testing.assert_close(
        second_moment, torch.from_numpy(expected).diag(), atol=1e-8, rtol=1e-9
    )
    torch.testing.assert_close(kept.mean(dim=0), torch.zeros(3, 3).double(), rtol=0, atol=1e-10)


def test_principal_components_are_one_basis_for_all_experts_with_certain_signs() -> None:
    states = normal(0, 60, 4, 5) @ normal(1, 5, 5)
    kept, order = principal(states, 2), torch.tensor([2, 0, 3, 1])
    torch.testing.assert_close(principal(states[:, order], 2), kept[:, order])
    torch.testing.assert_close(principal(-states, 2), -kept)
    torch.testing.assert_close(principal(states + uniform(2, 4, 5), 2), kept)


def test_all_principal_components_are_a_rotation() -> None:
    states = normal(0, 60, 4, 5)
    centred = states - states.mean(dim=0)
    kept = principal(states, 5)
    torch.testing.assert_close(
        torch.cdist(kept[:, 0], kept[:, 1]), torch.cdist(*centred[:, :2].unbind(1))
    )


def test_shuffles_take_away_what_few_samples_make_of_independent_symbols() -> None:
    """Six independent symbols of 4, 500 samples: the plug-in estimate alone is 1.0 to 1.3 nats."""

    def measure(symbols: Tensor) -> Tensor:
        return total_correlation(DiscreteEntropy(symbols))

    symbols = torch.randint(0, 4, (500, 6), generator=seeded(0))
    found = above_shuffled(measure, symbols, seeded(1), num_shuffles=20)
    assert measure(symbols) > 1
    assert 0 < found.deviation < 0.05
    assert abs(found.excess) < 4 * found.deviation
    symbols[:, 1] = symbols[:, 0]
    again = above_shuffled(measure, symbols, seeded(1), num_shuffles=20)
    assert again.excess > 10 * again.deviation


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_the_units_of_samples_do_not_matter(scale: float) -> None:
    """Though squares of such numbers are zero or infinite."""
    states = normal(0, 60, 3, 2)
    columns = states.flatten(1)
    torch.testing.assert_close(standardised(columns * scale), standardised(columns))
    torch.testing.assert_close(principal(states * scale, 2) / scale, principal(states, 2))
