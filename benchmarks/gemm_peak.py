"""What the machine could do at best: the share of its peak that an outer step reaches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch

from benchmarks.sizes import Sizes

SIDES = {"GEMM 1024": 1024, "GEMM 2048": 2048}
"""The larger comes closer to the peak, the smaller is over before a busy machine interrupts it."""


def gemms() -> dict[str, Callable[[], object]]:
    """Products of two square float32 matrices, to be timed among what is compared with them."""
    return {
        name: partial(torch.mm, torch.randn(n, n), torch.randn(n, n), out=torch.empty(n, n))
        for name, n in SIDES.items()
    }


def gemm_peak(seconds: Mapping[str, Sequence[float]]) -> float:
    """The most operations per second that any product reached."""
    return max(2 * side**3 / min(seconds[name]) for name, side in SIDES.items())


def outer_step_flops(sizes: Sizes) -> int:
    r"""Useful operations of one outer step: those of matrix products, none done twice.

    .. math::
        3 \cdot 2 B \big( T \big[ N (2H^2 + 2HM + 3H(M + P) + 3H^2) + dH \big] + 3 N I H \big)

    In every inner step each expert computes one message (H to 2H to M) and its gates from message
    and percept (M + P to 3H) and from its state (H to 3H), and d experts are read out; what the
    identifiers (I) add to the gates is computed once for the rollout. A multiplication and an
    addition count two, the backward pass as much as two forward ones. The mean over in-neighbours,
    nonlinearities and Adam do not count.
    """
    policy = sizes.agent().policy
    assert isinstance(policy.percept_size, int)
    hidden, message = sizes.hidden_size, sizes.message_size
    expert = hidden * 2 * hidden + 2 * hidden * message  # its message
    expert += 3 * hidden * (message + policy.percept_size) + 3 * hidden * hidden  # its gates
    inner_step = sizes.num_experts * expert + sizes.num_outputs * hidden
    once = sizes.num_experts * 3 * hidden * policy.identifier_size
    return 3 * 2 * sizes.batch_size * (sizes.num_steps * inner_step + once)
