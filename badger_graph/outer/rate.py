"""The learning rate from one outer step to the next."""

from __future__ import annotations

import math

import torch


def cosine_decay(progress: float, start: float) -> float:
    """From 1 to 0 along half a cosine.

    Args:
        progress: the part of training that is done.
        start: the part after which it begins.
    """
    part = (progress - start) / (1 - start)
    return (1 + math.cos(math.pi * min(max(part, 0.0), 1.0))) / 2


def set_learning_rate(
    optimizer: torch.optim.Optimizer, rate: float | None, decay: float | None
) -> None:
    """Make an optimiser take its next step at this rate, or at its own, times the decay.

    Its own is kept beside it, under the name that the schedulers of torch use, so that it is found
    again in a checkpoint.
    """
    scheduled = rate is not None or decay is not None
    for group in optimizer.param_groups:
        if scheduled or "initial_lr" in group:  # a schedule may have been given up meanwhile
            own = group.setdefault("initial_lr", group["lr"])
            group["lr"] = (own if rate is None else rate) * (1.0 if decay is None else decay)
