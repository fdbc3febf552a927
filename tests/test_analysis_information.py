"""Information measures against closed forms, exact discrete systems and thoi."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from properties import assert_deterministic_by_seed, assert_refused, seeded, uniform
from test_analysis_gaussian_entropy import drawn, measures, some_covariance
from torch import Tensor

from badger_graph.analysis import (
    DiscreteEntropy,
    GaussianEntropy,
    JointEntropy,
    binding_curve,
    binding_information,
    mutual_information,
    o_information,
    redundancy,
    residual_entropy,
    total_correlation,
)

BIT = math.log(2)


def bits(num_experts: int) -> Tensor:
    """All words of that many bits."""
    return torch.cartesian_prod(*(torch.arange(2),) * num_experts)


def copies(num_experts: int) -> DiscreteEntropy:
    """The giant bit: one fair coin that all experts see."""
    return DiscreteEntropy(torch.arange(2)[:, None].expand(2, num_experts))


def parity(num_experts: int) -> DiscreteEntropy:
    """Fair coins, of which the last is the sum of the others, modulo 2: XOR for three."""
    free = bits(num_experts - 1)
    return DiscreteEntropy(torch.cat([free, free.sum(dim=1, keepdim=True) % 2], dim=1))


def pairs(num_experts: int) -> DiscreteEntropy:
    """Each expert sees the coin of one other, and nobody else's."""
    return DiscreteEntropy(bits(num_experts // 2).repeat_interleave(2, dim=1))


def some_table(num_experts: int, seed: int = 0) -> DiscreteEntropy:
    probability = uniform(seed, 2**num_experts).abs() ** 3
    return DiscreteEntropy(bits(num_experts), probability / probability.sum())


def equally_correlated(num_experts: int, num_features: int, strength: float) -> GaussianEntropy:
    alike = torch.eye(num_experts).double() * (1 - strength) + strength
    matrix = torch.kron(alike, torch.eye(num_features).double())
    return GaussianEntropy(matrix.view(2 * (num_experts, num_features)))


def assert_measures(
    entropy: JointEntropy, total: float, binding: float, rel: float = 1e-12
) -> None:
    """Those two, and all that follow from them, to a relative error."""
    joint = entropy(torch.arange(entropy.num_experts)[None])[0, -1].item()
    close = {"rel": rel, "abs": 1e-12}
    assert total_correlation(entropy).item() == pytest.approx(total, **close)
    assert binding_information(entropy).item() == pytest.approx(binding, **close)
    assert residual_entropy(entropy).item() == pytest.approx(joint - binding, **close)
    assert o_information(entropy).item() == pytest.approx(total - binding, **close)
    share = (total - binding) / (total + binding) if total + binding > 0 else 0.0
    assert redundancy(entropy).item() == pytest.approx(share, **close)


# ------------------------------------------------------------------------------ exact symbols


@pytest.mark.parametrize("num_experts", [2, 3, 7])
def test_copies_of_a_bit(num_experts: int) -> None:
    entropy = copies(num_experts)
    assert_measures(entropy, total=(num_experts - 1) * BIT, binding=BIT)
    off_diagonal = BIT * (1 - torch.eye(num_experts).double())
    torch.testing.assert_close(mutual_information(entropy), off_diagonal)


@pytest.mark.parametrize("num_experts", [3, 4, 7])
def test_parity_is_synergy(num_experts: int) -> None:
    entropy = parity(num_experts)
    assert_measures(entropy, total=BIT, binding=(num_experts - 1) * BIT)
    assert not (mutual_information(entropy).abs() > 1e-12).any()


def test_independent_bits_share_nothing() -> None:
    assert_measures(DiscreteEntropy(bits(5)), total=0.0, binding=0.0)


def test_pairs_are_neither_redundant_nor_synergistic() -> None:
    entropy = pairs(8)
    assert_measures(entropy, total=4 * BIT, binding=4 * BIT)
    known = mutual_information(entropy)
    assert known.sum().item() == pytest.approx(8 * BIT)
    assert known[2, 3].item() == pytest.approx(BIT)


# ------------------------------------------------------------------------------- closed forms


@pytest.mark.parametrize("num_features", [1, 3])
@pytest.mark.parametrize("strength", [-0.15, 0.3, 0.95])
def test_equally_correlated_experts(num_features: int, strength: float) -> None:
    n = 6
    determinant = (1 - strength) ** (n - 1) * (1 + (n - 1) * strength)
    precision = (1 + (n - 2) * strength) / ((1 - strength) * (1 + (n - 1) * strength))
    total = -num_features / 2 * math.log(determinant)
    binding = num_features / 2 * (math.log(determinant) + n * math.log(precision))
    entropy = equally_correlated(n, num_features, strength)
    assert_measures(entropy, total, binding, rel=1e-10)
    pair = -num_features / 2 * math.log(1 - strength**2)
    assert mutual_information(entropy)[4, 1].item() == pytest.approx(pair, rel=1e-10)


def test_one_common_factor() -> None:
    """x_i = a_i z + e_i: by Sherman-Morrison and the determinant lemma."""
    loading, noise = uniform(0, 5), uniform(1, 5).abs() + 0.1
    matrix = loading[:, None] * loading + noise.diag()
    signal = 1 + (loading**2 / noise).sum()
    log_determinant = noise.log().sum() + signal.log()
    precision = 1 / noise - (loading / noise) ** 2 / signal
    total = (matrix.diagonal().log().sum() - log_determinant) / 2
    binding = (log_determinant + precision.log().sum()) / 2
    entropy = GaussianEntropy(matrix.view(5, 1, 5, 1))
    assert_measures(entropy, total.item(), binding.item(), rel=1e-10)


def test_separate_groups_add_up() -> None:
    first, second = some_covariance(3, 2, 0), some_covariance(4, 2, 1)
    both = torch.zeros(7, 2, 7, 2).double()
    both[:3, :, :3], both[3:, :, 3:] = first, second
    parts = [GaussianEntropy(first), GaussianEntropy(second)]
    whole = GaussianEntropy(both)
    for measure in (total_correlation, binding_information, residual_entropy, o_information):
        torch.testing.assert_close(measure(whole), sum(map(measure, parts)), rtol=1e-10, atol=1e-12)
    assert mutual_information(whole)[:3, 3:].abs().max() < 1e-12


def test_vector_states_have_the_block_formulas() -> None:
    r"""TC and B from the blocks of covariance and precision, to a relative error of 1e-10."""
    covariance = some_covariance(5, 3)
    precision = covariance.flatten(2).flatten(0, 1).inverse().view(5, 3, 5, 3)

    def log_blocks(matrix: Tensor) -> float:
        return sum(matrix[i, :, i].logdet().item() for i in range(5))

    log_determinant = covariance.flatten(2).flatten(0, 1).logdet().item()
    total = (log_blocks(covariance) - log_determinant) / 2
    binding = (log_determinant + log_blocks(precision)) / 2
    assert_measures(GaussianEntropy(covariance), total, binding, rel=1e-10)


# --------------------------------------------------------------------------------------- thoi


def thoi_measures(states: Tensor, **arguments: object) -> Tensor:
    """TC, B, O and their sum for all experts, of states that are single numbers."""
    thoi = pytest.importorskip("thoi.measures.gaussian_copula")
    everyone = torch.arange(states.size(1))[None]
    return thoi.nplets_measures(states, everyone, **arguments)[0, 0].double()


def ours(entropy: GaussianEntropy) -> Tensor:
    total, binding = total_correlation(entropy), binding_information(entropy)
    return torch.stack([total, binding, o_information(entropy), total + binding])


@pytest.mark.parametrize("seed", range(3))
def test_thoi_agrees_on_covariances(seed: int) -> None:
    """To a relative error of 1e-10, taken for exact and of 40 samples."""
    covariance = some_covariance(7, 1, seed)
    matrix = covariance.view(7, 7)
    for num_samples in (None, 40):
        expected = thoi_measures(matrix, covmat_precomputed=True, T=num_samples)
        found = ours(GaussianEntropy(covariance, num_samples=num_samples))
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


def test_thoi_agrees_on_samples_by_ranks() -> None:
    """To a relative error of 1e-10: the same copula, the same bias taken away."""
    states = drawn(some_covariance(7, 1), 60, 0) ** 3
    found = ours(GaussianEntropy.of_states(states, ridge=0.0))
    torch.testing.assert_close(found, thoi_measures(states[:, :, 0]), rtol=1e-10, atol=1e-12)


# ----------------------------------------------------------------------------- any system


@pytest.mark.parametrize("seed", range(5))
def test_dependence_is_never_negative_and_redundancy_within_its_bounds(seed: int) -> None:
    for entropy in (GaussianEntropy(some_covariance(5, 2, seed)), some_table(5, seed)):
        assert total_correlation(entropy) > 0
        assert binding_information(entropy) > 0
        assert abs(redundancy(entropy)) < 3 / 5
        known = mutual_information(entropy)
        assert torch.equal(known, known.mT)
        assert not known.diagonal().any()
        assert (known + torch.eye(5) > 0).all()


def test_permuting_experts_permutes_what_they_know_of_each_other() -> None:
    states, order = drawn(some_covariance(5, 2), 100, 0), torch.tensor([3, 0, 4, 1, 2])
    before = GaussianEntropy.of_states(states)
    after = GaussianEntropy.of_states(states[:, order])
    known = mutual_information(before)[order][:, order]
    torch.testing.assert_close(mutual_information(after), known, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(measures(after)[-3:], measures(before)[-3:], rtol=1e-9, atol=1e-12)


def test_two_experts_have_one_number() -> None:
    entropy = GaussianEntropy(some_covariance(2, 3))
    known = mutual_information(entropy)[0, 1]
    torch.testing.assert_close(total_correlation(entropy), known)
    torch.testing.assert_close(binding_information(entropy), known)
    assert abs(o_information(entropy)) < 1e-12


# ------------------------------------------------------------------------ experts one by one


def every_order(entropy: JointEntropy) -> Tensor:
    """What the n-th expert shares with those before it, in the mean over every order."""
    orders = torch.tensor(list(itertools.permutations(range(entropy.num_experts))))
    along = entropy(orders)
    new = along.diff(dim=1, prepend=torch.zeros_like(along[:, :1])).mean(dim=0)
    return new[0] - new


@pytest.mark.parametrize("entropy", [some_table(4), GaussianEntropy(some_covariance(5, 2))])
def test_o_information_is_twice_the_area_between_what_is_told_and_its_chord(
    entropy: JointEntropy,
) -> None:
    """The claim of the module, by all orders, to 1e-10 nats."""
    shared = every_order(entropy)
    n = entropy.num_experts
    total, binding = total_correlation(entropy), binding_information(entropy)
    torch.testing.assert_close(shared.sum(), total, rtol=0, atol=1e-10)
    torch.testing.assert_close(n * shared[-1], total + binding, rtol=0, atol=1e-10)
    chord = torch.linspace(0, 1, n, dtype=torch.float64) * shared[-1]
    area = torch.trapezoid(shared - chord)
    torch.testing.assert_close(2 * area, o_information(entropy), rtol=0, atol=1e-10)


def test_the_curve_of_equally_correlated_experts_is_exact() -> None:
    """Any order is as good as any other: each point is a closed form, to 1e-10 nats."""
    curve = binding_curve(equally_correlated(6, 2, 0.4), seeded(0), num_orders=1)
    alone = [torch.zeros(()).double()]
    fewer = [equally_correlated(n, 2, 0.4) for n in range(2, 7)]
    binding = torch.stack(alone + [binding_information(entropy) for entropy in fewer])
    total = torch.stack(alone + [total_correlation(entropy) for entropy in fewer])
    torch.testing.assert_close(curve.binding, binding, rtol=0, atol=1e-10)
    torch.testing.assert_close(curve.shared, total.diff(prepend=total[:1]), rtol=0, atol=1e-10)
    torch.testing.assert_close(curve.increment.cumsum(dim=0), curve.binding)
    torch.testing.assert_close(curve.redundancy, redundancy(fewer[-1]))
    assert (curve.shared.diff().diff() < 0).all()
    assert (curve.increment[1:].diff() < 0).all()


def test_one_order_is_exact_at_both_ends_for_any_experts() -> None:
    entropy = GaussianEntropy(some_covariance(5, 2))
    shared = every_order(entropy)
    for seed in range(3):
        curve = binding_curve(entropy, seeded(seed), num_orders=1)
        assert curve.shared[0] == curve.binding[0] == 0
        torch.testing.assert_close(curve.shared[-1], shared[-1])
        torch.testing.assert_close(curve.binding[-1], binding_information(entropy))
        torch.testing.assert_close(curve.redundancy, redundancy(entropy))
    many = binding_curve(entropy, seeded(0), num_orders=200)
    torch.testing.assert_close(many.shared, shared, rtol=0.02, atol=1e-12)


def test_copies_parity_and_pairs_bend_down_up_and_not() -> None:
    bit = torch.tensor(BIT).double()
    down = binding_curve(copies(5), seeded(0))
    torch.testing.assert_close(down.shared, bit * torch.tensor([0, 1, 1, 1, 1]))
    torch.testing.assert_close(down.increment, bit * torch.tensor([0, 1, 0, 0, 0]))
    up = binding_curve(parity(5), seeded(0))
    torch.testing.assert_close(up.shared, bit * torch.tensor([0, 0, 0, 0, 1]), rtol=0, atol=1e-7)
    torch.testing.assert_close(up.increment, bit * torch.tensor([0, 0, 0, 0, 4]), rtol=0, atol=1e-6)
    # Each of n others is the partner with the same chance; yet their binding information bends up.
    flat = binding_curve(pairs(6), seeded(0), num_orders=300)
    torch.testing.assert_close(flat.shared, bit * torch.arange(6) / 5, rtol=0.1, atol=1e-7)
    assert abs(flat.redundancy) < 1e-12
    assert (flat.increment.diff() > 0).all()


def test_redundancy_is_seen_through_few_samples() -> None:
    """64 dimensions, 200 samples of experts with common factors: to 0.1 what it is.

    Taken for exact, their covariance would give less than 0.2.
    """
    exact = equally_correlated(16, 4, 0.3)
    estimated = GaussianEntropy.of_states(drawn(exact.covariance, 200, 0))
    naive = GaussianEntropy(estimated.covariance)
    expected = redundancy(exact)
    assert expected > 0.5
    assert abs(redundancy(estimated) - expected) < 0.1
    assert redundancy(naive) < 0.2


def test_the_redundancy_of_independent_experts_keeps_within_its_bounds() -> None:
    """Of 60 samples TC + B may be all but zero, or negative: the ratio alone goes beyond 10."""
    covariance = torch.eye(12).double().view(6, 2, 6, 2)
    beyond, undefined = 0, 0
    for seed in range(100):
        entropy = GaussianEntropy.of_states(drawn(covariance, 60, seed))
        total, binding = total_correlation(entropy), binding_information(entropy)
        found = redundancy(entropy)
        beyond += abs(total - binding) > 10 * abs(total + binding)
        undefined += total + binding <= 0
        assert abs(found) <= 4 / 6
        assert total + binding > 0 or found == 0
        curve = binding_curve(entropy, seeded(seed), num_orders=1)
        torch.testing.assert_close(curve.redundancy, found)
    assert beyond > 0
    assert undefined > 0


def test_the_orders_come_from_the_generator() -> None:
    entropy = GaussianEntropy(some_covariance(5, 2))
    assert_deterministic_by_seed(
        lambda seed: binding_curve(entropy, seeded(seed), num_orders=1).binding
    )
    assert_refused("at least one order", lambda: binding_curve(entropy, seeded(0), num_orders=0))
