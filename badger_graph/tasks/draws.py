"""What made-up tables are made of: random inputs, as real ones come."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor


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


def correlated(draw: Draw, sizes: tuple[int, int, int], even: bool) -> Float[Tensor, "T B n"]:
    """Inputs of variance about one, more or less correlated.

    Args:
        draw: source of the random numbers.
        sizes: T, B and n.
        even: mix uniform numbers, not normal ones.
    """
    _, batch_size, num_inputs = sizes
    values = (draw.uniform(*sizes) - 0.5) * math.sqrt(12) if even else draw.normal(*sizes)
    mixing = draw.normal(batch_size, num_inputs, num_inputs) / math.sqrt(num_inputs)
    share = draw.uniform(batch_size, 1, 1)
    mixing = share * torch.eye(num_inputs, device=draw.device) + (1 - share) * mixing
    return torch.einsum("tbn,bnm->tbm", values, mixing)


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


def in_units(draw: Draw, inputs: Float[Tensor, "T B n"]) -> Float[Tensor, "T B n"]:
    """Inputs stretched and shifted, each by numbers of its own, ``[T, B, n]``.

    In a fifth of the draws some inputs take two values only, and in a fifth numbers are missing.
    """
    _, batch_size, num_inputs = inputs.shape
    if draw.chance(0.2):
        coarse = draw.uniform(batch_size, num_inputs) < 0.5
        inputs = inputs.where(~coarse, (inputs > 0).to(inputs))
    unit = torch.exp(2 * draw.normal(batch_size, num_inputs))
    inputs = unit * (inputs + 3 * draw.normal(batch_size, num_inputs))
    if draw.chance(0.2):
        share = 0.4 * draw.uniform(batch_size, 1)
        inputs = inputs.where(draw.uniform(*inputs.shape) >= share, math.nan)
    return inputs
