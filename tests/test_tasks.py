"""What holds for every task family, then the guessing game and the sum of waves by hand."""

from __future__ import annotations

import math
import typing

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from properties import (
    assert_deterministic_by_seed,
    assert_first_feedback_is_on_zero,
    assert_refused,
    assert_round_trip,
    assert_target_is_right,
    assert_task_is_pure,
    assert_tasks_independent,
    assert_zero_is_chance,
    held,
    seeded,
    some_task,
)

from badger_graph import (
    GuessingGame,
    SumOfWaves,
    Task,
    TaskFamily,
)
from badger_graph.tasks import (
    TASKS,
    Bandits,
    ClassGuessing,
    GaussianProcesses,
    GuessingTask,
    HiddenTarget,
    LinearFunctions,
    Mixture,
    Regressions,
    SeveralLives,
    Tables,
    target_of,
)
from badger_graph.tasks.waves import waves

MADE: dict[str, TaskFamily] = {
    "tables": Tables(num_inputs=[1, 3], num_examples=[2, 9]),
    "regressions": Regressions(num_inputs=[1, 3], num_examples=[2, 9]),
    "bandits": Bandits(num_pulls=[2, 9]),
    "gaussian bandits": Bandits("gaussian", num_pulls=3),
    "linear_functions": LinearFunctions(num_inputs=[1, 3], num_examples=[2, 9]),
    "gaussian_processes": GaussianProcesses(num_inputs=[1, 3], num_examples=[2, 9]),
    "class_guessing": ClassGuessing(num_steps=[2, 9]),
    "mixture": Mixture([ClassGuessing(num_steps=3), Tables(num_inputs=2, num_examples=4)]),
    "several_lives": SeveralLives(Bandits(num_pulls=[2, 9]), lives=2),
}
"""Families whose tasks are short, so that a batch of them is as large as it should be."""

FAMILIES: dict[str, TaskFamily] = {
    **{name: family() for name, family in TASKS.items() if name not in MADE},
    **MADE,
    "l1": GuessingGame(error="l1"),
    "per output": GuessingGame(feedback="per_output"),
    "12 bins": GuessingGame(bins=12),
    "l1 per output in 3 bins": GuessingGame(error="l1", feedback="per_output", bins=3),
    "waves in 12 bins": SumOfWaves(bins=12),
}

every_family = pytest.mark.parametrize("name", FAMILIES)

every_guess = pytest.mark.parametrize("name", [name for name in FAMILIES if name not in MADE])
"""Those with a target. What is said of it cannot be said of examples and bandits: what they are
to an agent that knows nothing is in their own tests."""


def possible(name: str, num_outputs: int) -> int:
    """Another number of outputs, where a family has none of so many."""
    family = FAMILIES[name]
    if isinstance(family, SumOfWaves):
        return 2 * num_outputs + 1
    return num_outputs if isinstance(family, HiddenTarget) else num_outputs + 1


# --------------------------------------------------------- what holds for every task family


@every_guess
@pytest.mark.parametrize("num_outputs", [1, 4])
def test_zero_is_chance(name: str, num_outputs: int) -> None:
    assert_zero_is_chance(FAMILIES[name], possible(name, num_outputs))


@every_family
@pytest.mark.parametrize("holds", [assert_task_is_pure, assert_tasks_independent])
def test_tasks_are_as_every_task(name: str, holds: typing.Callable[[Task], None]) -> None:
    holds(FAMILIES[name].sample(5, 3, seeded(0)))


@every_guess
@pytest.mark.parametrize("holds", [assert_target_is_right, assert_first_feedback_is_on_zero])
def test_tasks_with_a_target_are_as_these(name: str, holds: typing.Callable[[Task], None]) -> None:
    holds(FAMILIES[name].sample(5, 3, seeded(0)))


