"""Times that can be compared on a machine that others use too."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence

WARM_UP = 3


def interleave(
    steps: Mapping[str, Callable[[], object]],
    rounds: int,
    warm_up: int = WARM_UP,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Seconds of every step: each round runs each of them once, in random order.

    A slow moment of the machine then hits all alike. Medians say what to expect beside other
    work, minima what the machine can do.

    Args:
        steps: what to time, by name.
        rounds: timed runs of each.
        warm_up: rounds before them that are not timed.
        clock: of wall time, or ``time.process_time`` for CPU time.
    """
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    order = random.Random(0)
    for index in range(warm_up + rounds):
        for name in order.sample(list(steps), len(steps)):
            elapsed = seconds_of(steps[name], clock)
            if index >= warm_up:
                seconds[name].append(elapsed)
    return seconds


def seconds_of(step: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    start = clock()
    step()
    return clock() - start


def speed_of_medians(seconds: Sequence[float], peer: Sequence[float]) -> float:
    """How many times as fast as the peer, by the medians."""
    return statistics.median(peer) / statistics.median(seconds)


def speed_of_minima(seconds: Sequence[float], peer: Sequence[float]) -> float:
    """How many times as fast as the peer, by the minima."""
    return min(peer) / min(seconds)
