"""The stream of seeds: different everywhere, and the same again where it goes on."""

from __future__ import annotations

from itertools import islice

import torch
from hypothesis import given
from hypothesis import strategies as st

from badger_graph.outer.stream import TaskStream, validation_seeds


def first(stream: TaskStream, count: int) -> list[int]:
    return list(islice(stream, count))


@given(seed=st.integers(0, 2**40), rank=st.integers(0, 64), start=st.integers(0, 10**9))
def test_starting_later_goes_on_exactly(seed: int, rank: int, start: int) -> None:
    stream = first(TaskStream(seed, rank, start), 9)
    assert first(TaskStream(seed, rank, start + 4), 5) == stream[4:]


def test_seeds_are_those_of_earlier_versions() -> None:
    """A run that is gone on with draws what it would have drawn."""
    assert first(TaskStream(0), 2) == [6375474603054492659, 7123708533063628835]
    assert first(TaskStream(3, rank=1), 1) == [7685702204746748236]
    assert validation_seeds(0, 1) == [8514611595135926838]


def test_every_seed_is_new() -> None:
    """Over runs, ranks and steps, in training and validation."""
    streams = [first(TaskStream(seed, rank), 500) for seed in (0, 1, 2**33) for rank in range(4)]
    streams += [validation_seeds(seed, 500) for seed in (0, 1, 2**33)]
    seeds = [seed for stream in streams for seed in stream]
    assert len(set(seeds)) == len(seeds) == 15 * 500


def test_seeds_are_seeds() -> None:
    """They fit a torch generator, and the numbers drawn from successive ones look independent."""
    seeds = first(TaskStream(0), 2000)
    assert all(0 <= seed < 2**63 for seed in seeds)
    drawn = torch.stack([torch.rand(2, generator=torch.Generator().manual_seed(s)) for s in seeds])
    assert (drawn.mean(dim=0) - 0.5).abs().max() < 4 * (1 / 12 / 2000) ** 0.5
    neighbours = torch.corrcoef(torch.stack([drawn[1:, 0], drawn[:-1, 0]]))[0, 1]
    assert neighbours.abs() < 4 / 2000**0.5


@given(num_batches=st.integers(1, 40), world_size=st.integers(1, 8), seed=st.integers(0, 99))
def test_validation_is_dealt_out_completely(num_batches: int, world_size: int, seed: int) -> None:
    whole = validation_seeds(seed, num_batches)
    hands = [validation_seeds(seed, num_batches, rank, world_size) for rank in range(world_size)]
    assert sorted(card for hand in hands for card in hand) == sorted(whole)
    assert max(map(len, hands)) - min(map(len, hands)) <= 1


@given(few=st.integers(1, 20), more=st.integers(1, 20))
def test_more_validation_batches_keep_the_first(few: int, more: int) -> None:
    assert validation_seeds(0, few + more)[:few] == validation_seeds(0, few)
