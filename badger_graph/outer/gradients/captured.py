"""The outer step as a CUDA graph: its thousands of small kernels launched as one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import torch
from jaxtyping import Float
from lightning import Trainer
from torch import Tensor
from torch.utils._pytree import tree_flatten

from badger_graph.actions import Real
from badger_graph.channels import ClearChannel
from badger_graph.outer.curriculum import Curriculum, Lesson
from badger_graph.outer.gradients.base import OuterGradient
from badger_graph.outer.gradients.hand_on import hand_on
from badger_graph.outer.objective import Objective, Outcome
from badger_graph.rollout import unroll
from topologies import GraphTopology
from topologies.checks import checked, size

WARM_UPS = 3
"""Runs before the capture: libraries set themselves up, and what is made once is made."""

Result = TypeVar("Result")


class Captured(OuterGradient):
    """Backpropagation, with rollout, meta-loss and gradients replayed as one CUDA graph.

    Not yet run on a GPU.

    Args:
        detach_every: truncate backpropagation to so many inner steps.

    Raises:
        ValueError: when it is below 1.
    """

    @checked(detach_every=size())
    def __init__(self, detach_every: int | None = None) -> None:
        self.detach_every = detach_every
        self._step: _Step | None = None

    def __call__(self, objective: Objective, seed: int, lesson: Lesson) -> Outcome:
        if self._step is None:
            self._step = _Step(objective, lesson, self.detach_every)
        return self._step(seed)

    def check(self, objective: Objective, curriculum: Curriculum | None) -> None:
        objective.check_states()
        check_repeatable(objective)
        if curriculum is not None:
            raise ValueError(
                "a CUDA graph repeats one kind of outer step, so curriculum must be none, got "
                f"{type(curriculum).__name__}"
            )

    def begin(self, trainer: Trainer) -> None:
        check_run(trainer.strategy.root_device, trainer.precision)
        self._step = None  # weights may lie elsewhere than in the last fit


class _Replay(NamedTuple):
    """What a replay overwrites.

    Shapes:
        - **loss:** ``[T, B]``
    """

    meta_loss: Float[Tensor, ""]
    loss: Float[Tensor, "T B"]
    gradients: tuple[Tensor | None, ...]


class _Step:
    """Rollout, meta-loss and gradients, captured once, and replayed on the draws of each seed.

    Tasks, initial states, identifiers and addresses are drawn outside, just as
    :meth:`Objective.unroll` draws them, and copied to where the graph reads; an initial state that
    is learned is a weight, and read as one. Nothing here waits for the GPU. The graph reads the
    weights where they lie: an optimiser changes them in place.

    Raises:
        ValueError: when two draws differ in more than the values of tensors.
    """

    def __init__(self, objective: Objective, lesson: Lesson, detach_every: int | None) -> None:
        self.objective = objective
        self.lesson = lesson
        self.detach_every = detach_every
        self.weights = objective.weights
        with torch.no_grad():
            self.task, self.life = objective.draw(0, lesson)
        self._refill(1)
        self.outcome, self._replay = record(self._compute)

    def __call__(self, seed: int) -> Outcome:
        """The meta-loss, whose gradient is known already, and the errors of the rollout."""
        self._refill(seed)
        self._replay()
        meta_loss, loss, gradients = self.outcome
        return Outcome(hand_on(meta_loss, gradients, self.weights), loss.clone())

    @torch.no_grad()
    def _refill(self, seed: int) -> None:
        task, life = self.objective.draw(seed, self.lesson)
        refill(vars(self.task), vars(task))
        refill((self.life.experts, self.life.addresses), (life.experts, life.addresses))

    def _compute(self) -> _Replay:
        agent, (experts, *_) = self.objective.agent, self.life
        if agent.birth.initial_state == "learned":
            experts = experts._replace(hidden=agent.newborn(len(experts.hidden)))
        # What the weights make of identifiers and addresses is made here, with gradients.
        life = agent.life(experts, self.life.addresses, self.life.action, self.life.edges)
        rollout = unroll(
            agent,
            self.task,
            self.lesson.num_experts,
            self.objective.sizes.num_steps,
            detach_every=self.detach_every,
            life=life,
        )
        meta_loss = self.objective.meta_loss(rollout)
        gradients = torch.autograd.grad(meta_loss, self.weights, allow_unused=True)
        return _Replay(meta_loss.detach(), rollout.loss.detach(), gradients)


def record(compute: Callable[[], Result]) -> tuple[Result, Callable[[], None]]:
    """Capture a computation on the GPU; its result, and what computes it anew in the same place."""
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(WARM_UPS):
            compute()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = compute()
    return result, graph.replay


def refill(memory: Any, draw: Any) -> None:
    """Copy the tensors of a new draw into those of the first, wherever they are nested.

    Raises:
        ValueError: when anything else differs, or the shape, type or device of a tensor.
    """
    (before, structure), (now, new_structure) = tree_flatten(memory), tree_flatten(draw)
    pairs = [(memory, draw)] if structure != new_structure else list(zip(before, now, strict=True))
    for old, new in pairs:
        if structure != new_structure or not _interchangeable(old, new):
            raise ValueError(
                "a CUDA graph needs draws that differ in the values of their tensors alone, "
                f"got {_brief(old)} and then {_brief(new)}"
            )
    for old, new in pairs:
        if isinstance(old, Tensor):
            old.copy_(new)


def _interchangeable(old: Any, new: Any) -> bool:
    if isinstance(old, Tensor) and isinstance(new, Tensor):
        return (old.shape, old.dtype, old.device) == (new.shape, new.dtype, new.device)
    return old is new or (type(old) is type(new) and bool(old == new))


def _brief(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"{value.dtype} {list(value.shape)} on {value.device}"
    return repr(value)


def check_repeatable(objective: Objective) -> None:
    """Refuse edges that are not the same in every rollout, and what draws in the course of a life.

    A CUDA graph has no part in the seed of the step.

    Raises:
        ValueError: says what it is.
    """
    agent, topology = objective.agent, objective.agent.topology
    if not (isinstance(topology, GraphTopology) and topology.redraw == "once"):
        raise ValueError(
            "a CUDA graph needs a topology that is drawn once: edges that are redrawn or depend on "
            f"states cannot be captured, got {topology}"
        )
    action, channel = agent.interface.action, agent.communication.channel
    if not isinstance(action, Real):
        raise ValueError(f"a CUDA graph needs actions that are real numbers, got {action}")
    if not isinstance(channel, ClearChannel):
        raise ValueError(f"a CUDA graph needs a clear channel, got a {type(channel).__name__}")
    task = objective.task.sample(1, objective.sizes.num_outputs)
    if task.stochastic:
        raise ValueError(
            "a CUDA graph needs tasks that draw nothing in a life, got a "
            f"{type(objective.task).__name__}"
        )


def check_run(device: torch.device, precision: str) -> None:
    """Refuse to capture where it cannot be done.

    Raises:
        ValueError: says what was found.
    """
    if device.type != "cuda":
        raise ValueError(f"a CUDA graph needs a CUDA device, got {device}")
    if not precision.endswith("true"):
        raise ValueError(f"a CUDA graph needs one precision throughout, got {precision}")
