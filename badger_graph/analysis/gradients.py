"""Do the gradients of the single outputs' errors pull the policy in different directions?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from badger_graph.agent import BadgerAgent
from badger_graph.analysis.checks import UndefinedError, check_finite, check_shape
from badger_graph.rollout import Rollout, unroll
from badger_graph.tasks import GuessingTask, SeparableFamily, target_of
from topologies.checks import checked


class GradientConflict(NamedTuple):
    """How far the gradients of d outputs agree.

    Shapes:
        - **cosines:** ``[d, d]``, between every two of them
        - **negative_share:** of the pairs, those whose cosine is negative
        - **mean_cosine:** over the pairs
        - **alignment:** ``|sum| / sum |.|``: 1 where all agree, 0 where they cancel
    """

    cosines: Float[Tensor, "d d"]
    negative_share: float
    mean_cosine: float
    alignment: float


@checked()
def output_gradients(
    agent: BadgerAgent,
    task: GuessingTask,
    meta_loss: Callable[[Rollout], Float[Tensor, ""]],
    num_experts: int | None,
    num_steps: int,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "d P"]:
    r"""The gradient of the meta-loss of every single output's own error, of one rollout.

    .. math::
        g_j = \nabla_\theta\, \mathcal{L}\big((e_{j,tb})_{tb}\big), \qquad
        e_{tb} = \frac{1}{d} \sum_{j=1}^d e_{j,tb}

    The error of a guess is the mean over outputs; so where the meta-loss is linear,
    :math:`\sum_j g_j = d\, \nabla_\theta \mathcal{L}(e)`. The rollout is run once and its graph
    is gone through d times.

    Source: Schaul et al. 2019, "Ray interference: a source of plateaus in deep reinforcement
    learning": objectives that are sums of components.

    Args:
        agent: whose weights, all P of them that are trained, the gradients are by.
        task: numbers to guess.
        meta_loss: one number for a rollout.
        generator: source of the agent's random draws, on its device.

    Shapes:
        - **returns:** ``[d, P]`` in float64

    Raises:
        ValueError: from :func:`badger_graph.unroll`, or when no weight is trained.
    """
    parameters = [weight for weight in agent.parameters() if weight.requires_grad]
    if not parameters:
        raise ValueError("gradients need weights that are trained, got an agent with none")
    with torch.enable_grad():
        rollout = unroll(agent, task, num_experts, num_steps, generator)
        return jacobian(output_losses(rollout, task.family, meta_loss), parameters).double()


def output_losses(
    rollout: Rollout,
    family: SeparableFamily,
    meta_loss: Callable[[Rollout], Float[Tensor, ""]],
) -> Float[Tensor, " d"]:
    """The meta-loss of each output's own errors."""
    target = target_of(rollout.task).expand_as(rollout.action)
    errors = family.output_errors(rollout.action, target)  # [T, B, d]
    lives = [rollout._replace(loss=of_one) for of_one in errors.unbind(dim=-1)]
    return torch.stack([meta_loss(life) for life in lives])


def jacobian(losses: Float[Tensor, " d"], parameters: Sequence[Tensor]) -> Float[Tensor, "d P"]:
    """The gradient of every loss, all parameters in one row; zeros where a loss needs one not."""
    return torch.stack([flat_gradient(loss, parameters) for loss in losses])


def flat_gradient(
    value: Float[Tensor, ""], parameters: Sequence[Tensor], create_graph: bool = False
) -> Float[Tensor, " P"]:
    """The gradient of one number, whose graph is kept; zeros for parameters that it needs not."""
    parts = torch.autograd.grad(
        value,
        parameters,
        retain_graph=True,
        create_graph=create_graph,
        allow_unused=True,
        materialize_grads=True,
    )
    return torch.cat([part.flatten() for part in parts])


@checked()
def gradient_conflict(gradients: Float[Tensor, "d P"]) -> GradientConflict:
    r"""How far gradients agree: the cosines of all pairs, and what is left of their sum.

    .. math::
        c_{ij} = \frac{g_i \cdot g_j}{|g_i|\,|g_j|}, \qquad
        \frac{\big|\sum_j g_j\big|}{\sum_j |g_j|}

    Source: the cosines: Yu et al. 2020, "Gradient surgery for multi-task learning"; Schaul et al.
    2019.

    Raises:
        ValueError: for other dimensions, fewer than two gradients, or one that is zero or not
            finite: a zero gradient has no direction.
    """
    check_shape("gradients", gradients, "outputs", "parameters")
    if len(gradients) < 2:
        raise ValueError(f"a conflict needs at least two gradients, got {len(gradients)}")
    check_finite("gradients", gradients)
    gradients = gradients.double()
    # In units of the largest number, so that squares of tiny gradients do not vanish.
    largest = gradients.abs().amax(dim=1, keepdim=True)
    zero = (largest == 0).flatten().nonzero().flatten().tolist()
    if zero:
        raise UndefinedError(
            f"a gradient of zero has no direction, got zeros for the outputs {zero}"
        )
    fractions = gradients / largest
    length = fractions.norm(dim=1, keepdim=True)
    direction = fractions / length
    cosines = (direction @ direction.mT).clamp(-1, 1)
    first, second = torch.triu_indices(len(cosines), len(cosines), offset=1).unbind()
    pairs = cosines[first, second]
    weight = largest * length / (largest * length).max()
    alignment = (weight * direction).sum(dim=0).norm() / weight.sum()
    return GradientConflict(
        cosines, (pairs < 0).double().mean().item(), pairs.mean().item(), alignment.item()
    )
