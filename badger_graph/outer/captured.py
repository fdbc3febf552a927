"""The outer step as a CUDA graph: its thousands of small kernels launched as one."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.utils._pytree import tree_flatten
from torch_geometric.data import Batch

from badger_graph.rollout import unroll
from badger_graph.tasks import Task
from topologies import GraphTopology, Topology

if TYPE_CHECKING:
    from badger_graph.outer.learner import MetaLearner

WARM_UPS = 3
"""Runs before the capture: libraries set themselves up, and what is made once is made."""

Result = TypeVar("Result")


class Outcome(NamedTuple):
    """What a replay overwrites.

    Shapes:
        - **loss:** ``[T, B]``
    """

    meta_loss: Float[Tensor, ""]
    loss: Float[Tensor, "T B"]
    gradients: tuple[Tensor | None, ...]


class CapturedStep:
    """Rollout, meta-loss and gradients, captured once, and replayed on the draws of each seed.

    Tasks, initial states, identifiers and addresses are drawn outside, just as
    :meth:`MetaLearner.rollout` draws them, and copied to where the graph reads; an initial state
    that is learned is a weight, and read as one. Nothing here waits for the GPU. The graph reads
    the weights where they lie: an optimiser changes them in place.

    Raises:
        ValueError: when two draws differ in more than the values of tensors.
    """

    def __init__(self, learner: MetaLearner) -> None:
        self.learner = learner
        self.parameters = [p for p in learner.parameters() if p.requires_grad]
        self.task, self.graph = self._draw(0)
        self._refill(1)
        self.outcome, self._replay = record(self._compute)
        # The graph reads this too, and whoever keeps it for others may forget it.
        self.shares = learner.meta_loss.shares(self.outcome.loss)

    def __call__(self, seed: int) -> tuple[Float[Tensor, ""], Float[Tensor, "T B"]]:
        """The meta-loss, whose gradient is known already, and the errors of the rollout."""
        self._refill(seed)
        self._replay()
        meta_loss, loss, gradients = self.outcome
        return HandOn.apply(meta_loss, gradients, *self.parameters), loss.clone()

    @torch.no_grad()
    def _draw(self, seed: int) -> tuple[Task, Batch]:
        learner = self.learner
        generator = torch.Generator(learner.device).manual_seed(seed)
        task = learner.task.sample(learner.batch_size, learner.num_outputs, generator)
        sizes = (learner.batch_size, learner.num_experts, learner.num_outputs)
        return task, learner.agent.reset(*sizes, generator)

    def _refill(self, seed: int) -> None:
        task, graph = self._draw(seed)
        refill(vars(self.task), vars(task))
        for name in ("hidden", "identifier", "address"):
            refill(self.graph[name], graph[name])

    def _compute(self) -> Outcome:
        learner, graph = self.learner, self.graph
        if learner.agent.initial_state == "learned":
            graph = copy.copy(graph)
            graph.hidden = learner.agent._initial_hidden(
                learner.batch_size, learner.num_experts, generator=None
            )
        loss = unroll(
            learner.agent,
            self.task,
            learner.num_experts,
            learner.num_steps,
            detach_every=learner.detach_every,
            graph=graph,
        ).loss
        meta_loss = learner.meta_loss(loss)
        gradients = torch.autograd.grad(meta_loss, self.parameters, allow_unused=True)
        return Outcome(meta_loss.detach(), loss.detach(), gradients)


class HandOn(torch.autograd.Function):
    """A loss whose gradients were computed with it."""

    @staticmethod
    def forward(
        ctx: Any, loss: Tensor, gradients: tuple[Tensor | None, ...], *parameters: Tensor
    ) -> Tensor:
        ctx.gradients = gradients
        return loss.clone()  # the next replay overwrites the loss itself

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, *grad: Tensor) -> tuple[Tensor | None, ...]:
        gradients = ctx.gradients  # type: ignore[attr-defined]
        # Products are tensors of their own, so they may be accumulated over several replays.
        return (None, None, *(None if g is None else g * grad[0] for g in gradients))


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


def refill(kept: Any, drawn: Any) -> None:
    """Copy the tensors of a new draw into those of the first, wherever they are nested.

    Raises:
        ValueError: when anything else differs, or the shape, type or device of a tensor.
    """
    (before, structure), (now, new_structure) = tree_flatten(kept), tree_flatten(drawn)
    pairs = [(kept, drawn)] if structure != new_structure else list(zip(before, now, strict=True))
    for old, new in pairs:
        if structure != new_structure or not _interchangeable(old, new):
            raise ValueError(
                "cuda_graph needs draws that differ in the values of their tensors alone, "
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


def check_topology(topology: Topology) -> None:
    """Refuse a topology whose edges are not the same in every rollout.

    Raises:
        ValueError: says which it is.
    """
    if not (isinstance(topology, GraphTopology) and topology.redraw == "once"):
        raise ValueError(
            "cuda_graph needs a topology that is drawn once: edges that are redrawn or depend on "
            f"states cannot be captured, got {topology}"
        )


def check_run(device: torch.device, precision: str) -> None:
    """Refuse to capture where it cannot be done.

    Raises:
        ValueError: says what was found.
    """
    if device.type != "cuda":
        raise ValueError(f"cuda_graph needs a CUDA device, got {device}")
    if not precision.endswith("true"):
        raise ValueError(f"cuda_graph needs one precision throughout, got {precision}")