@every_family
@given(batch_size=st.integers(1, 8), num_outputs=st.integers(1, 8))
def test_sizes(name: str, batch_size: int, num_outputs: int) -> None:
    family, num_outputs = FAMILIES[name], possible(name, num_outputs)
    if isinstance(family, SeveralLives):
        batch_size *= family.lives
    task = family.sample(batch_size, num_outputs, seeded(0))
    assert (task.batch_size, task.num_outputs) == (batch_size, num_outputs)
    _, observation = task.reset()
    channels = FAMILIES[name].interface
    assert observation.feedback.shape == (batch_size, channels.feedback)
    assert observation.inputs.shape == (batch_size, task.num_inputs, channels.input)
    assert observation.outputs.shape == (batch_size, num_outputs, channels.output)


@every_family
def test_the_seed_decides(name: str) -> None:
    def drawn(seed: int) -> torch.Tensor:
        values = held(FAMILIES[name].sample(5, 3, seeded(seed))).values()
        return torch.cat([value.flatten().nan_to_num() for value in values])

    assert_deterministic_by_seed(drawn)


@every_family
def test_tasks_are_made_where_their_generator_is(name: str, device: torch.device) -> None:
    task = FAMILIES[name].sample(5, 3, seeded(0, device))
    state, observation = task.reset()
    action = torch.zeros(task.batch_size, 3, device=device)
    _, _, error = task.step(state, action, seeded(1, device))
    for tensor in (*held(task).values(), *observation, error):
        assert tensor.device.type == device.type


@every_family
def test_round_trip(name: str) -> None:
    assert_round_trip(
        FAMILIES[name], lambda family: tuple(family.sample(5, 3, seeded(0)).reset()[1])
    )


# -------------------------------------------------------------------- guessing game, by hand

TARGET = torch.tensor([[0.5, -1.0], [0.0, 0.25]])
ACTION = torch.tensor([[1.0, 0.0], [0.0, -0.25]])
"""Differences: 0.5 and 1.0; 0 and -0.5."""


@pytest.mark.parametrize(
    ("arguments", "feedback", "on_outputs", "error"),
    [
        ({}, [0.625, 0.125], None, [0.625, 0.125]),
        ({"error": "l1"}, [0.75, 0.25], None, [0.75, 0.25]),
        ({"feedback": "per_output"}, None, [[0.25, 1.0], [0.0, 0.25]], [0.625, 0.125]),
        (
            {"feedback": "per_output", "error": "l1"},
            None,
            [[0.5, 1.0], [0.0, 0.5]],
            [0.75, 0.25],
        ),
        # The middle of the bin; the error itself stays exact.
        ({"bins": 4}, [0.625, 0.125], None, [0.625, 0.125]),
        ({"bins": 2}, [0.75, 0.25], None, [0.625, 0.125]),
        (
            {"bins": 2, "feedback": "per_output"},
            None,
            [[0.25, 0.75], [0.25, 0.25]],
            [0.625, 0.125],
        ),
    ],
)
def test_feedback_and_error_by_hand(
    arguments: dict[str, typing.Any],
    feedback: list[float] | None,
    on_outputs: list[list[float]] | None,
    error: list[float],
) -> None:
    _, observation, found = GuessingTask(TARGET, GuessingGame(**arguments)).step(None, ACTION)
    assert observation.feedback[:, 0].tolist() == (feedback or [0.0] * 2)
    assert observation.outputs[..., 0].tolist() == (on_outputs or [[0.0] * 2] * 2)
    assert found.tolist() == error


def test_the_edges_of_bins() -> None:
    """A bin holds its lower end; everything from 1 on is in the last."""
    errors = torch.tensor([0.0, 0.2499, 0.25, 0.999, 1.0, 4.0])
    assert GuessingGame(bins=4).quantise(errors).tolist() == [
        0.125, 0.125, 0.375, 0.875, 0.875, 0.875,
    ]  # fmt: skip


def test_no_gradient_through_bins_but_through_exact_feedback() -> None:
    for bins, reaches in ((None, True), (4, False)):
        action = ACTION.clone().requires_grad_()
        _, observation, error = GuessingTask(TARGET, GuessingGame(bins=bins)).step(None, action)
        (gradient,) = torch.autograd.grad(observation.feedback.sum(), action, retain_graph=True)
        assert bool(gradient.any()) == reaches
        # d/dx_j of the mean squared error is 2 (x_j - t_j) / d, with bins or without.
        (gradient,) = torch.autograd.grad(error.sum(), action)
        torch.testing.assert_close(gradient, ACTION - TARGET)


