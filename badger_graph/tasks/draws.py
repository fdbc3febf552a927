"""What made-up tables are made of: random inputs, as real ones come."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

WAVES = 64
"""Random features of one function; with so many it is nearly a sample of a Gaussian process."""


class Draw:
    """Random numbers of one generator, on its device.

    ``normal(*shape)`` and ``uniform(*shape)`` are tensors, the latter in [0, 1).

    Args:
        generator: none for PyTorch's own, on the CPU.
    """

    def __init__(self, generator: Generator | None) -> None:
        self.generator = generator
        device = generator.device if generator is not None else None
        self.normal: Callable[..., Tensor] = partial(self._call, torch.randn, device=device)
        self.uniform: Callable[..., Tensor] = partial(self._call, torch.rand, device=device)
        self.device = device

    def _call(
        self, function: Callable[..., Tensor], *shape: int, device: torch.device | None
    ) -> Tensor:
        return function(shape, generator=self.generator, device=device)

    def number(self) -> float:
        """One number, uniform in [0, 1)."""
        return float(self.uniform(1))

    def chance(self, probability: float) -> bool:
        """Whether something of that probability happens."""
        return self.number() < probability

    def whole(self, low: int, high: int) -> int:
        """A whole number, each from ``low`` to ``high`` as likely."""
        return min(high, low + int(self.number() * (high - low + 1)))

    def labels(self, num: int, *shape: int) -> Int[Tensor, " *shape"]:
        """Whole numbers from 0 to ``num - 1``."""
        return torch.randint(num, shape, generator=self.generator, device=self.device)


def mixing_matrix(draw: Draw, batch_size: int, num_inputs: int) -> Float[Tensor, "B n n"]:
    r"""What makes correlated inputs of independent factors, of variance about one.

    In half of the draws all factors count alike, and each input has more or less of its own; in the
    others the k-th factor counts :math:`k^{-\alpha}`, :math:`\alpha` up to 1.2, as in pictures.

    Args:
        draw: source of the random numbers.
        batch_size: agents B.
        num_inputs: inputs n.
    """
    mix = draw.normal(batch_size, num_inputs, num_inputs)
    if draw.chance(0.5):
        share = draw.uniform(batch_size, 1, 1)
        own = torch.eye(num_inputs, device=draw.device)
        return share * own + (1 - share) * mix / math.sqrt(num_inputs)
    order = torch.arange(1, num_inputs + 1, device=draw.device).log()
    mix = mix * torch.exp(-1.2 * draw.uniform(batch_size, 1, 1) * order[:, None])
    return mix / mix.norm(dim=1, keepdim=True)


def factors(draw: Draw, sizes: tuple[int, int, int], even: bool) -> Float[Tensor, "T B n"]:
    """Independent numbers of mean zero and variance one, uniform if ``even``, else normal."""
    return (draw.uniform(*sizes) - 0.5) * math.sqrt(12) if even else draw.normal(*sizes)


def mix_factors(
    hidden: Float[Tensor, "T B n"], mix: Float[Tensor, "B n n"]
) -> Float[Tensor, "T B n"]:
    """Inputs that have their factors in common."""
    return torch.einsum("tbn,bnm->tbm", hidden, mix)


def relevant(draw: Draw, batch_size: int, num_inputs: int, least: float) -> Float[Tensor, "B n"]:
    """Which inputs have to do with the truth, 1 or 0; at least one has.

    Args:
        draw: source of the random numbers.
        batch_size: agents B.
        num_inputs: inputs n.
        least: of a task's share of relevant inputs, which is drawn uniformly.
    """
    share = draw.uniform(batch_size, 1).clamp_min(least)
    chosen = draw.uniform(batch_size, num_inputs) < share
    chosen[:, 0] |= ~chosen.any(dim=1)
    return chosen.float()


def bend(draw: Draw, inputs: Float[Tensor, "T B n"]) -> Float[Tensor, "T B n"]:
    """Inputs as the world shows them, ``[T, B, n]``.

    In four tenths of the draws inputs are skewed, as areas and amounts are, exponentials of what
    they were; in three tenths they are cut off below, as the ink of pictures is; and in a fifth
    some take two values only.
    """
    _, batch_size, num_inputs = inputs.shape
    if draw.chance(0.4):
        skew = draw.uniform(batch_size, 1)
        inputs = torch.exp(skew * inputs / (inputs.std(dim=0) + 1e-3))
    if draw.chance(0.3):
        inputs = (inputs + draw.normal(batch_size, num_inputs) - 0.5).relu()
    if draw.chance(0.2):
        coarse = draw.uniform(batch_size, num_inputs) < 0.5
        inputs = inputs.where(~coarse, (inputs > 0).to(inputs))
    return inputs


def in_units(draw: Draw, inputs: Float[Tensor, "T B n"]) -> Float[Tensor, "T B n"]:
    """Inputs stretched and shifted, each by numbers of its own; in a fifth some are missing."""
    _, batch_size, num_inputs = inputs.shape
    unit = torch.exp(2 * draw.normal(batch_size, num_inputs))
    inputs = unit * (inputs + 3 * draw.normal(batch_size, num_inputs))
    if draw.chance(0.2):
        share = 0.4 * draw.uniform(batch_size, 1)
        inputs = inputs.where(draw.uniform(*inputs.shape) >= share, math.nan)
    return inputs


def random_waves(
    draw: Draw, inputs: Float[Tensor, "T B n"], length: Float[Tensor, "B 1 1"], num: int
) -> Float[Tensor, "T B d"]:
    """Samples of a Gaussian process of variance one, nearly: sums of cosines.

    Its kernel is the squared exponential one.

    Source: Rahimi and Recht 2007, "Random features for large-scale kernel machines".

    Args:
        draw: source of the random numbers.
        inputs: where the functions are asked for.
        length: of the kernel, in each life.
        num: functions d of each life.
    """
    _, batch_size, num_inputs = inputs.shape
    frequency = draw.normal(batch_size, num_inputs, WAVES) / length
    phase = 2 * math.pi * draw.uniform(batch_size, WAVES)
    waves = torch.cos(torch.einsum("tbn,bnw->tbw", inputs, frequency) + phase)
    amplitude = draw.normal(batch_size, WAVES, num)
    return math.sqrt(2 / WAVES) * torch.einsum("tbw,bwd->tbd", waves, amplitude)
