"""A channel of your own."""

import torch
from torch import Generator, Tensor

from badger_graph import Channel


class NoisyChannel(Channel):
    r"""Normal noise of its own on every message, :math:`m + \sigma \epsilon`.

    Args:
        sigma: standard deviation of the noise.
    """

    def __init__(self, sigma: float = 0.1) -> None:
        super().__init__()
        self.sigma = sigma

    def forward(self, sent: Tensor, generator: Generator | None = None) -> Tensor:
        return sent + self.sigma * torch.empty_like(sent).normal_(generator=generator)
