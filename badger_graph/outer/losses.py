"""Meta-losses: what the outer loop minimises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from topologies.checks import checked, interval, shown


class MetaLoss(ABC):
    """One number for the errors of a rollout."""

    @abstractmethod
    def __call__(self, loss: Float[Tensor, "T B"]) -> Float[Tensor, ""]:
        """The meta-loss of the errors at every inner step."""

    @abstractmethod
    def shares(self, loss: Float[Tensor, "T B"]) -> Float[Tensor, " T"]:
        """How much each inner step counts, as parts of one."""


def check_errors(loss: Float[Tensor, "T B"]) -> None:
    """Refuse what are no errors of a rollout.

    Raises:
        ValueError: when they are no tensor [T, B], or there are none.
    """
    if not isinstance(loss, Tensor) or loss.dim() != 2 or not loss.numel():
        raise ValueError(f"loss must be errors [T, B], at least one, got {shown(loss)}")


class WeightedMean(MetaLoss, ABC):
    r"""A weighted mean of the errors of a rollout.

    .. math::
        \mathcal{L} = \frac{\sum_t w_t \, \bar e_t}{\sum_t w_t}

    with :math:`\bar e_t` the error at inner step t, averaged over agents.
    """

    @abstractmethod
    def weights(self, num_steps: int) -> Float[Tensor, " T"]:
        """How much each inner step counts, up to a common factor."""

    def __call__(self, loss: Float[Tensor, "T B"]) -> Float[Tensor, ""]:
        check_errors(loss)
        return self.shares(loss) @ loss.mean(dim=1)

    def shares(self, loss: Float[Tensor, "T B"]) -> Float[Tensor, " T"]:
        arguments = str(vars(self))  # so that one changed later counts
        return _shares(self, arguments, loss.size(0), loss.dtype, loss.device)


@lru_cache(maxsize=8)
def _shares(
    meta_loss: WeightedMean,
    arguments: str,
    num_steps: int,
    dtype: torch.dtype,
    device: torch.device,
) -> Float[Tensor, " T"]:
    """The weights as parts of one, kept: to send them again would make a GPU wait."""
    with torch.inference_mode(False):  # fit for training, even if first used elsewhere
        weights = meta_loss.weights(num_steps).to(device, dtype)
        return weights / weights.sum()


class LastStep(WeightedMean):
    """The error of the last inner step alone: the agent may wander until then.

    Source: Rosa et al. 2019, figure 6.
    """

    def weights(self, num_steps: int) -> Float[Tensor, " T"]:
        weights = torch.zeros(num_steps)
        weights[-1] = 1.0
        return weights


class ConvergeFast(WeightedMean):
    r"""The error of every inner step, :math:`w_t = \gamma^t`: be right soon, and stay right.

    Source: Rosa et al. 2019, figure 9.

    Args:
        discount: :math:`\gamma` in (0, 1]; 1 weighs all steps alike.

    Raises:
        ValueError: when ``discount`` is outside (0, 1].
    """

    @checked(discount=interval(0, 1, "(]"))
    def __init__(self, discount: float = 1.0) -> None:
        self.discount = discount

    def weights(self, num_steps: int) -> Float[Tensor, " T"]:
        return self.discount ** torch.arange(num_steps)


class MeanOverEnd(WeightedMean):
    """The mean error over the last part of the rollout: explore first, then be right.

    Args:
        fraction: the part of the steps that counts, in (0, 1]; at least one step.

    Raises:
        ValueError: when ``fraction`` is outside (0, 1].
    """

    @checked(fraction=interval(0, 1, "(]"))
    def __init__(self, fraction: float = 0.5) -> None:
        self.fraction = fraction

    def weights(self, num_steps: int) -> Float[Tensor, " T"]:
        counted = max(1, round(self.fraction * num_steps))
        return (torch.arange(num_steps) >= num_steps - counted).float()


class LogError(MetaLoss):
    r"""The logarithm of another meta-loss: easy and hard batches count alike.

    .. math::
        \mathcal{L} = \log \mathcal{L}_\text{of}

    Where tasks of different difficulty take turns, as numbers of outputs do in a curriculum,
    their errors differ by orders of magnitude, and the plain mean is about the hardest alone. The
    gradient of the logarithm is that of the relative error.

    Args:
        of: the meta-loss, of one batch; the mean over the end by default.

    Raises:
        ValueError: when it is a logarithm already, which may be negative and has none.
    """

    @checked()
    def __init__(self, of: MetaLoss | None = None) -> None:
        if isinstance(of, LogError):
            raise ValueError(
                "the logarithm must be of a meta-loss that is none itself, got a LogError"
            )
        self.of = of or MeanOverEnd()

    def __call__(self, loss: Float[Tensor, "T B"]) -> Float[Tensor, ""]:
        of = self.of(loss)
        return of.clamp(min=torch.finfo(of.dtype).tiny).log()  # no error has no logarithm

    def shares(self, loss: Float[Tensor, "T B"]) -> Float[Tensor, " T"]:
        return self.of.shares(loss)


META_LOSSES: dict[str, type[MetaLoss]] = {
    "last_step": LastStep,
    "converge_fast": ConvergeFast,
    "mean_over_end": MeanOverEnd,
    "log_error": LogError,
}
