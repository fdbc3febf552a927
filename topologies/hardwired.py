"""Graphs laid out by hand, a function of the number of experts alone."""

from __future__ import annotations

import math

import torch
from jaxtyping import Int
from torch import Tensor

from topologies.base import FixedTopology
from topologies.checks import check_edges, checked, size
from topologies.edges import Edges


class LayeredTopology(FixedTopology):
    """Input experts speak to hidden experts, these to each other and to output experts.

    Every hidden expert hears every input expert and every other hidden expert; every output
    expert hears every hidden expert.

    Expert j speaks for output j, so the **output experts come first**: 0 to ``num_outputs - 1``.
    The hidden experts follow and the input experts are the last ``num_inputs``. With the
    defaults and N = 16 these are 0-3, 4-11 and 12-15.

    Input experts hear nobody unless ``closed``: then all they know comes from the membrane, and
    nobody but the membrane learns what an output expert does.

    Args:
        num_inputs: number of input experts.
        num_outputs: number of output experts; at least the number of outputs d, or hidden
            experts speak for the rest.
        closed: input experts hear the output experts too, which closes the loop and makes the
            graph strongly connected.

    Raises:
        ValueError: when a layer is empty: the outer ones at once, the hidden one when drawn.
    """

    @checked(num_inputs=size(), num_outputs=size())
    def __init__(self, num_inputs: int = 4, num_outputs: int = 4, closed: bool = False) -> None:
        super().__init__()
        self.num_inputs = num_inputs
        self.num_outputs = num_outputs
        self.closed = closed

    def edges(self, num_experts: int) -> Edges:
        num_hidden = num_experts - self.num_inputs - self.num_outputs
        if num_hidden < 1:
            raise ValueError(
                "a layered topology needs at least one hidden expert beside "
                f"{self.num_inputs} input and {self.num_outputs} output experts, "
                f"got {num_experts} experts"
            )
        outputs = torch.arange(self.num_outputs)
        hidden = self.num_outputs + torch.arange(num_hidden)
        inputs = self.num_outputs + num_hidden + torch.arange(self.num_inputs)
        pairs = [_all_pairs(inputs, hidden), _all_pairs(hidden, hidden)]
        pairs.append(_all_pairs(hidden, outputs))
        if self.closed:
            pairs.append(_all_pairs(outputs, inputs))
        return _edges(torch.cat(pairs, dim=1), num_experts)


class RingTopology(FixedTopology):
    """Expert n and expert n + 1 hear each other, and so do the last and the first."""

    def edges(self, num_experts: int) -> Edges:
        experts = torch.arange(num_experts)
        return _undirected(torch.stack([experts, (experts + 1) % num_experts]), num_experts)


class GridTopology(FixedTopology):
    """Experts on a rectangle, row by row, hear their neighbours above, below and beside them.

    Args:
        rows: number of rows, a divisor of N; by default the largest that is not more than the
            number of columns, which for a prime N leaves a path.
        periodic: join opposite sides, which makes a torus.

    Raises:
        ValueError: when ``rows`` is less than 1; when drawn for N that it does not divide.
    """

    @checked(rows=size())
    def __init__(self, rows: int | None = None, periodic: bool = False) -> None:
        super().__init__()
        self.rows = rows
        self.periodic = periodic

    def edges(self, num_experts: int) -> Edges:
        rows = self.rows if self.rows is not None else _most_square(num_experts)
        if num_experts % rows:
            raise ValueError(
                "the number of rows must divide the number of experts, "
                f"got {rows} rows and {num_experts} experts"
            )
        grid = torch.arange(num_experts).view(rows, -1)
        pairs = [_stack(grid[:-1], grid[1:]), _stack(grid[:, :-1], grid[:, 1:])]
        if self.periodic:
            pairs += [_stack(grid[-1], grid[0]), _stack(grid[:, -1], grid[:, 0])]
        return _undirected(torch.cat(pairs, dim=1), num_experts)


class StarTopology(FixedTopology):
    """Expert 0 and every other expert hear each other; no two others do."""

    def edges(self, num_experts: int) -> Edges:
        rays = torch.arange(1, num_experts)
        return _undirected(torch.stack([torch.zeros_like(rays), rays]), num_experts)


class CompleteTopology(FixedTopology):
    """Every expert hears every other: where the paper starts from."""

    def edges(self, num_experts: int) -> Edges:
        experts = torch.arange(num_experts)
        return _edges(_all_pairs(experts, experts), num_experts)


class IsolatedTopology(FixedTopology):
    """Nobody hears anybody: the control without communication."""

    def edges(self, num_experts: int) -> Edges:
        return Edges.unweighted(torch.empty(2, 0, dtype=torch.int64))


def _edges(pairs: Int[Tensor, "2 P"], num_experts: int) -> Edges:
    """The pairs (source, target), each once, without self-loops, ordered by target."""
    source, target = pairs
    number = torch.unique(target * num_experts + source)
    source, target = number % num_experts, number // num_experts
    return Edges.unweighted(torch.stack([source, target])[:, source != target])


def _undirected(pairs: Int[Tensor, "2 P"], num_experts: int) -> Edges:
    """The pairs and their reverse, as :func:`_edges`."""
    return _edges(torch.cat([pairs, pairs.flip(0)], dim=1), num_experts)


def _all_pairs(sources: Int[Tensor, " S"], targets: Int[Tensor, " T"]) -> Int[Tensor, "2 P"]:
    # Sorting and pairing them takes some ten times their own memory.
    check_edges(8 * len(sources) * len(targets), "a graph of which nearly all pairs are joined")
    return torch.cartesian_prod(sources, targets).T


def _stack(sources: Int[Tensor, "*S"], targets: Int[Tensor, "*S"]) -> Int[Tensor, "2 P"]:
    return torch.stack([sources.flatten(), targets.flatten()])


def _most_square(num_experts: int) -> int:
    """The largest divisor that is at most the square root."""
    candidates = range(math.isqrt(num_experts), 0, -1)
    return next(rows for rows in candidates if num_experts % rows == 0)
