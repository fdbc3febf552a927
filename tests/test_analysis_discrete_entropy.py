"""Joint entropies of symbols against their tables."""

from __future__ import annotations

import itertools
import math

import torch
from properties import uniform

from badger_graph.analysis import DiscreteEntropy


def test_the_entropy_of_symbols_is_that_of_their_table() -> None:
    """To a relative error of 1e-12; outcomes may be given in parts, symbols be any integers."""
    table = uniform(0, 3, 2, 4).abs()
    table = table / table.sum()
    outcomes = torch.cartesian_prod(*(torch.arange(n) for n in table.shape))
    labels = torch.tensor([-7, 0, 1000, 3])[outcomes]
    entropy = DiscreteEntropy(labels.repeat(2, 1), table.flatten().repeat(2) / 2)
    for order in itertools.permutations(range(3)):
        along = entropy(torch.tensor([order]))[0]
        for n in range(1, 4):
            others = [axis for axis in range(3) if axis not in order[:n]]
            marginal = table.sum(dim=others) if others else table
            expected = -(marginal * marginal.log()).sum()
            torch.testing.assert_close(along[n - 1], expected, rtol=1e-12, atol=0)


def test_the_entropy_of_samples_is_that_of_their_frequencies() -> None:
    symbols = torch.tensor([[0, 0], [0, 1], [1, 1], [1, 1]])
    expected = torch.tensor([[math.log(2), 1.5 * math.log(2)]], dtype=torch.float64)
    torch.testing.assert_close(DiscreteEntropy(symbols)(torch.tensor([[0, 1]])), expected)
