"""How well every frequency of a sum of waves is guessed: the F-principle."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from badger_graph.analysis.checks import UndefinedError, check_finite
from topologies.checks import checked


class WaveAmplitudes(NamedTuple):
    """Every frequency of a guess, relative to that of the target.

    The amplitude of a guess that is wrong at random is positive all the same; the part in phase
    is then zero on average.

    Shapes:
        - **amplitude:** ``[..., K]``, of frequencies 1 to K; 1 is right
        - **phase_error:** ``[..., K]`` in (-pi, pi]; 0 is right. A frequency that the guess does
          not have, amplitude 0, has phase error 0.
        - **in_phase:** ``[..., K]``, amplitude times the cosine of the phase error: how much of
          the target's own wave the guess holds; 1 is right if the phase is
    """

    amplitude: Float[Tensor, "*any K"]
    phase_error: Float[Tensor, "*any K"]
    in_phase: Float[Tensor, "*any K"]


@checked()
def wave_amplitudes(
    guess: Float[Tensor, "*any n"], target: Float[Tensor, "*any n"]
) -> WaveAmplitudes:
    r"""Amplitude and phase of every frequency of a guess, relative to the target.

    .. math::
        r_k = \frac{\sum_i x_i e^{-2 \pi \mathrm{i} k i / n}}
                   {\sum_i y_i e^{-2 \pi \mathrm{i} k i / n}},
        \qquad k = 1, \dots, K, \qquad n = 2 K + 1

    The amplitude is :math:`|r_k|`, the phase error :math:`\arg r_k`, their part in phase
    :math:`\mathrm{Re}\, r_k`. The mean of guess and target, k = 0, is left out.

    Source: Rabinowitz 2019, "Meta-learners' learning dynamics are unlike learners'"; Šimánek
    (blog), "F-principle": a frequency is solved when its amplitude reaches one.

    Args:
        guess: samples of waves, as in :class:`badger_graph.SumOfWaves`.
        target: what they should be.

    Raises:
        ValueError: when the two differ in shape, are empty, n is even or below 3, something is not
            finite, or the target lacks a frequency, so that nothing can be relative to it.
    """
    if guess.shape != target.shape:
        raise ValueError(
            "guess and target must have one shape, "
            f"got {list(guess.shape)} and {list(target.shape)}"
        )
    if guess.dim() == 0 or not guess.numel() or guess.size(-1) < 3 or guess.size(-1) % 2 == 0:
        raise ValueError(
            "frequencies need an odd number of samples, at least 3, of at least one signal, "
            f"got guess and target {list(guess.shape)}"
        )
    check_finite("guess and target", torch.stack([guess, target]))
    spectrum, target_spectrum = (torch.fft.rfft(x.double())[..., 1:] for x in (guess, target))
    # Rounding alone, of targets in float32, is about 1e-7 of the whole.
    missing = target_spectrum.abs() <= 1e-5 * target.double().norm(dim=-1, keepdim=True)
    if missing.any():
        frequencies = sorted({int(place[-1]) + 1 for place in missing.nonzero()})
        raise UndefinedError(f"the target must have every frequency, got none of {frequencies}")
    ratio = spectrum / target_spectrum
    amplitude = ratio.abs()
    check_finite("amplitudes relative to the target", amplitude)
    phase_error = ratio.angle().where(amplitude > 0, 0.0)  # else decided by the signs of zeros
    return WaveAmplitudes(amplitude, phase_error, ratio.real)
