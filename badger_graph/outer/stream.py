"""The endless, seeded stream of tasks."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import numpy as np

TRAINING, VALIDATION, LESSONS, REDRAWN = range(4)
"""The streams of a run: what its rollouts, validation and curriculum draw."""


def task_seed(seed: int, stream: int, rank: int, index: int) -> int:
    """The seed of everything random in one rollout: its tasks, graphs, identifiers, states.

    A function of the place in the stream alone, so that a resumed run goes on with the very
    draws that an uninterrupted one would make, and no random state has to be saved.
    """
    words = np.random.SeedSequence((seed, stream, rank, index)).generate_state(2)
    return (int(words[0]) << 31) | int(words[1] >> 1)


class TaskStream:
    """Endless seeds, one for each outer step; the learner draws from them on its own device.

    Ranks get different seeds.

    Args:
        seed: seed of the run.
        rank: this process among those that train together.
        start: outer steps already done.
    """

    def __init__(self, seed: int, rank: int = 0, start: int = 0) -> None:
        self.seed = seed
        self.rank = rank
        self.start = start

    def __iter__(self) -> Iterator[int]:
        for index in count(self.start):
            yield task_seed(self.seed, TRAINING, self.rank, index)


def validation_seeds(seed: int, num_batches: int, rank: int = 0, world_size: int = 1) -> list[int]:
    """The fixed seeds of the validation batches, dealt out to the ranks in turn."""
    seeds = [task_seed(seed, VALIDATION, 0, index) for index in range(num_batches)]
    return seeds[rank::world_size]