def test_chance_is_the_integral_over_the_targets() -> None:
    """The mean of t^2 and of |t| over [-1, 1], by the midpoint rule."""
    t = (torch.arange(10_000, dtype=torch.float64) + 0.5) / 5_000 - 1
    assert GuessingGame().chance == pytest.approx((t**2).mean().item(), abs=1e-8)
    assert GuessingGame(error="l1").chance == pytest.approx(t.abs().mean().item(), abs=1e-8)


def test_targets_are_uniform_and_independent() -> None:
    """Within the square, each of 10 x 10 cells gets its share (chi-square, 4 sigma)."""
    num_tasks = 40_000
    target = some_task(num_tasks).target
    assert target.min() >= -1
    assert target.max() <= 1
    assert target.max() - target.min() > 1.99
    cell = ((target + 1) * 5).long().clamp(max=9)
    counts = (cell[:, 0] * 10 + cell[:, 1]).bincount(minlength=100).double()
    chi_square = ((counts - num_tasks / 100) ** 2 / (num_tasks / 100)).sum().item()
    assert abs(chi_square - 99) < 4 * (2 * 99) ** 0.5


# -------------------------------------------------------------------- sum of waves, by hand


def test_waves_of_three_samples() -> None:
    """One frequency: sqrt(2/3) sin(120 degrees i + phase)."""
    side, half = math.sin(math.pi / 3), 0.5
    expected = math.sqrt(2 / 3) * torch.tensor([[0, side, -side], [1, -half, -half]])
    torch.testing.assert_close(waves(torch.tensor([0, math.pi / 2]), 3), expected)


@given(num_waves=st.integers(1, 30), phase=st.floats(0, 2 * math.pi))
def test_waves_are_the_formula_and_all_tasks_are_equally_hard(num_waves: int, phase: float) -> None:
    """The mean square is 1/3 for every phase, the largest sample the first."""
    n = 2 * num_waves + 1
    (target,) = waves(torch.tensor([phase], dtype=torch.float64), n).tolist()
    scale = math.sqrt(2 / (3 * num_waves))
    for i, value in enumerate(target):
        angles = (2 * math.pi * k * i / n + phase for k in range(1, num_waves + 1))
        assert value == pytest.approx(scale * sum(map(math.sin, angles)), abs=1e-12)
    assert sum(y * y for y in target) / n == pytest.approx(1 / 3, abs=1e-12)
    assert max(map(abs, target)) <= math.sqrt(2 * num_waves / 3) + 1e-12
    assert target[0] == pytest.approx(math.sqrt(2 * num_waves / 3) * math.sin(phase), abs=1e-12)


def test_phases_are_uniform() -> None:
    """Read off the first sample and its quadrature: the mean of exp(i m phase) vanishes."""
    target = SumOfWaves().sample(40_000, 5, seeded(0)).target.double()
    first = torch.fft.rfft(target)[:, 1]  # of sin(x + phase): proportional to -i exp(i phase)
    for m in (1, 2, 3):
        assert (first / first.abs()).pow(m).mean().abs() < 4 / 200


def test_the_waves_are_told_in_bins() -> None:
    """In 12 bins the first feedback, 1/3, is at the edge of two, so at the middle of either."""
    task = SumOfWaves(bins=12).sample(4, 5, seeded(0))
    _, observation, error = task.step(None, torch.zeros(4, 5))
    torch.testing.assert_close(error, torch.full((4,), 1 / 3))
    middles = torch.tensor([3.5, 4.5]) / 12
    assert torch.isin(observation.feedback, middles).all()


def test_what_has_no_target_is_not_measured_against_one() -> None:
    task = some_task(2, 1)
    assert target_of(task) is task.target
    del task.target
    assert_refused("a task must have one, got a GuessingTask", lambda: target_of(task))
