"""Dynamic modes of linear systems whose eigenvalues are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from properties import uniform
from torch import Tensor

from badger_graph.analysis import dynamic_modes, oscillating_share


def rotation(radius: float, frequency: float) -> Tensor:
    angle = torch.tensor(2 * math.pi * frequency, dtype=torch.float64)
    return radius * torch.stack(
        [torch.stack([angle.cos(), -angle.sin()]), torch.stack([angle.sin(), angle.cos()])]
    )


def diagonal(*values: float) -> Tensor:
    return torch.diag(torch.tensor(values, dtype=torch.float64))


def course(system: Tensor, first: Tensor, num_steps: int) -> Tensor:
    """``[..., T, n]``, from one or several first snapshots."""
    snapshots = [first]
    for _ in range(num_steps - 1):
        snapshots.append(snapshots[-1] @ system.T)
    return torch.stack(snapshots, dim=-2)


BLOCKS = torch.block_diag(diagonal(1.05, 0.8, -0.6), rotation(0.95, 1 / 8))
BASIS = uniform(0, 9, 5)  # five directions of nine, not orthogonal
SYSTEM = BASIS @ BLOCKS @ torch.linalg.pinv(BASIS)
SNAPSHOTS = course(SYSTEM, BASIS @ uniform(1, 5), 30)


def test_two_snapshots_are_a_system() -> None:
    modes = dynamic_modes(course(diagonal(0.7), torch.ones(1).double(), 2))
    assert modes.eigenvalues.real.tolist() == pytest.approx([0.7])


def test_eigenvalues_of_a_linear_system() -> None:
    modes = dynamic_modes(SNAPSHOTS)
    turned = 0.95 * complex(math.cos(math.pi / 4), math.sin(math.pi / 4))
    expected = torch.tensor([1.05, turned, turned.conjugate(), 0.8, -0.6], dtype=torch.complex128)
    torch.testing.assert_close(modes.eigenvalues, expected, atol=1e-8, rtol=0)
    frequency = torch.tensor([0, 1 / 8, 1 / 8, 0, 1 / 2], dtype=torch.float64)
    torch.testing.assert_close(modes.frequency, frequency, atol=1e-8, rtol=0)
    growth = torch.tensor([1.05, 0.95, 0.95, 0.8, 0.6], dtype=torch.float64).log()
    torch.testing.assert_close(modes.growth, growth, atol=1e-8, rtol=0)
    assert modes.residual < 1e-10


def test_modes_are_eigenvectors_and_give_the_course_back() -> None:
    modes = dynamic_modes(SNAPSHOTS)
    carried = SYSTEM.to(modes.modes) @ modes.modes
    torch.testing.assert_close(carried, modes.modes * modes.eigenvalues, atol=1e-8, rtol=0)
    torch.testing.assert_close(modes.modes.norm(dim=0), torch.ones(5).double())
    powers = modes.eigenvalues ** torch.arange(30)[:, None]
    again = (modes.amplitudes * powers) @ modes.modes.T
    torch.testing.assert_close(again.real, SNAPSHOTS, atol=1e-8, rtol=0)
    torch.testing.assert_close(again.imag, torch.zeros(30, 9).double(), atol=1e-8, rtol=0)


def test_several_rollouts_share_one_map() -> None:
    """Three snapshots of each are too few for five directions, six rollouts are enough."""
    rollouts = course(SYSTEM, uniform(2, 6, 5) @ BASIS.T, 3)
    modes = dynamic_modes(rollouts)
    expected = dynamic_modes(SNAPSHOTS).eigenvalues
    torch.testing.assert_close(modes.eigenvalues, expected, atol=1e-8, rtol=0)
    assert modes.amplitudes.shape == (6, 5)
    first = (modes.amplitudes @ modes.modes.T).real
    torch.testing.assert_close(first, rollouts[:, 0], atol=1e-8, rtol=0)


def test_the_map_of_noisy_snapshots_is_that_of_least_squares() -> None:
    noisy = (SNAPSHOTS + 0.01 * uniform(3, 30, 9))[:, :4]
    modes = dynamic_modes(noisy)
    fitted, *_ = np.linalg.lstsq(noisy[:-1].numpy(), noisy[1:].numpy(), rcond=None)
    expected = np.sort_complex(np.linalg.eigvals(fitted))
    np.testing.assert_allclose(np.sort_complex(modes.eigenvalues.numpy()), expected, atol=1e-10)
    missed = noisy[1:].numpy() - noisy[:-1].numpy() @ fitted
    relative = np.linalg.norm(missed) / np.linalg.norm(noisy[1:].numpy())
    assert modes.residual == pytest.approx(relative, abs=1e-10)


def test_a_lower_rank_keeps_what_is_largest() -> None:
    system = diagonal(0.9, 0.5)
    snapshots = course(system, torch.tensor([1.0, 1e-3], dtype=torch.float64), 20)
    modes = dynamic_modes(snapshots, rank=1)
    assert modes.eigenvalues[0].real.item() == pytest.approx(0.9, abs=1e-4)
    assert 0 < modes.residual < 1e-2


def test_what_stays_has_the_eigenvalue_one() -> None:
    decay = course(diagonal(0.7), torch.ones(1).double(), 15)
    modes = dynamic_modes(torch.cat([3 + decay, 5 - decay], dim=-1))
    expected = torch.tensor([1.0, 0.7], dtype=torch.complex128)
    torch.testing.assert_close(modes.eigenvalues, expected, atol=1e-8, rtol=0)


def test_a_part_that_is_gone_after_one_step() -> None:
    system = diagonal(0.9, 0.0)
    modes = dynamic_modes(course(system, torch.ones(2).double(), 10))
    assert modes.modes.isfinite().all()
    assert modes.eigenvalues.abs()[1] < 1e-12
    again = modes.modes @ modes.amplitudes
    torch.testing.assert_close(again.real, torch.ones(2).double(), atol=1e-10, rtol=0)


# ------------------------------------------------------------------------------- oscillations


@pytest.mark.parametrize(
    ("system", "share"),
    [
        (rotation(1.0, 1 / 8), 1.0),
        (rotation(0.98, 1 / 10), 1.0),
        (diagonal(-0.9, -0.8), 1.0),  # to and fro in every step
        (diagonal(0.9, 0.5), 0.0),
        (rotation(0.5, 1 / 8), 0.0),  # 0.18 cycles until it fades by e
        (rotation(1.0, 1 / 400), 0.0),  # a tenth of a cycle in the whole rollout
    ],
)
def test_the_oscillating_share_of_one_kind_of_motion(system: Tensor, share: float) -> None:
    modes = dynamic_modes(course(system, torch.ones(2).double(), 40))
    assert oscillating_share(modes) == pytest.approx(share, abs=1e-9)


def test_the_oscillating_share_of_both() -> None:
    """A turn of 1/8 on a circle of radius 1 moves by 2 sin(pi / 8); the decay from 2 at 0.9."""
    system = torch.block_diag(rotation(1.0, 1 / 8), diagonal(0.9))
    snapshots = course(system, torch.tensor([1.0, 0, 2]).double(), 40)
    turning = 39 * (2 * math.sin(math.pi / 8)) ** 2
    falling = sum((2 * 0.1 * 0.9**t) ** 2 for t in range(39))
    share = turning / (turning + falling)
    assert oscillating_share(dynamic_modes(snapshots)) == pytest.approx(share, abs=1e-9)
    moved = torch.cat([snapshots, torch.ones(40, 1).double()], dim=1)  # and something that stays
    assert oscillating_share(dynamic_modes(moved)) == pytest.approx(share, abs=1e-9)


def test_more_cycles_may_be_asked_for() -> None:
    modes = dynamic_modes(course(rotation(1.0, 1 / 8), torch.ones(2).double(), 17))
    assert oscillating_share(modes, least_cycles=2.1) == pytest.approx(1)
    assert oscillating_share(modes, least_cycles=2.2) == pytest.approx(0)
