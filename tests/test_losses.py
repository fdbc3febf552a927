"""What holds for every meta-loss, then each on a table of errors by hand."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from properties import (
    assert_refused,
    assert_round_trip,
    assert_weighted_mean_over_steps,
    rollout_of,
    uniform,
)

from badger_graph import ConvergeFast, LastStep, MeanOverEnd, MetaLoss
from badger_graph.outer.losses import (
    META_LOSSES,
    Alikeness,
    LogError,
    LogOverTime,
    Sum,
    WeightedMean,
)
from badger_graph.rollout import Rollout

EXAMPLES: dict[str, MetaLoss] = {
    **{name: meta_loss() for name, meta_loss in META_LOSSES.items()},
    "discounted": ConvergeFast(discount=0.9),
    "last tenth": MeanOverEnd(fraction=0.1),
}

every_meta_loss = pytest.mark.parametrize("name", EXAMPLES)

TABLE = torch.tensor([[8.0, 0.0], [4.0, 2.0], [1.0, 3.0], [0.5, 0.5]])
"""Four steps of two agents; means 4, 3, 2, 0.5."""


def lived(seed: int, device: str = "cpu") -> Rollout:
    """Eleven steps of three agents of four experts."""
    loss, hidden = uniform(seed, 11, 3).abs().to(device), uniform(seed + 1, 12, 5).to(device)
    life = SimpleNamespace(hidden=hidden, batch_size=3)
    return rollout_of(loss)._replace(life=life)


@pytest.mark.parametrize(
    "name", [name for name, example in EXAMPLES.items() if isinstance(example, WeightedMean)]
)
@given(num_steps=st.integers(1, 40))
def test_weighted_mean_over_steps(name: str, num_steps: int) -> None:
    assert_weighted_mean_over_steps(EXAMPLES[name], num_steps)


@every_meta_loss
def test_round_trip(name: str) -> None:
    assert_round_trip(EXAMPLES[name], lambda meta_loss: meta_loss(lived(0)))


@every_meta_loss
def test_on_every_device(name: str, device: torch.device) -> None:
    on_device = EXAMPLES[name](lived(0, device.type))
    assert on_device.device.type == device.type
    torch.testing.assert_close(on_device.cpu(), EXAMPLES[name](lived(0)))


@pytest.mark.parametrize(
    ("meta_loss", "expected"),
    [
        (LastStep(), 0.5),
        (ConvergeFast(), (4 + 3 + 2 + 0.5) / 4),
        (ConvergeFast(discount=0.5), (4 + 3 / 2 + 2 / 4 + 0.5 / 8) / (1 + 1 / 2 + 1 / 4 + 1 / 8)),
        (MeanOverEnd(), (2 + 0.5) / 2),
        (MeanOverEnd(fraction=0.25), 0.5),
        (MeanOverEnd(fraction=0.75), (3 + 2 + 0.5) / 3),
        (MeanOverEnd(fraction=1.0), (4 + 3 + 2 + 0.5) / 4),
        (MeanOverEnd(fraction=0.01), 0.5),  # at least one step
    ],
)
def test_by_hand(meta_loss: MetaLoss, expected: float) -> None:
    assert meta_loss(rollout_of(TABLE)).item() == pytest.approx(expected)


def test_an_argument_changed_later_counts() -> None:
    meta_loss = MeanOverEnd()
    assert meta_loss(rollout_of(TABLE)).item() == pytest.approx((2 + 0.5) / 2)
    meta_loss.fraction = 0.25
    assert meta_loss(rollout_of(TABLE)).item() == pytest.approx(0.5)


def test_trains_though_first_used_in_inference_mode() -> None:
    meta_loss, table = ConvergeFast(), TABLE.clone().requires_grad_()
    with torch.inference_mode():
        meta_loss(rollout_of(TABLE))
    meta_loss(rollout_of(table)).backward()
    torch.testing.assert_close(table.grad, torch.full((4, 2), 1 / 8))


@given(fraction=st.floats(0.001, 1.0), num_steps=st.integers(1, 100))
def test_mean_over_end_counts_its_fraction(fraction: float, num_steps: int) -> None:
    weights = MeanOverEnd(fraction).weights(num_steps)
    assert abs(weights.sum().item() - max(1, fraction * num_steps)) <= 0.5
    assert (weights.diff() >= 0).all()  # nothing, then everything
    assert set(weights.tolist()) <= {0.0, 1.0}


def test_the_logarithm_counts_relative_errors() -> None:
    """A batch ten times as good pulls as hard: the gradient is that of the mean, over the mean."""
    small, large = (TABLE.double() * size for size in (0.1, 1.0))
    for table in (small.requires_grad_(), large.requires_grad_()):
        meta_loss = LogError(LastStep())(rollout_of(table))
        assert meta_loss.item() == pytest.approx(table[-1].mean().log().item())
        (gradient,) = torch.autograd.grad(meta_loss, table)
        expected = torch.zeros_like(table)
        expected[-1] = 1 / table[-1].sum()
        torch.testing.assert_close(gradient, expected.detach())


def test_early_and_late_count_alike_in_stretches_that_double() -> None:
    error = torch.tensor([9.0, 1.0, 0.2, 0.4, 0.01, 0.03, 0.05])
    table = error[:, None].expand(-1, 3)
    for length, stretches in ((7, [1.0, 0.3, 0.03]), (3, [1.0, 0.2]), (2, [1.0]), (1, [9.0])):
        value = LogOverTime(floor=0.5)(rollout_of(table[:length]))
        expected = sum(math.log(0.5 + error) for error in stretches) / len(stretches)
        assert value.item() == pytest.approx(expected)


def test_a_logarithm_has_no_logarithm() -> None:
    """Its gradient would be zero wherever the error is below one, and nothing would be learned."""
    sums = Sum([LastStep(), LogError()]), Sum([Sum()]), Alikeness(), LogError()
    for of in sums:
        message = f"must be of a meta-loss that is never negative, got a {type(of).__name__}"
        assert_refused(message, lambda of=of: LogError(of))
    LogError(Sum([LastStep(), MeanOverEnd()]))


def test_a_sum_is_that_of_its_parts() -> None:
    rollout, parts = lived(0), [LastStep(), Alikeness(0.7), ConvergeFast()]
    expected = sum(part(rollout).item() for part in parts)
    assert Sum(parts)(rollout).item() == pytest.approx(expected)
    assert_refused("of must be a list, each a MetaLoss", lambda: Sum([LastStep]))
