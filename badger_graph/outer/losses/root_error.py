"""The root of the error: small errors count, too."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from badger_graph.outer.losses.base import MetaLoss, check_errors
from badger_graph.rollout import Rollout
from topologies.checks import POSITIVE, checked


class RootError(MetaLoss):
    r"""The mean root of the errors of all agents at all steps.

    .. math::
        \mathcal{L} = \frac{1}{T B} \sum_{t, b} \sqrt{\min(e_{tb}, e_{\max}) + \epsilon}

    It goes on teaching where squared errors are small already, and one agent that is lost does not
    count for more than :math:`e_{\max}`.

    Args:
        floor: :math:`\epsilon`, which keeps the gradient finite.
        most: :math:`e_{\max}`.

    Raises:
        ValueError: when one is not positive.
    """

    @checked(floor=POSITIVE, most=POSITIVE)
    def __init__(self, floor: float = 1e-5, most: float = 4.0) -> None:
        self.floor = floor
        self.most = most

    def __call__(self, rollout: Rollout) -> Float[Tensor, ""]:
        check_errors(rollout)
        return (rollout.loss.clamp(max=self.most) + self.floor).sqrt().mean()
