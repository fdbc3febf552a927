"""The gradient of what later came of random choices."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from badger_graph.outer.curriculum import Curriculum, Lesson
from badger_graph.outer.gradients.base import OuterGradient
from badger_graph.outer.objective import Objective, Outcome
from badger_graph.tasks import SeveralLives
from topologies.checks import POSITIVE, checked, interval, size


class ScoreFunction(OuterGradient):
    r"""Backpropagation, and the score function of every choice, with several lives of one task.

    A choice :math:`a_t` moves the errors that come after it. With :math:`w_t` the weight of an
    error in the meta-loss, its derivative by :math:`e_t`, and
    :math:`R_t = \sum_{s > t} \gamma^{s - t - 1} w_s e_s` what comes after step t, the gradient is

    .. math::
        \nabla \mathcal{L} + \mathbb{E} \sum_t \big(R_t - \bar R_t\big)\,
            \nabla \log \pi(a_t)

    The first part is backpropagation with all choices held fixed but the one that an error is
    about, for which the task gives the gradient of its expectation, as those of
    :class:`badger_graph.Bandits` do; a membrane that shows experts the agent's action lets the
    straight-through gradient of a choice flow on through that, too. The baseline
    :math:`\bar R_t` is the mean of the other lives of the same task
    (:class:`badger_graph.SeveralLives`), which leaves the second part unbiased.

    Source: Williams 1992; the baseline as in Kool et al. 2019, "Buy 4 REINFORCE samples, get a
    baseline for free!".

    Args:
        discount: :math:`\gamma`; below 1 the gradient varies less, and looks less far ahead.
        detach_every: truncate backpropagation to so many inner steps; what later came of choices is
            counted beyond them.
        largest_norm: an outer step whose gradient is longer, or not finite, is passed over: in
            long lives a few explode, and one of them undoes what a hundred others have learned.

    Raises:
        ValueError: when one is out of bounds; for tasks that are not met by several lives, or
            actions that are no random choices.
    """

    @checked(discount=interval(0, 1), detach_every=size(), largest_norm=POSITIVE)
    def __init__(
        self,
        discount: float = 1.0,
        detach_every: int | None = None,
        largest_norm: float | None = None,
    ) -> None:
        self.discount = discount
        self.detach_every = detach_every
        self.largest_norm = largest_norm

    def __call__(self, objective: Objective, seed: int, lesson: Lesson) -> Outcome:
        assert isinstance(objective.task, SeveralLives)
        rollout = objective.unroll(seed, lesson, self.detach_every)
        action = objective.agent.interface.action
        log = action.log_probability(rollout.score, rollout.action.detach())
        loss = rollout.loss.detach().requires_grad_()
        (weight,) = torch.autograd.grad(objective.meta_loss(rollout._replace(loss=loss)), loss)
        advantage = against_others(self._later(weight * loss.detach()), objective.task.lives)
        meta_loss = objective.meta_loss(rollout)
        steering = (log * advantage).sum()
        # It moves the weights and not the value that is logged.
        return Outcome(meta_loss + (steering - steering.detach()), rollout.loss)

    def _later(self, cost: Float[Tensor, "T B"]) -> Float[Tensor, "T B"]:
        """What comes after every step, discounted."""
        later, after = torch.zeros_like(cost), torch.zeros_like(cost[0])
        for step in range(len(cost) - 2, -1, -1):
            after = later[step] = cost[step + 1] + self.discount * after
        return later

    def check(self, objective: Objective, curriculum: Curriculum | None) -> None:
        if not isinstance(objective.task, SeveralLives):
            raise ValueError(
                "a ScoreFunction compares several lives of one task, so the task must be "
                f"SeveralLives, got {type(objective.task).__name__}"
            )
        nothing = torch.zeros(1, 2)
        objective.agent.interface.action.log_probability(nothing, nothing)
        objective.check_states(None, curriculum)


def against_others(value: Float[Tensor, "T B"], lives: int) -> Float[Tensor, "T B"]:
    """A value less its mean over the other lives of the same task, which stand side by side.

    Args:
        value: ``[T, B]``.
        lives: of the same task, at least two; B is a multiple of it.
    """
    each = value.unflatten(1, (-1, lives))
    others = (each.sum(dim=2, keepdim=True) - each) / (lives - 1)
    return (each - others).flatten(1)
