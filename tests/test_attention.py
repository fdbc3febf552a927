"""The dense products of an exchange by attention, against sums over one pair at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
import torch
from properties import Largest, seeded
from torch import Tensor

from badger_graph.products import attend, attention_weights, standardise

BATCH, RECEIVERS, SENDERS, KEY, VALUE = 3, 5, 7, 4, 6

BETA = 2.5


def exchange(*batch: int, receivers: int = RECEIVERS, senders: int = SENDERS) -> Iterator[Tensor]:
    """Random queries, keys and values in float64."""
    generator = seeded(0)
    for shape in ((receivers, KEY), (senders, KEY), (senders, VALUE)):
        yield torch.randn(*batch, *shape, generator=generator, dtype=torch.float64)


def by_hand(queries: Tensor, keys: Tensor, values: Tensor, beta: float) -> Tensor:
    """One agent, one receiver and one sender at a time, in Python floats."""
    rows = []
    for query in queries.tolist():
        exponentials = [
            math.exp(beta * sum(map(float.__mul__, query, key)) / math.sqrt(len(key)))
            for key in keys.tolist()
        ]
        columns = zip(*values.tolist(), strict=True)
        rows.append([sum(map(float.__mul__, exponentials, column)) for column in columns])
        rows[-1] = [entry / sum(exponentials) for entry in rows[-1]]
    return torch.tensor(rows, dtype=torch.float64)


def test_one_pair_at_a_time() -> None:
    queries, keys, values = exchange(BATCH)
    expected = torch.stack(list(map(by_hand, queries, keys, values, [BETA] * BATCH)))
    torch.testing.assert_close(attend(queries, keys, values, BETA), expected)


def test_softmax_is_exact() -> None:
    """Two senders, K = 4: scores log 3 apart, so the weights are 3/4 and 1/4."""
    queries = torch.tensor([[1.0, 0, 0, 0]], dtype=torch.float64)
    keys = torch.tensor([[math.log(3), 0, 0, 9.0], [0, 5.0, 0, 0]], dtype=torch.float64)
    values = torch.tensor([[4.0, 0], [0, 8.0]], dtype=torch.float64)
    torch.testing.assert_close(
        attention_weights(queries, keys, beta=2.0), torch.tensor([[0.75, 0.25]]).double()
    )
    torch.testing.assert_close(
        attend(queries, keys, values, beta=2.0), torch.tensor([[3.0, 2.0]]).double()
    )


def test_weights_of_a_receiver_sum_to_one() -> None:
    queries, keys, _ = exchange(BATCH)
    for factor in (1, 1e3):  # nothing overflows
        weights = attention_weights(factor * queries, keys, BETA)
        torch.testing.assert_close(weights.sum(dim=-1), torch.ones_like(weights[..., 0]))
        assert (weights >= 0).all()


def test_beta_from_all_alike_to_the_best_alone() -> None:
    queries, keys, values = exchange(BATCH)
    mean = values.mean(dim=-2, keepdim=True).expand(-1, RECEIVERS, -1)
    torch.testing.assert_close(attend(queries, keys, values, 0.0), mean)
    best = (queries @ keys.mT).argmax(dim=-1)
    expected = values.gather(1, best[..., None].expand(-1, -1, VALUE))
    torch.testing.assert_close(attend(queries, keys, values, 1e9), expected)


@pytest.mark.parametrize("batch", [(), (2, 3)])
def test_any_batch(batch: tuple[int, ...]) -> None:
    queries, keys, values = exchange(*batch)
    received = attend(queries, keys, values, BETA)
    assert received.shape == (*batch, RECEIVERS, VALUE)
    one = (0,) * len(batch)
    torch.testing.assert_close(received[one], by_hand(queries[one], keys[one], values[one], BETA))


def test_no_receiver_and_no_agent() -> None:
    assert attend(*exchange(BATCH, receivers=0), BETA).shape == (BATCH, 0, VALUE)
    assert attend(*exchange(0), BETA).shape == (0, RECEIVERS, VALUE)


def test_gradients() -> None:
    parts = [part.requires_grad_() for part in exchange(2, receivers=2, senders=3)]
    assert torch.autograd.gradcheck(lambda *parts: attend(*parts, BETA), parts)
    assert torch.autograd.gradcheck(standardise, parts[2])


def test_nothing_larger_than_receivers_times_senders_is_made() -> None:
    parts = [part.requires_grad_() for part in exchange(2, receivers=30, senders=40)]
    with Largest() as largest:
        attend(*parts, BETA).sum().backward()
    assert largest.numel == 2 * 30 * 40


def test_device(device: torch.device) -> None:
    parts = [part.to(device) for part in exchange(BATCH)]
    expected = attend(*exchange(BATCH), BETA)
    torch.testing.assert_close(attend(*parts, BETA).cpu(), expected)


def test_standardised_rows() -> None:
    x = torch.randn(4, 3, 6, dtype=torch.float64)
    rows = standardise(x)
    torch.testing.assert_close(rows.mean(dim=-1), torch.zeros(4, 3, dtype=torch.float64))
    torch.testing.assert_close(rows.std(dim=-1), torch.ones(4, 3, dtype=torch.float64))
    torch.testing.assert_close(standardise(5 * x - 2), rows)
    half = math.sqrt(1 / 2)
    torch.testing.assert_close(standardise(torch.tensor([1.0, 3.0])), torch.tensor([-half, half]))
    assert standardise(torch.ones(6)).abs().max() == 0
