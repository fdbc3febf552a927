"""One gradient of those of the single outputs."""

from __future__ import annotations

import copy

import torch
from jaxtyping import Float
from lightning import Trainer
from torch import Tensor, nn

from badger_graph.analysis.gradients import jacobian, output_losses
from badger_graph.outer.curriculum import Curriculum, Lesson
from badger_graph.outer.gradients.base import OuterGradient
from badger_graph.outer.gradients.hand_on import hand_on
from badger_graph.outer.objective import Objective, Outcome, all_sizes
from badger_graph.tasks import SeparableFamily
from topologies.checks import checked, size


class JacobianDescent(OuterGradient):
    """What an aggregator makes of the gradients of the single outputs' meta-losses.

    A backward pass for each output; for one process.

    Source: Quinton and Rey 2024, "Jacobian descent for multi-objective optimization", and the other
    aggregators of TorchJD.

    Args:
        aggregator: ``[d, P]`` to ``[P]``, such as those of TorchJD; scaled as a mean, see
            :func:`one_gradient`.
        detach_every: truncate backpropagation to so many inner steps.
        checkpoint_every: keep the states at every so many inner steps only.

    Raises:
        ValueError: when a number is below 1.
    """

    @checked(detach_every=size(), checkpoint_every=size())
    def __init__(
        self,
        aggregator: nn.Module,
        detach_every: int | None = None,
        checkpoint_every: int | None = None,
    ) -> None:
        self.aggregator = aggregator
        self.detach_every = detach_every
        self.checkpoint_every = checkpoint_every

    def __call__(self, objective: Objective, seed: int, lesson: Lesson) -> Outcome:
        rollout = objective.unroll(seed, lesson, self.detach_every, self.checkpoint_every)
        meta_loss, weights = objective.meta_loss(rollout), objective.weights
        if not meta_loss.isfinite():
            return Outcome(meta_loss, rollout.loss)  # whoever watches says so
        losses = output_losses(rollout, self._family(objective), objective.meta_loss)
        with torch.autocast(objective.agent.device.type, enabled=False):
            rows = jacobian(losses, weights)
            gradient = one_gradient(self.aggregator.to(rows.device), rows)
        parts = gradient.split([weight.numel() for weight in weights])
        gradients = [part.view_as(weight) for part, weight in zip(parts, weights, strict=True)]
        return Outcome(hand_on(meta_loss.detach(), gradients, weights), rollout.loss.detach())

    def check(self, objective: Objective, curriculum: Curriculum | None) -> None:
        objective.check_states(self.checkpoint_every, curriculum)
        self._family(objective)
        for num_outputs in {objective.sizes.num_outputs, *(d for d, _ in all_sizes(curriculum))}:
            one_gradient(self.aggregator, torch.ones(num_outputs, 1))

    def begin(self, trainer: Trainer) -> None:
        if trainer.world_size > 1:
            raise ValueError(f"an aggregator needs one process, got {trainer.world_size}")
        if trainer.accumulate_grad_batches > 1:
            raise ValueError(
                "an aggregator makes the whole gradient of an outer step, so "
                "accumulate_grad_batches must be 1, "
                f"got {trainer.accumulate_grad_batches}"
            )

    def _family(self, objective: Objective) -> SeparableFamily:
        if not isinstance(objective.task, SeparableFamily):
            raise ValueError(
                "only a SeparableFamily has errors of single outputs, "
                f"got a {type(objective.task).__name__}"
            )
        return objective.task


def one_gradient(aggregator: nn.Module, gradients: Float[Tensor, "d P"]) -> Float[Tensor, " P"]:
    r"""What an aggregator makes of gradients, in the size of their mean.

    .. math::
        g = A(g_1, \dots, g_d) / A(1, \dots, 1)

    Of d equal gradients any aggregator then makes that gradient. By themselves some make the sum,
    such as PCGrad, and others the mean, such as UPGrad; a gradient that is clipped, or one learning
    rate for both, would compare nothing but that. It takes for granted that gradients twice as long
    make one twice as long, as it is with all of TorchJD but FairGrad.

    Raises:
        ValueError: when it makes nothing of equal gradients.
    """
    equal = gradients.new_ones(len(gradients), 1)
    with torch.random.fork_rng(devices=[]):  # nothing is drawn, nor remembered
        factor = copy.deepcopy(aggregator)(equal).item()
    if not 0 < factor < float("inf"):
        raise ValueError(
            f"an aggregator must keep the direction of {len(gradients)} equal gradients, "
            f"but {type(aggregator).__name__} makes {factor:g} of ones"
        )
    return aggregator(gradients) / factor
