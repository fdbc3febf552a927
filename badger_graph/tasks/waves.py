"""Guess the samples of a sum of waves that share one random phase."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from badger_graph.tasks.hidden_target import GuessingTask, HiddenTarget
from topologies.checks import check_numbers, checked, size


class SumOfWaves(HiddenTarget):
    r"""Guess n samples of the sum of all frequencies that n samples can hold, with one phase.

    With :math:`n = 2 K + 1` outputs and a phase :math:`\varphi` uniform in :math:`[0, 2 \pi)`,
    the same for all of a task, the targets are

    .. math::
        y_i = \sqrt{\frac{2}{3 K}} \sum_{k=1}^{K} \sin\Big(\frac{2 \pi k i}{n} + \varphi\Big),
        \qquad i = 0, \dots, n - 1

    Frequencies are orthogonal on these samples, so the mean square of the targets is exactly 1/3,
    whatever the phase: chance, always guessing zero, is that of the guessing game, and the first
    feedback says nothing (but for rounding, where it lies on the edge of a bin). The one number to
    find out is the phase. The largest target is at i = 0, up to :math:`\sqrt{2 K / 3}`, so the
    baselines of the guessing game, who know that targets lie in [-1, 1], do not apply.

    Which frequency is guessed how well: :func:`badger_graph.analysis.wave_amplitudes`.

    Source: Šimánek (blog), "How does the F-principle apply to Badger?": 41 numbers, or 11. Its
    formula is lost; this one has every frequency at the same amplitude.

    Args:
        bins: pass the feedback on in so many equal bins of [0, 1], as the middle of its bin;
            errors above 1 fall in the last one, and no gradient flows through it.

    Raises:
        ValueError: for fewer than two bins.
    """

    @checked(bins=size(2))
    def __init__(self, bins: int | None = None) -> None:
        super().__init__(bins=bins)

    @property
    def chance(self) -> float:
        return 1 / 3

    @checked(batch_size=size(), num_outputs=size())
    def sample(
        self, batch_size: int, num_outputs: int, generator: torch.Generator | None = None
    ) -> GuessingTask:
        """Sample a batch of tasks.

        Raises:
            ValueError: when the number of outputs is even or below 3.
        """
        device = generator.device if generator is not None else None
        turns = torch.rand(batch_size, generator=generator, device=device)
        return GuessingTask(waves(2 * math.pi * turns, num_outputs), self)


@checked(num_outputs=size())
def waves(phase: Float[Tensor, " B"], num_outputs: int) -> Float[Tensor, "B n"]:
    """The targets of :class:`SumOfWaves` for given phases.

    Raises:
        ValueError: when the number of outputs is even or below 3.
    """
    if num_outputs < 3 or num_outputs % 2 == 0:
        raise ValueError(
            "num_outputs must be odd and at least 3, n = 2 K + 1 samples for K frequencies, "
            f"got {num_outputs}"
        )
    num_waves = num_outputs // 2
    check_numbers("waves", tasks=len(phase), num_waves=num_waves, num_outputs=num_outputs)
    frequency = torch.arange(1, num_waves + 1, device=phase.device)
    sample = torch.arange(num_outputs, device=phase.device)
    # Whole turns are dropped while they are integers: exact for any n.
    turns = (frequency[:, None] * sample % num_outputs).to(phase.dtype) / num_outputs
    angle = 2 * math.pi * turns + phase[:, None, None]  # [B, K, n]
    return math.sqrt(2 / (3 * num_waves)) * angle.sin().sum(dim=1)
