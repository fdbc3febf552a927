"""How fast two nearby lives part: the largest Lyapunov exponent, in nats per step."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from lightning_utilities import apply_to_collection
from torch import Tensor
from torch.autograd import forward_ad

from badger_graph.agent import BadgerAgent
from badger_graph.analysis.checks import UndefinedError
from badger_graph.analysis.hessian import twice_differentiable
from badger_graph.executors.prepare import DENSE_UP_TO
from badger_graph.tasks import Task
from badger_graph.tasks.base import State
from badger_graph.typing import Observation
from topologies.checks import NOT_NEGATIVE, checked, size


@torch.no_grad()
@checked(num_steps=size(), discard=NOT_NEGATIVE)
def largest_lyapunov(
    step: Callable[[Float[Tensor, "*batch n"]], Float[Tensor, "*batch n"]],
    state: Float[Tensor, "*batch n"],
    num_steps: int,
    discard: int,
    generator: torch.Generator,
) -> Float[Tensor, "*batch"]:
    r"""The largest Lyapunov exponent of a map, of each row of a batch.

    .. math::
        \lambda = \frac{1}{T} \sum_{t = D}^{D + T - 1} \log |J(x_t) v_t|, \qquad
        v_{t+1} = \frac{J(x_t) v_t}{|J(x_t) v_t|}

    with J the Jacobian of a step, of which only products with v are ever made. Positive: nearby
    states part; negative: they meet. States that grow without bound part, too, and that is no
    chaos. Rows must not depend on each other.

    Source: Benettin et al. 1980, "Lyapunov characteristic exponents for smooth dynamical systems",
    for the largest exponent alone.

    Args:
        step: the map, made of operations with forward-mode derivatives.
        state: where each row starts; computed in its precision.
        num_steps: steps T over which to take the mean.
        discard: steps D before them, in which v turns to where it grows most.
        generator: source of the first v, on the device of ``state``.

    Raises:
        ValueError: when ``num_steps`` is below 1, ``discard`` negative, the state no row of
            floating-point numbers or a step changes its shape, the state leaves all bounds, or the
            step forgets it, so that the exponent is minus infinity.
    """
    if not (state.dim() and state.numel() and state.is_floating_point()):
        raise ValueError(
            "the state must be rows of floating-point numbers, "
            f"got {state.dtype} {list(state.shape)}"
        )
    tangent = torch.randn(state.shape, generator=generator, device=state.device, dtype=state.dtype)
    tangent = tangent / tangent.norm(dim=-1, keepdim=True)
    total = torch.zeros_like(state[..., 0])
    for now in range(discard + num_steps):
        before = state.shape
        state, tangent = _push(step, state, tangent)
        if state.shape != before:
            raise ValueError(
                f"a step must keep the shape of the state, {list(before)}, got {list(state.shape)}"
            )
        length = tangent.norm(dim=-1, keepdim=True)
        if not (state.isfinite().all() and length.isfinite().all()):
            raise UndefinedError(f"states must stay finite, got some that are not after step {now}")
        if (length == 0).any():
            raise UndefinedError(
                f"steps must depend on the state, got one that forgets it after step {now}: "
                "an exponent of minus infinity"
            )
        tangent = tangent / length
        if now >= discard:
            total += length[..., 0].log()
    return total / num_steps


def _push(
    step: Callable[[Tensor], Tensor], state: Tensor, tangent: Tensor
) -> tuple[Tensor, Tensor]:
    with forward_ad.dual_level():
        after, image = forward_ad.unpack_dual(step(forward_ad.make_dual(state, tangent)))
    return after, torch.zeros_like(after) if image is None else image


@checked()
def lyapunov_of_agent(
    agent: BadgerAgent,
    task: Task,
    num_experts: int | None,
    num_steps: int,
    discard: int,
    generator: torch.Generator,
) -> Float[Tensor, " B"]:
    r"""The largest Lyapunov exponent of the inner loop, of each agent of a batch.

    The map is one inner-loop step of all that an agent and its world remember,

    .. math::
        (h,\, a,\, s) \mapsto (h',\, a',\, s'), \qquad
        (s', o) = \mathrm{task}(s, a), \quad (h', a') = \mathrm{agent}(h, a, o)

    hidden states, last action and the state of the task, if it has one; where the topology looks
    at the states, its weights are part of the map. A copy of the agent lives in float64, on an
    executor that has forward-mode derivatives.

    Args:
        agent: its weights stay as they are.
        task: one for each agent; what it remembers must be floating-point numbers, ``[B, ...]``.
        num_steps: as in :func:`largest_lyapunov`.
        discard: as there: the transient at the beginning of a life.
        generator: source of the agents' random draws and of the first direction.

    Raises:
        ValueError: from :meth:`BadgerAgent.reset` and :func:`largest_lyapunov`, or when the task
            remembers anything else.
    """
    step, state = inner_map(agent, task, num_experts, generator)
    return largest_lyapunov(step, state, num_steps, discard, generator)


@torch.no_grad()
def inner_map(
    agent: BadgerAgent, task: Task, num_experts: int | None, generator: torch.Generator
) -> tuple[Callable[[Float[Tensor, "B n"]], Float[Tensor, "B n"]], Float[Tensor, "B n"]]:
    """An inner-loop step as a map of flat states, and the state of newborn agents.

    Args:
        generator: source of the agents' random draws.

    Raises:
        ValueError: as in :func:`lyapunov_of_agent`.
    """
    agent = twice_differentiable(agent).double()
    if agent.executor == "dense" and (num_experts or 0) > DENSE_UP_TO:
        agent.executor = "reference"
    sizes = (task.batch_size, num_experts, task.num_outputs)
    life = agent.reset(*sizes, generator, task.num_inputs)
    memory, _ = task.reset(generator)
    parts = [life.hidden.unflatten(0, (task.batch_size, -1)), life.action, *_tensors(memory)]
    for part in parts:
        if not part.is_floating_point():
            raise ValueError(f"a task must remember floating-point numbers, got {part.dtype}")
    shapes = [part.shape[1:] for part in parts]
    numbers = [shape.numel() for shape in shapes]

    def step(state: Float[Tensor, "B n"]) -> Float[Tensor, "B n"]:
        pieces = zip(state.split(numbers, dim=1), shapes, strict=True)
        hidden, action, *memory_parts = (piece.reshape(-1, *shape) for piece, shape in pieces)
        next_memory = apply_to_collection(memory, Tensor, lambda _: memory_parts.pop(0))
        next_memory, observation, _ = task.step(next_memory, action, generator)
        observation = Observation(*(channel.to(state.dtype) for channel in observation))
        before = life.with_hidden(hidden.flatten(0, 1))._replace(score=action, action=action)
        after = agent.step(before, observation, generator)
        return _flat([after.hidden, after.action, *_tensors(next_memory)], task.batch_size)

    return step, _flat(parts, task.batch_size)


def _tensors(memory: State) -> list[Tensor]:
    tensors: list[Tensor] = []
    apply_to_collection(memory, Tensor, tensors.append)
    return tensors


def _flat(parts: list[Tensor], batch_size: int) -> Float[Tensor, "B n"]:
    return torch.cat([part.reshape(batch_size, -1).double() for part in parts], dim=1)
