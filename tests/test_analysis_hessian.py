"""Extreme curvatures of quadratics by hand, of a network and an agent by their whole Hessian."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from properties import GAME, double_precision, seeded, uniform
from torch import Tensor, nn

from badger_graph import (
    AttentionMembrane,
    AttentionPolicy,
    BadgerAgent,
    GRUPolicy,
    GuessingGame,
    unroll,
)
from badger_graph.analysis import ExtremeEigenvalues, extreme_eigenvalues, twice_differentiable
from topologies import CompleteTopology, RingTopology


def quadratic(eigenvalues: list[float], seed: int = 0) -> tuple[Tensor, Tensor]:
    """A matrix with these eigenvalues in a random basis, and a point."""
    size = len(eigenvalues)
    basis, _ = torch.linalg.qr(uniform(seed, size, size))
    matrix = basis @ torch.tensor(eigenvalues, dtype=torch.float64).diag() @ basis.mT
    return matrix, uniform(seed + 1, size).requires_grad_()


@given(
    eigenvalues=st.lists(st.floats(-10, 10).map(lambda x: round(x, 3)), min_size=1, max_size=12),
    seed=st.integers(0, 99),
)
def test_exact_on_quadratics_after_all_iterations(eigenvalues: list[float], seed: int) -> None:
    """To 1e-9 of the largest, also where eigenvalues repeat or are zero."""
    matrix, x = quadratic(eigenvalues, seed)
    found = extreme_eigenvalues(lambda: x @ matrix @ x / 2, [x], len(eigenvalues), seeded(seed))
    tolerance = 1e-9 * max(map(abs, eigenvalues)) + 1e-12
    assert found[:2] == pytest.approx((min(eigenvalues), max(eigenvalues)), abs=tolerance)
    assert max(found[2:]) <= tolerance


@given(num_iterations=st.integers(1, 30), seed=st.integers(0, 99))
def test_the_residual_bounds_the_error(num_iterations: int, seed: int) -> None:
    """Some eigenvalue is within the residual; what is found lies inside the spectrum."""
    eigenvalues = [10 * math.sin(k) for k in range(40)]
    matrix, x = quadratic(eigenvalues, seed)
    found = extreme_eigenvalues(lambda: x @ matrix @ x / 2, [x], num_iterations, seeded(seed))
    for value, residual in zip(found[:2], found[2:], strict=True):
        assert min(abs(value - e) for e in eigenvalues) <= residual + 1e-9
        assert min(eigenvalues) - 1e-9 <= value <= max(eigenvalues) + 1e-9


def test_few_iterations_find_ends_that_stand_apart() -> None:
    """Of 300 directions, one falls: a saddle, known after 20 products to 1e-6."""
    matrix, x = quadratic([-3.0, *torch.linspace(-1, 1, 298).tolist(), 8.0])
    found = extreme_eigenvalues(lambda: x @ matrix @ x / 2, [x], 20, seeded(0))
    assert found[:2] == pytest.approx((-3, 8), abs=1e-6)
    assert max(found[2:]) < 1e-2


def test_the_saddle_of_a_product() -> None:
    """f = x y + x^3 at zero: curvatures -1 and 1, gradient zero; two tensors."""
    x, y = (torch.zeros(1, dtype=torch.float64, requires_grad=True) for _ in range(2))
    found = extreme_eigenvalues(lambda: (x * y + x**3).sum(), [x, y], 2, seeded(0))
    assert found == pytest.approx((-1, 1, 0, 0), abs=1e-12)


def test_a_linear_loss_has_no_curvature() -> None:
    x = torch.ones(3, requires_grad=True)
    unused = torch.ones(2, requires_grad=True)
    assert extreme_eigenvalues(lambda: 2 * x.sum(), [x, unused], 4, seeded(0)) == (0, 0, 0, 0)


def assert_ends_of(hessian: Tensor, found: ExtremeEigenvalues) -> None:
    """To 1e-6 of the largest eigenvalue."""
    exact = torch.linalg.eigvalsh(hessian)
    tolerance = 1e-6 * exact.abs().max().item()
    assert found[:2] == pytest.approx((exact[0].item(), exact[-1].item()), abs=tolerance)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_small_network_as_by_its_whole_hessian(dtype: torch.dtype) -> None:
    """To 1e-6 of the largest eigenvalue, in float32 too."""
    x, y, weights = (uniform(k, *s).to(dtype) for k, s in enumerate([(20, 3), (20,), (26,)]))

    def loss(weights: Tensor) -> Tensor:
        inner, outer = weights[:20].view(5, 4), weights[20:]
        hidden = (x.to(weights) @ inner[:, :3].mT + inner[:, 3]).tanh()
        return (hidden @ outer[:5] + outer[5] - y.to(weights)).square().mean()

    exact = torch.func.hessian(loss)(weights.double())
    weights.requires_grad_()
    found = extreme_eigenvalues(lambda: loss(weights), [weights], 26, seeded(0))
    assert_ends_of(exact, found)
    assert found.smallest < 0


def some_agent() -> BadgerAgent:
    torch.manual_seed(0)
    policy, sizes = partial(GRUPolicy, message_size=1), {"identifier_size": 1, "hidden_size": 2}
    return BadgerAgent(GAME, policy, RingTopology(), **sizes)


def test_an_agent_as_by_differences_of_its_gradient() -> None:
    """Central differences of the gradient, of the agent as it is: to 1e-6 of the largest."""
    with double_precision():
        agent, task = some_agent(), GuessingGame().sample(2, 2, seeded(0))
        twin = twice_differentiable(agent)
        found = extreme_eigenvalues(
            lambda: unroll(twin, task, 3, 3).loss.mean(), twin.parameters(), 200, seeded(0)
        )
        weights = nn.utils.parameters_to_vector(agent.parameters()).detach()

        def gradient(at: Tensor) -> Tensor:
            nn.utils.vector_to_parameters(at, agent.parameters())
            loss = unroll(agent, task, 3, 3).loss.mean()
            parts = torch.autograd.grad(loss, list(agent.parameters()))
            return torch.cat([part.flatten() for part in parts])

        steps = 1e-5 * torch.eye(len(weights))
        rows = [(gradient(weights + step) - gradient(weights - step)) / 2e-5 for step in steps]
    assert_ends_of(torch.stack(rows), found)


def test_the_copy_of_an_agent_is_another_with_the_same_life() -> None:
    agent, task = some_agent(), GuessingGame().sample(2, 2, seeded(0))
    twin = twice_differentiable(agent)
    assert (agent.executor, twin.executor) == ("auto", "dense")
    assert twin.policy.cell.weight_hh is not agent.policy.cell.weight_hh
    torch.testing.assert_close(unroll(twin, task, 3, 3).loss, unroll(agent, task, 3, 3).loss)


def test_the_attentional_agent_keeps_its_executor() -> None:
    membrane = partial(AttentionMembrane, key_size=4)
    agent = BadgerAgent(GAME, AttentionPolicy, CompleteTopology(), membrane, hidden_size=4)
    twin, task = twice_differentiable(agent), GuessingGame().sample(2, 2, seeded(0))
    found = extreme_eigenvalues(
        lambda: unroll(twin, task, 3, 2, seeded(0)).loss.mean(), twin.parameters(), 3, seeded(0)
    )
    assert twin.executor == "auto"
    assert found.smallest < found.largest


def test_the_start_is_drawn_from_the_generator() -> None:
    matrix, x = quadratic([float(k) for k in range(9)])
    first, again, other = (
        extreme_eigenvalues(lambda: x @ matrix @ x, [x], 3, seeded(seed)) for seed in (1, 1, 2)
    )
    assert first == again != other
