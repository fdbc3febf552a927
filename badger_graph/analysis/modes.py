"""Which modes the inner loop moves in, and whether any of them oscillates."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from badger_graph.analysis.checks import UndefinedError, check_finite
from topologies.checks import POSITIVE, checked


class Modes(NamedTuple):
    r"""A linear map that carries snapshots on, by its eigenvalues and eigenvectors.

    .. math::
        x_{t} \approx \sum_k b_k \lambda_k^t \phi_k

    Modes that last longest come first, the two of a conjugate pair together.

    Args:
        eigenvalues: :math:`\lambda`, ``[r]``
        modes: :math:`\phi`, ``[n, r]``, of length 1
        amplitudes: :math:`b`, ``[*R, r]``, of every rollout's first snapshot
        residual: of the one-step prediction, relative to what is predicted: 0 for a linear map
            that the rank can hold, 1 for a prediction as good as zeros
        num_steps: snapshots T of a rollout
    """

    eigenvalues: Complex[Tensor, " r"]
    modes: Complex[Tensor, "n r"]
    amplitudes: Complex[Tensor, "*R r"]
    residual: float
    num_steps: int

    @property
    def frequency(self) -> Float[Tensor, " r"]:
        """Cycles per step, from 0 to 1/2, where the sign changes at every step."""
        return self.eigenvalues.angle().abs() / (2 * math.pi)

    @property
    def growth(self) -> Float[Tensor, " r"]:
        """Logarithm of the factor per step, in nats: negative for a mode that decays."""
        return self.eigenvalues.abs().log()

    @property
    def cycles(self) -> Float[Tensor, " r"]:
        """Cycles of each mode before it is e times as small, or large, or the rollout ends."""
        return self.frequency * (1 / self.growth.abs()).clamp(max=self.num_steps)


@checked()
def dynamic_modes(snapshots: Float[Tensor, "*R T n"], rank: int | None = None) -> Modes:
    r"""Exact dynamic mode decomposition of one rollout or of several that share one map.

    .. math::
        X = U \Sigma V^*, \qquad
        U^* Y V \Sigma^{-1} w = \lambda w, \qquad
        \phi \propto Y V \Sigma^{-1} w

    with the snapshots but the last of each rollout in the columns of X, those that follow in Y,
    and U, V cut to the rank. A part that stays as it is has the eigenvalue 1.

    Source: Tu et al. 2014, "On dynamic mode decomposition: theory and applications", algorithm 2;
    Schmid 2010.

    Args:
        snapshots: of one rollout or, with one more dimension in front, of several.
        rank: r, the directions in which the map is fitted; by default all that are not rounding.

    Raises:
        ValueError: when there are other dimensions, fewer than two snapshots, values that are not
            finite or all zero, or a rank that the snapshots do not have.
    """
    if snapshots.dim() not in (2, 3) or not snapshots.numel():
        raise ValueError(f"snapshots must be [T, n] or [R, T, n], got {list(snapshots.shape)}")
    num_steps = snapshots.size(-2)
    if num_steps < 2:
        raise ValueError(f"a rollout must have at least two snapshots, got {num_steps}")
    check_finite("snapshots", snapshots)
    snapshots = snapshots.detach().double()
    now = snapshots[..., :-1, :].reshape(-1, snapshots.size(-1)).T
    following = snapshots[..., 1:, :].reshape(-1, snapshots.size(-1)).T
    if not now.any() or not following.any():
        raise UndefinedError("snapshots must not all be zero, nothing moves there")
    left, singular, right = torch.linalg.svd(now, full_matrices=False)
    rounding = max(now.shape) * torch.finfo(now.dtype).eps * singular[0]
    full = int((singular > rounding).sum())
    rank = full if rank is None else rank
    if not 1 <= rank <= full:
        raise ValueError(f"rank must be from 1 to the rank of the snapshots, {full}, got {rank}")
    left, right = left[:, :rank], right[:rank]
    carried = following @ right.T / singular[:rank]
    eigenvalues, inner = torch.linalg.eig(left.T @ carried)
    order = eigenvalues.abs().argsort(descending=True, stable=True)
    eigenvalues, inner = eigenvalues[order], inner[:, order]
    modes = _unit(carried.to(inner) @ inner, otherwise=left.to(inner) @ inner)
    first = snapshots[..., 0, :].reshape(-1, snapshots.size(-1)).T.to(modes)
    amplitudes = (torch.linalg.pinv(modes) @ first).T
    missed = following - following @ right.T @ right
    return Modes(
        eigenvalues,
        modes,
        amplitudes.reshape(*snapshots.shape[:-2], rank),
        (missed.norm() / following.norm()).item(),
        num_steps,
    )


@checked(least_cycles=POSITIVE)
def oscillating_share(modes: Modes, least_cycles: float = 1.0) -> float:
    r"""How much of the motion is carried by modes that oscillate.

    .. math::
        \frac{\sum_t |o_t|^2}{\sum_t |o_t|^2 + \sum_t |r_t|^2}, \qquad
        o_t = \sum_{k \text{ oscillates}} b_k (\lambda_k - 1) \lambda_k^t \phi_k

    with :math:`r_t` the same sum over the others: the steps :math:`x_{t+1} - x_t` of each part, so
    that where something stays does not count. A mode oscillates that runs through at least
    ``least_cycles`` before it fades by a factor e, or the rollout ends: a spiral that is gone
    within its first turn, or turns too slowly to be seen turning, does not.

    Source: the question is the blog's ("Dynamic Mode Decomposition"), the measure ours.

    Raises:
        ValueError: when ``least_cycles`` is not positive, nothing moves, or all numbers are too
            small for how it grows.
    """
    # Rounding must not decide whether one whole cycle is one.
    oscillates = modes.cycles >= least_cycles * (1 - 1e-9)
    oscillating, other = _motion(modes, oscillates), _motion(modes, ~oscillates)
    motion = oscillating + other
    if not 1e-24 * modes.amplitudes.abs().square().sum().item() < motion < math.inf:
        raise UndefinedError(
            f"the modes must move, and not beyond all numbers, got {motion:g} in all"
        )
    return oscillating / motion


def _motion(modes: Modes, mask: Tensor) -> float:
    """Squared length of all steps of the chosen modes."""
    eigenvalues, shapes = modes.eigenvalues[mask], modes.modes[:, mask]
    time = torch.arange(modes.num_steps - 1, device=shapes.device)
    course = eigenvalues ** time[:, None] * (eigenvalues - 1)  # [T - 1, chosen]
    steps = (modes.amplitudes[..., None, mask] * course) @ shapes.T
    return steps.abs().square().sum().item()


def _unit(
    modes: Complex[Tensor, "n r"], otherwise: Complex[Tensor, "n r"]
) -> Complex[Tensor, "n r"]:
    """Of length 1; a mode that is gone after one step is known by where it was before."""
    length = modes.norm(dim=0)
    vanishes = length <= 1e-12 * length.max()
    modes = torch.where(vanishes, otherwise, modes)
    return modes / modes.norm(dim=0)
