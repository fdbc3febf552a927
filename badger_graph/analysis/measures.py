"""Every measure by its name, as callbacks, scripts and experiments ask for it."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from typing import Any

import torch

from badger_graph.analysis.frequencies import wave_amplitudes
from badger_graph.analysis.gradients import gradient_conflict, output_gradients
from badger_graph.analysis.hessian import extreme_eigenvalues, twice_differentiable
from badger_graph.analysis.information import (
    binding_curve,
    binding_information,
    mutual_information,
    o_information,
    residual_entropy,
    total_correlation,
)
from badger_graph.analysis.lyapunov import lyapunov_of_agent
from badger_graph.analysis.subject import Subject
from badger_graph.rollout import unroll
from badger_graph.tasks import GuessingTask, SeparableFamily

Measured = float | list[float] | dict[str, Any]
Measure = Callable[[Subject], Measured]

FEW_TASKS = 64
"""Tasks for what needs gradients: as many as a batch of training."""

LAST_STEPS = 5
"""Inner steps at the end of a life, in which a loop that converges stands still."""


def _output_errors(subject: Subject) -> list[float]:
    """The error of every output at the last step: which numbers are solved by now."""
    family = subject.family
    if not isinstance(family, SeparableFamily):
        raise ValueError(f"output_errors needs a SeparableFamily, got {type(family).__name__}")
    recorded = subject.recorded
    return family.output_errors(recorded.action[-1], recorded.target).mean(dim=0).tolist()


def _squared_error(subject: Subject) -> float:
    """The mean squared error at the last step, whatever error the task family counts."""
    recorded = subject.recorded
    return (recorded.action[-1] - recorded.target).square().mean().item()


def _mutual_information(subject: Subject) -> list[float]:
    """That of every pair of experts, row by row above the diagonal."""
    matrix = mutual_information(subject.entropy)
    first, second = torch.triu_indices(len(matrix), len(matrix), offset=1).unbind()
    return matrix[first, second].tolist()


def _binding_over_life(subject: Subject) -> list[float]:
    """Binding information of the states after every inner step."""
    steps = range(subject.num_steps)
    return [binding_information(subject.entropy_at(step)).item() for step in steps]


def _binding_curve(subject: Subject) -> dict[str, Any]:
    """What each further expert brings."""
    curve = binding_curve(subject.entropy, torch.Generator().manual_seed(subject.seed))
    return {name: value.tolist() for name, value in curve._asdict().items()}


def _gradient_conflict(subject: Subject) -> dict[str, Any]:
    """How far the gradients of the outputs' own errors agree."""
    agent = subject.agent.requires_grad_(True)
    sizes = (subject.num_experts, subject.num_steps)
    task = subject.tasks(FEW_TASKS)
    if not isinstance(task, GuessingTask):
        raise ValueError(f"gradient_conflict needs a GuessingTask, got a {type(task).__name__}")
    found = gradient_conflict(
        output_gradients(agent, task, subject.meta_loss, *sizes, subject.generator())
    )
    return {name: value for name, value in found._asdict().items() if name != "cosines"}


def _hessian(subject: Subject) -> dict[str, Any]:
    """The extreme eigenvalues of the Hessian of the meta-loss: is this a saddle?"""
    agent = twice_differentiable(subject.agent).requires_grad_(True)
    task, sizes = subject.tasks(FEW_TASKS), (subject.num_experts, subject.num_steps)
    found = extreme_eigenvalues(
        lambda: subject.meta_loss(unroll(agent, task, *sizes, subject.generator()).loss),
        agent.parameters(),
        num_iterations=20,
        generator=torch.Generator().manual_seed(subject.seed),
    )
    return found._asdict()


def _lyapunov(subject: Subject) -> list[float]:
    """The largest exponent of the inner loop after the first half of a life, of 16 lives."""
    half = subject.num_steps // 2
    sizes = (subject.num_experts, subject.num_steps - half, half)
    return lyapunov_of_agent(subject.agent, subject.tasks(16), *sizes, subject.generator()).tolist()


def _amplitudes(subject: Subject) -> dict[str, Any]:
    """How much of every frequency of the task of waves is there at the last step.

    The part in phase is that of the mean over tasks, which random guesses average to zero.
    """
    recorded = subject.recorded
    found = wave_amplitudes(recorded.action[-1], recorded.target)
    return {
        "amplitude": found.amplitude.mean(dim=0).tolist(),
        "in_phase": found.in_phase.mean(dim=0).tolist(),
    }


def _last_moves(subject: Subject) -> float:
    """How far guesses still move in the last steps of a life, relative to their size.

    The mean of ``|x_t - x_{t-1}|`` over the last 5 steps, in root mean squares over tasks and
    outputs, and over that of the last guess: 0 where the inner loop has converged.
    """
    action = subject.recorded.action.double()
    if len(action) < 2:
        raise ValueError(f"last_moves needs at least 2 inner steps, got {len(action)}")
    size = action[-1].square().mean().sqrt()
    moves = action[-LAST_STEPS - 1 :].diff(dim=0).square().mean(dim=(1, 2)).sqrt()
    if size == 0:
        raise ValueError("last_moves are relative to the last guess, got zeros")
    return (moves.mean() / size).item()


def _outputs_alike(subject: Subject) -> dict[str, Any]:
    r"""How far all outputs guess one and the same number at the last step.

    .. math::
        \text{size} = \Big\langle \frac{1}{d} \sum_j x_j^2 \Big\rangle^{1/2}, \qquad
        \text{common} =
            \Big\langle \big(\tfrac{1}{d} \sum_j x_j\big)^2 \Big\rangle / \text{size}^2

    with the mean over tasks of every output taken off: what it says whatever the task is, is no
    guess. Common is 1 where all are the same, and 1/d where they are independent.
    """
    action = subject.recorded.action[-1].double()
    guess = action - action.mean(dim=0)
    size, common = guess.square().mean(), guess.mean(dim=1).square().mean()
    share = (common / size).item() if size > 0 else 1.0  # all say nothing
    return {"size": size.sqrt().item(), "common": share}


MEASURES: dict[str, Measure] = {
    "output_errors": _output_errors,
    "squared_error": _squared_error,
    "mutual_information": _mutual_information,
    "total_correlation": lambda subject: total_correlation(subject.entropy).item(),
    "binding_information": lambda subject: binding_information(subject.entropy).item(),
    "residual_entropy": lambda subject: residual_entropy(subject.entropy).item(),
    "o_information": lambda subject: o_information(subject.entropy).item(),
    "binding_over_life": _binding_over_life,
    "binding_curve": _binding_curve,
    "gradient_conflict": _gradient_conflict,
    "hessian": _hessian,
    "lyapunov": _lyapunov,
    "amplitudes": _amplitudes,
    "last_moves": _last_moves,
    "outputs_alike": _outputs_alike,
}
"""What can be measured of an agent; information in nats."""


def take(names: Iterable[str], subject: Subject) -> dict[str, Measured]:
    """The measures of these names."""
    return {name: MEASURES[name](subject) for name in names}


def check_measures(names: Iterable[str]) -> None:
    """Refuse what is no measure.

    Raises:
        ValueError: lists those that there are.
    """
    for name in names:
        if name not in MEASURES:
            close = difflib.get_close_matches(name, MEASURES, n=1)
            raise ValueError(
                f"a measure must be one of {', '.join(MEASURES)}, got {name!r}"
                + (f"; did you mean {close[0]!r}?" if close else "")
            )
