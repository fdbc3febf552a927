"""Every measure by its name, as callbacks, scripts and experiments ask for it."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from badger_graph.analysis.checks import UndefinedError
from badger_graph.analysis.entropy import JointEntropy
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
from badger_graph.analysis.modes import dynamic_modes, oscillating_share
from badger_graph.analysis.subject import Subject
from badger_graph.rollout import unroll
from badger_graph.tasks import GuessingTask, SeparableFamily
from topologies.checks import check_choice, check_sizes

Measurement = int | float | list[float] | dict[str, Any]


class Measure(NamedTuple):
    """What can be measured, and how often that is cheap beside training.

    Attributes:
        of: measures an agent.
        every: outer steps from one measurement to the next, by default; what this costs is in
            ``results/benchmark_measuring.md``.
    """

    of: Callable[[Subject], Measurement]
    every: int


FEW_TASKS = 64
"""Tasks for what needs gradients: as many as a batch of training."""

RANKS = (1, 2, 4, 8, 16)
"""Directions of the states in which the inner loop is fitted by a linear map."""

REST = 0.1
"""A life is at rest where its guesses are nearer to the last than this part of its size."""

LAST_STEPS = 5
"""Inner steps at the end of a life, in which a loop that converges stands still."""


def _output_errors(subject: Subject) -> list[float]:
    """The error of every output at the last step: which numbers are solved by now."""
    family = subject.family
    if not isinstance(family, SeparableFamily):
        raise ValueError(f"output_errors needs a SeparableFamily, got {type(family).__name__}")
    recording = subject.recording
    action, target = recording.action[-1].double(), recording.target.double()
    return family.output_errors(action, target).mean(dim=0).tolist()


def _squared_error(subject: Subject) -> float:
    """The mean squared error at the last step, whatever error the task family counts."""
    recording = subject.recording
    return (recording.action[-1].double() - recording.target).square().mean().item()


def _mutual_information(subject: Subject) -> list[float]:
    """That of every pair of experts, row by row above the diagonal."""
    matrix = mutual_information(subject.entropy)
    first, second = torch.triu_indices(len(matrix), len(matrix), offset=1).unbind()
    return matrix[first, second].tolist()


def _shared(of: Callable[[JointEntropy], Float[Tensor, ""]]) -> Measure:
    """What is made of the experts' joint entropies alone."""
    return Measure(lambda subject: of(subject.entropy).item(), 100)


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
    conflict = gradient_conflict(
        output_gradients(agent, task, subject.meta_loss, *sizes, subject.generator())
    )
    return {name: value for name, value in conflict._asdict().items() if name != "cosines"}


def _hessian(subject: Subject) -> dict[str, Any]:
    """The extreme eigenvalues of the Hessian of the meta-loss: is this a saddle?"""
    agent = twice_differentiable(subject.agent).requires_grad_(True)
    task, sizes = subject.tasks(FEW_TASKS), (subject.num_experts, subject.num_steps)
    eigenvalues = extreme_eigenvalues(
        lambda: subject.meta_loss(unroll(agent, task, *sizes, subject.generator())),
        agent.parameters(),
        num_iterations=20,
        generator=torch.Generator().manual_seed(subject.seed),
    )
    return eigenvalues._asdict()


def _lyapunov(subject: Subject) -> list[float]:
    """The largest exponent of the inner loop after the first half of a life, of 16 lives."""
    half = subject.num_steps // 2
    sizes = (subject.num_experts, subject.num_steps - half, half)
    return lyapunov_of_agent(subject.agent, subject.tasks(16), *sizes, subject.generator()).tolist()


def _dynamic_modes(subject: Subject) -> dict[str, Any]:
    """How linear the inner loop is in so many directions, what grows there and what oscillates.

    Of the states of all experts in 16 lives, from each of them to the next. A list a number, an
    entry a rank, of those that the states have; the residual is that of predicting one step.
    """
    hidden = subject.recording.hidden[:, :16].double()
    if len(hidden) < 3:
        raise ValueError(f"dynamic_modes needs at least 3 inner steps, got {len(hidden)}")
    states = hidden.flatten(2).transpose(0, 1)  # [S, T, N H]
    full = int(torch.linalg.matrix_rank(states[:, :-1].flatten(0, 1)))
    ranks = [rank for rank in RANKS if rank <= max(full, 1)]
    decompositions = [dynamic_modes(states, rank) for rank in ranks]
    return {
        "rank": ranks,
        "spectral_radius": [modes.eigenvalues.abs().max().item() for modes in decompositions],
        "oscillating": [oscillating_share(modes) for modes in decompositions],
        "residual": [modes.residual for modes in decompositions],
    }


def _amplitudes(subject: Subject) -> dict[str, Any]:
    """How much of every frequency of the task of waves is there at the last step.

    The part in phase is that of the mean over tasks, which random guesses average to zero.
    """
    recording = subject.recording
    amplitudes = wave_amplitudes(recording.action[-1], recording.target)
    return {
        "amplitude": amplitudes.amplitude.mean(dim=0).tolist(),
        "in_phase": amplitudes.in_phase.mean(dim=0).tolist(),
    }


