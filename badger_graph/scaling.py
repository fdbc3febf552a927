"""Numbers of any unit as an agent takes them: scaled by what was seen of them so far."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

LARGEST = 4.0
"""Standard deviations beyond which an input is cut off: one outlier must not drive an agent out of
what it was trained for."""

CONSTANT = 1e-6
"""An input that varies less than this part of its size says nothing."""


class RunningScale:
    r"""Mean and deviation of every input over the examples so far, and these in their units.

    .. math::
        z_t = \mathrm{clip}\Big(\frac{x_t - \mu_t}{\sigma_t},\, -4,\, 4\Big)

    with the mean :math:`\mu_t` and the standard deviation :math:`\sigma_t` of the examples up to
    this one, itself among them. An input that has not varied is 0. Missing numbers (NaN) stay
    missing and are not counted.

    Source: Welford 1962, "Note on a method for calculating corrected sums of squares and products".

    Args:
        shape: of one batch of examples, such as B and n.
    """

    def __init__(self, *shape: int) -> None:
        self.count = torch.zeros(shape, dtype=torch.float64)
        self.mean = torch.zeros(shape, dtype=torch.float64)
        self.square = torch.zeros(shape, dtype=torch.float64)

    @property
    def deviation(self) -> Tensor:
        """The standard deviation of those seen."""
        return (self.square / self.count.clamp_min(1)).sqrt()

    def see(self, values: Tensor) -> None:
        """Take note of the next example, of the shape that was said."""
        values = values.double()
        known = ~values.isnan()
        self.count = self.count + known
        away = torch.where(known, values - self.mean, 0.0)
        self.mean = self.mean + away / self.count.clamp_min(1)
        self.square = self.square + away * torch.where(known, values - self.mean, 0.0)

    def scale(self, values: Tensor) -> Tensor:
        """An example in the units of those seen, cut off at 4 deviations."""
        deviation = self.deviation
        varies = deviation > CONSTANT * (1 + self.mean.abs())
        away = (values.double() - self.mean) / deviation.where(varies, 1.0)
        away = torch.where(varies | away.isnan(), away, 0.0)
        return away.clamp(-LARGEST, LARGEST).to(torch.get_default_dtype())

    def unscale(self, values: Tensor) -> Tensor:
        """The way back: numbers in the units of those seen, in their own, in float64."""
        return self.mean + self.deviation * values.double()

    def grow(self, num: int) -> None:
        """Count so many inputs more, of which nothing was seen."""
        for name, value in vars(self).items():
            setattr(self, name, torch.nn.functional.pad(value, (0, num)))

    def repeat(self, times: int) -> RunningScale:
        """That of a batch of one for each of so many, which go apart from here on."""
        copy = RunningScale()
        for name, value in vars(self).items():
            setattr(copy, name, value.expand(times, *value.shape[1:]))
        return copy


def scale_online(inputs: Float[Tensor, "T B n"]) -> Float[Tensor, "T B n"]:
    """Every example of a sequence as :class:`RunningScale` gives it when it is shown.

    Args:
        inputs: T examples of B sequences; NaN where a number is missing.
    """
    running, scaled = RunningScale(*inputs.shape[1:]), []
    for example in inputs:
        running.see(example)
        scaled.append(running.scale(example))
    return torch.stack(scaled).to(inputs.device)


def scale_together(values: Float[Tensor, "T *any n"]) -> Float[Tensor, "T *any n"]:
    """Inputs around their means, in units of their mean deviation, one for all inputs.

    So every input keeps its share, as in images; for a few examples of each of a few classes, which
    have no deviations of their own to go by. Cut off at 4, too.

    Args:
        values: examples, none missing.
    """
    deviation = values.std(dim=0, correction=0).mean(dim=-1, keepdim=True)
    away = (values - values.mean(dim=0)) / deviation.clamp_min(CONSTANT)
    return away.clamp(-LARGEST, LARGEST)
