"""Means over seeds, and how sure they are."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from scipy.stats import t as student


def mean_and_bar(values: Sequence[float], alone: float = 0.0) -> tuple[float, float]:
    r"""The mean over seeds and its standard error, :math:`s / \sqrt n`.

    Args:
        values: one a seed.
        alone: the bar of a single value.

    Raises:
        ValueError: when there is no value.
    """
    if not values:
        raise ValueError("a mean needs at least one value, got none")
    if len(values) == 1:
        return values[0], alone
    return statistics.mean(values), statistics.stdev(values) / math.sqrt(len(values))


def interval(values: Sequence[float]) -> tuple[float, float]:
    """The mean over seeds and half of its 95% interval, by Student's t; of one seed none, zero."""
    mean, bar = mean_and_bar(values)
    seeds = len(values)
    return mean, float(student.ppf(0.975, seeds - 1)) * bar if seeds > 1 else 0.0