def _last_moves(subject: Subject) -> float:
    """How far guesses still move in the last steps of a life, relative to their size.

    The mean of ``|x_t - x_{t-1}|`` over the last 5 steps, in root mean squares over tasks and
    outputs, and over that of the last guess: 0 where the inner loop has converged.
    """
    action = subject.recording.action.double()
    if len(action) < 2:
        raise ValueError(f"last_moves needs at least 2 inner steps, got {len(action)}")
    size = action[-1].square().mean().sqrt()
    moves = action[-LAST_STEPS - 1 :].diff(dim=0).square().mean(dim=(1, 2)).sqrt()
    if size == 0:
        raise UndefinedError("last_moves are relative to the last guess, got zeros")
    return (moves.mean() / size).item()


def _steps_at_rest(subject: Subject) -> int:
    r"""How many inner steps before the last a life has come to rest.

    .. math::
        \#\{t < T : |x_s - x_T| < 0.1\, |x_T| \text{ for all } s \ge t\}

    with root mean squares over tasks and outputs: 0 where the last step still moves guesses.
    """
    action = subject.recording.action.double()
    size = action[-1].square().mean().sqrt()
    if size == 0:
        raise UndefinedError("steps_at_rest are relative to the last guess, got zeros")
    away = (action - action[-1]).square().mean(dim=(1, 2)).sqrt() >= REST * size
    return len(action) - 1 - int((away.nonzero().max() + 1) if away.any() else 0)


def _outputs_alike(subject: Subject) -> dict[str, Any]:
    r"""How far all outputs guess one and the same number at the last step.

    .. math::
        \text{size} = \Big\langle \frac{1}{d} \sum_j x_j^2 \Big\rangle^{1/2}, \qquad
        \text{common} =
            \Big\langle \big(\tfrac{1}{d} \sum_j x_j\big)^2 \Big\rangle / \text{size}^2

    with the mean over tasks of every output taken off: what it says whatever the task is, is no
    guess. Common is 1 where all are the same, and 1/d where they are independent.
    """
    action = subject.recording.action[-1].double()
    if len(action) < 2:
        raise ValueError(f"outputs_alike needs at least 2 tasks, got {len(action)}")
    guess = action - action.mean(dim=0)
    size, common = guess.square().mean(), guess.mean(dim=1).square().mean()
    share = (common / size).item() if size > 0 else 1.0  # all say nothing
    return {"size": size.sqrt().item(), "common": share}


MEASURES: dict[str, Measure] = {
    "output_errors": Measure(_output_errors, 100),
    "squared_error": Measure(_squared_error, 100),
    "mutual_information": Measure(_mutual_information, 100),
    "total_correlation": _shared(total_correlation),
    "binding_information": _shared(binding_information),
    "residual_entropy": _shared(residual_entropy),
    "o_information": _shared(o_information),
    "binding_over_life": Measure(_binding_over_life, 500),
    "binding_curve": Measure(_binding_curve, 500),
    "gradient_conflict": Measure(_gradient_conflict, 500),
    "hessian": Measure(_hessian, 2000),
    "lyapunov": Measure(_lyapunov, 500),
    "dynamic_modes": Measure(_dynamic_modes, 500),
    "amplitudes": Measure(_amplitudes, 100),
    "last_moves": Measure(_last_moves, 100),
    "steps_at_rest": Measure(_steps_at_rest, 100),
    "outputs_alike": Measure(_outputs_alike, 100),
}
"""What can be measured of an agent; information in nats."""


def take(names: Collection[str], subject: Subject) -> dict[str, Measurement]:
    """The measures of these names.

    Raises:
        UndefinedError: when a measure means nothing of this agent as it is now.
        DivergedError: when its states or guesses are not finite, whatever is measured.
        ValueError: for what is no measure, or cannot be measured at these sizes.
    """
    check_measures(names)
    _ = subject.recording  # or a measure of other lives might make sense of what blew up
    return {name: _finite(name, MEASURES[name].of(subject)) for name in names}


def _finite(name: str, measurement: Measurement) -> Measurement:
    try:
        json.dumps(measurement, allow_nan=False)
    except ValueError as error:
        raise UndefinedError(f"{name} must be finite, got numbers that are not") from error
    return measurement


def check_measures(names: Collection[str]) -> None:
    """Refuse what is no measure.

    Raises:
        ValueError: lists those that there are.
    """
    if isinstance(names, str):
        raise ValueError(f"measures must be several names, for example [{names}], got {names!r}")
    for name in names:
        check_choice("a measure", name, MEASURES)


def intervals(measures: Collection[str] | Mapping[str, int]) -> dict[str, int]:
    """Outer steps from one measurement to the next, of each measure.

    Args:
        measures: the steps by name, or names, for the default of each.

    Raises:
        ValueError: for what is no measure, or steps that are no whole number of at least 1.
    """
    check_measures(measures)
    if not isinstance(measures, Mapping):
        return {name: MEASURES[name].every for name in measures}
    for name, every in measures.items():
        check_sizes(**{f"steps from one {name} to the next": (every, 1)})
    return dict(measures)
