"""Gradients of single outputs against the whole and finite differences; conflicts by hand."""

from __future__ import annotations

import copy
import math
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from properties import (
    FUSED,
    assert_refused,
    double_precision,
    rollout_of,
    seeded,
    small_agent,
    uniform,
)
from torch import Tensor

from badger_graph import (
    ConvergeFast,
    GuessingGame,
    LastStep,
    LogError,
    MeanOverEnd,
    MetaLoss,
    SumOfWaves,
    unroll,
)
from badger_graph.analysis import gradient_conflict, output_gradients
from badger_graph.birth import Birth
from badger_graph.executors.prepare import ExecutorName
from badger_graph.tasks import HiddenTarget
from topologies import RingTopology

N, T, B = 5, 4, 3


make = partial(small_agent, RingTopology(), executor="dense")


def flat(tensors: tuple[Tensor, ...]) -> Tensor:
    return torch.cat([tensor.flatten() for tensor in tensors])


# ------------------------------------------------------------------------ of single outputs


@pytest.mark.parametrize("executor", ["dense", FUSED])
@pytest.mark.parametrize("meta_loss", [LastStep(), ConvergeFast(0.9), MeanOverEnd()])
@pytest.mark.parametrize("family", [GuessingGame(), GuessingGame(error="l1"), SumOfWaves()])
def test_they_sum_to_d_times_the_gradient_of_the_whole(
    executor: ExecutorName, meta_loss: MetaLoss, family: HiddenTarget
) -> None:
    """Exactly, up to rounding, as these meta-losses are linear in the errors."""
    with double_precision():
        agent, task = make(executor=executor), family.sample(B, 3, seeded(0))
        loss = meta_loss(unroll(agent, task, N, T))
        whole = flat(torch.autograd.grad(loss, list(agent.parameters())))
        gradients = output_gradients(agent, task, meta_loss, N, T)
    torch.testing.assert_close(gradients.sum(dim=0), 3 * whole, rtol=1e-11, atol=1e-13)
    assert not torch.allclose(gradients[0], gradients[1])


def test_they_are_finite_differences_of_the_error_of_one_output() -> None:
    """Along a random direction, to 1e-7; the meta-loss is not linear."""
    meta_loss = LogError()
    with double_precision():
        agent, task = make(), GuessingGame().sample(B, 2, seeded(0))
        gradients = output_gradients(agent, task, meta_loss, N, T)
        direction = uniform(3, gradients.size(1))

        def losses(step: float) -> Tensor:
            moved = copy.deepcopy(agent)
            weights = torch.nn.utils.parameters_to_vector(moved.parameters())
            torch.nn.utils.vector_to_parameters(weights + step * direction, moved.parameters())
            with torch.no_grad():
                errors = (unroll(moved, task, N, T).action - task.target).square()
            return torch.stack([meta_loss(rollout_of(error)) for error in errors.unbind(-1)])

        slope = (losses(1e-5) - losses(-1e-5)) / 2e-5
    torch.testing.assert_close(gradients @ direction, slope, rtol=1e-7, atol=1e-9)


def test_the_generator_decides_and_nothing_is_left_behind() -> None:
    agent = make(birth=Birth("random"))
    task = GuessingGame().sample(B, 2, seeded(0))
    first, again, other = (
        output_gradients(agent, task, LastStep(), N, T, seeded(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.dtype == torch.float64
    assert all(parameter.grad is None for parameter in agent.parameters())


def test_an_agent_that_nobody_trains_has_none() -> None:
    agent = make().requires_grad_(False)
    task = GuessingGame().sample(B, 2, seeded(0))
    assert_refused(
        "gradients need weights that are trained",
        lambda: output_gradients(agent, task, LastStep(), N, T),
    )


# ---------------------------------------------------------------------------- their conflict


@pytest.mark.parametrize(
    ("gradients", "cosine", "negative", "alignment"),
    [
        ([[1, 0], [0, 1]], 0, 0, math.sqrt(2) / 2),  # neither helps nor harms
        ([[1, 2], [2, 4]], 1, 0, 1),
        ([[1, 2], [-1, -2]], -1, 1, 0),  # what ray interference is about
        ([[3, 0], [-1, 0]], -1, 1, 2 / 4),
        ([[3, 4], [4, 3]], 24 / 25, 0, math.hypot(7, 7) / 10),
        ([[3, 4], [0, 5]], 4 / 5, 0, math.hypot(3, 9) / 10),  # as long, of other largest numbers
    ],
)
def test_two_gradients(
    gradients: list[list[float]], cosine: float, negative: float, alignment: float
) -> None:
    conflict = gradient_conflict(torch.tensor(gradients, dtype=torch.float64))
    expected = torch.tensor([[1, cosine], [cosine, 1]], dtype=torch.float64)
    torch.testing.assert_close(conflict.cosines, expected, rtol=0, atol=1e-15)
    assert conflict[1:] == pytest.approx((negative, cosine, alignment), abs=1e-15)


def test_three_gradients() -> None:
    """Two opposite and one across: one pair of three disagrees."""
    conflict = gradient_conflict(torch.tensor([[1.0, 0], [-1, 0], [0, 2]]))
    assert conflict[1:] == pytest.approx((1 / 3, -1 / 3, 2 / 4), abs=1e-15)


@given(seed=st.integers(0, 99), num=st.integers(2, 6), exponent=st.integers(-200, 200))
def test_a_common_scale_changes_nothing(seed: int, num: int, exponent: int) -> None:
    """However small the gradients, as they are on a plateau."""
    gradients = uniform(seed, num, 7)
    plain, scaled = gradient_conflict(gradients), gradient_conflict(gradients * 10.0**exponent)
    torch.testing.assert_close(scaled.cosines, plain.cosines, rtol=0, atol=1e-12)
    assert scaled[1:] == pytest.approx(plain[1:], abs=1e-12)
    assert 0 <= plain.alignment <= 1
