"""How much is uncertain of states that are symbols."""

from __future__ import annotations

from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from badger_graph.analysis.checks import check_shape
from badger_graph.analysis.entropy import JointEntropy
from topologies.checks import checked


@final
class DiscreteEntropy(JointEntropy):
    r"""Of states that are symbols: exact from a table, the plug-in estimate from samples.

    .. math:: H = -\sum_x p(x) \ln p(x)

    Args:
        symbols: S outcomes, the symbols of N experts in each; the same may come more than once.
        probability: of each outcome; without it, all count alike, as samples do.

    Raises:
        ValueError: when symbols are no such table of integers, there is no outcome, or the
            probabilities are not S numbers that are not negative and sum to 1.
    """

    @checked()
    def __init__(
        self, symbols: Int[Tensor, "S N"], probability: Float[Tensor, " S"] | None = None
    ) -> None:
        check_shape("symbols", symbols, "outcomes", "experts")
        super().__init__(symbols.size(1))
        if probability is None:
            probability = torch.full((len(symbols),), 1 / len(symbols), dtype=torch.float64)
        if probability.shape != (len(symbols),):
            raise ValueError(
                f"each of the {len(symbols)} outcomes needs one probability, "
                f"got the shape {tuple(probability.shape)}"
            )
        total = float(probability.sum())
        if not ((probability >= 0).all() and abs(total - 1) < 1e-6):
            raise ValueError(
                "probabilities must not be negative and must sum to 1, "
                f"got a smallest one of {float(probability.min()):.3g} and a sum of {total:.9g}"
            )
        self.symbols = symbols
        self.probability = probability.to(symbols.device).double()

    def _entropies(self, orders: Int[Tensor, "K n"]) -> Float[Tensor, "K n"]:
        columns = [column.unique(return_inverse=True)[1] for column in self.symbols.unbind(1)]
        entropies = [self._along([columns[i] for i in order]) for order in orders.tolist()]
        return torch.stack(entropies)

    def _along(self, columns: list[Tensor]) -> Tensor:
        """Entropies of the first 1, 2, ... columns, of symbols numbered from 0."""
        word, entropies = torch.zeros_like(columns[0]), []
        for column in columns:
            word = (word * len(column) + column).unique(return_inverse=True)[1]
            mass = torch.bincount(word, weights=self.probability)
            entropies.append(torch.special.entr(mass).sum())
        return torch.stack(entropies)
