"""Players of Bernoulli bandits with uniform means, who know that they are, and the optimum."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache, lru_cache

import numpy as np
from jaxtyping import Float, Int

Rule = Callable[
    [Int[np.ndarray, "lives d"], Int[np.ndarray, "lives d"], int, np.random.Generator],
    Float[np.ndarray, "lives d"],
]
"""Of successes and failures of each arm, the number of pulls left and a source of random numbers,
how good each arm is to pull; the best is pulled."""

WIDTHS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0)
"""Of the bounds of UCB; the best of them in hindsight is what agents are compared with."""

PLAYERS = 1
"""What is appended to a seed, so that what players draw has nothing to do with their bandits."""


def play(
    value: Float[np.ndarray, "lives d"], num_pulls: int, rule: Rule, seed: int
) -> Float[np.ndarray, "T lives"]:
    """The mean of the arm that each life of a player pulls, pull by pull.

    Args:
        value: the probability that each arm pays.
        num_pulls: T.
        rule: of the player; ties are broken at random.
        seed: of rewards and of what the player draws.
    """
    rng = np.random.default_rng((seed, PLAYERS))
    won = np.zeros(value.shape, dtype=np.int32)
    lost = np.zeros_like(won)
    life, pulled = np.arange(len(value)), np.empty((num_pulls, len(value)))
    for pull in range(num_pulls):
        worth = rule(won, lost, num_pulls - pull, rng)
        arm = (worth + 1e-6 * rng.random(worth.shape)).argmax(axis=1)
        success = rng.random(len(value)) < value[life, arm]
        won[life, arm] += success
        lost[life, arm] += ~success
        pulled[pull] = value[life, arm]
    return pulled


def greedy(won: np.ndarray, lost: np.ndarray, left: int, rng: np.random.Generator) -> np.ndarray:
    """The posterior mean of each arm."""
    return (won + 1) / (won + lost + 2)


def thompson(won: np.ndarray, lost: np.ndarray, left: int, rng: np.random.Generator) -> np.ndarray:
    """A draw from the posterior of each arm.

    Source: Thompson 1933, "On the likelihood that one unknown probability exceeds another".
    """
    return rng.beta(won + 1, lost + 1)


def ucb(width: float) -> Rule:
    r"""The posterior mean and a bound that narrows, after every arm was tried once.

    .. math::
        \frac{s_j + 1}{n_j + 2} + c \sqrt{\frac{\log \sum_i n_i}{n_j}}

    with :math:`s_j` successes of :math:`n_j` pulls.

    Source: Auer et al. 2002, "Finite-time analysis of the multiarmed bandit problem".

    Args:
        width: c.
    """

    def worth(won: np.ndarray, lost: np.ndarray, left: int, rng: np.random.Generator) -> np.ndarray:
        count = won + lost
        time = np.log(np.maximum(count.sum(axis=1, keepdims=True), 1))
        bound = (won + 1) / (count + 2) + width * np.sqrt(time / np.maximum(count, 1))
        return np.where(count == 0, 10.0, bound)

    return worth


def tuned_ucb(value: Float[np.ndarray, "lives d"], num_pulls: int, seed: int) -> float:
    """The width that wins most on these bandits, or the first 4,000 of them, in hindsight."""
    some = value[:4000]
    return max(WIDTHS, key=lambda width: float(play(some, num_pulls, ucb(width), seed).mean()))


@lru_cache(maxsize=1)  # an index knows of no other arm: one table serves any number of them
def gittins(num_pulls: int, levels: int = 400) -> Rule:
    """The finite-horizon Gittins index: the sure reward for which one would as well stop pulling.

    Source: Niño-Mora 2011, "Computing a classical index for finite-horizon bandits".

    Args:
        num_pulls: T; memory grows with its cube.
        levels: so many sure rewards are tried, evenly from 0 to 1.
    """
    index = np.zeros((num_pulls + 1, num_pulls + 1, num_pulls + 1), dtype=np.float16)
    won, lost = np.ogrid[: num_pulls + 1, : num_pulls + 1]
    chance = ((won + 1) / (won + lost + 2)).astype(np.float32)
    for level in np.linspace(0, 1, levels + 1)[1:]:
        after = np.zeros((num_pulls + 1, num_pulls + 1), dtype=np.float32)
        for left in range(1, num_pulls + 1):
            size = num_pulls - left + 1
            p = chance[:size, :size]
            pull = p * (1 + after[1 : size + 1, :size]) + (1 - p) * after[:size, 1 : size + 1]
            sure = level * left
            index[left, :size, :size][pull >= sure - 1e-6] = level
            after = np.maximum(pull, sure)

    def worth(won: np.ndarray, lost: np.ndarray, left: int, rng: np.random.Generator) -> np.ndarray:
        return index[left][won, lost].astype(np.float32)

    return worth


def optimum(num_arms: int, num_pulls: int) -> float:
    """What the best possible player wins in the mean, by dynamic programming over all it may know.

    Takes minutes for more than a dozen pulls.

    Args:
        num_arms: arms d.
        num_pulls: T.
    """

    @cache
    def value(tried: tuple[tuple[int, int], ...], left: int) -> float:
        if not left:
            return 0.0
        candidates = {*tried, (0, 0)} if len(tried) < num_arms else {*tried}
        best = -math.inf
        for won, lost in candidates:
            others = list(tried)
            if (won, lost) != (0, 0):
                others.remove((won, lost))
            after = [tuple(sorted([*others, arm])) for arm in ((won + 1, lost), (won, lost + 1))]
            p = (won + 1) / (won + lost + 2)
            win = p * (1 + value(after[0], left - 1)) + (1 - p) * value(after[1], left - 1)
            best = max(best, win)
        return best

    return value((), num_pulls)
