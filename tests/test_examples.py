"""Worlds of examples: tables with classes, and numbers to say."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from properties import assert_deterministic_by_seed, assert_refused, seeded, uniform

from badger_graph.scaling import RunningScale, scale_online
from badger_graph.tasks import Classification, Regression, Regressions, Tables, TaskFamily

FAMILIES = [Tables(), Regressions()]


def test_an_example_is_shown_answered_and_told() -> None:
    inputs = torch.tensor([[[1.0, math.nan]], [[3.0, 4.0]]])
    task = Classification(inputs, torch.tensor([[[0.0, 1.0]], [[1.0, 0.0]]]))
    assert (task.num_steps, task.batch_size, task.num_inputs, task.num_outputs) == (2, 1, 2, 2)
    state, first = task.reset()
    # nothing was before the first example, whose second number is missing
    assert first.inputs.tolist() == [[[0, 0, 1, 1], [0, 0, 0, 0]]]
    assert first.outputs.tolist() == [[[0, 0], [0, 0]]]
    state, second, error = task.step(state, torch.tensor([[0.5, 0.5]]))
    assert float(error) == pytest.approx(1)  # in units of knowing nothing
    assert second.inputs.tolist() == [[[1, 1, 3, 1], [0, 0, 4, 1]]]
    assert second.outputs.tolist() == [[[0, 1], [1, 1]]]
    _, _, error = task.step(state, torch.tensor([[1.0, 0.0]]))
    assert float(error) == pytest.approx(0, abs=1e-6)


def test_what_is_not_told_does_not_count() -> None:
    truth = torch.tensor([[[0.5], [math.nan]]])
    task = Regression(torch.zeros(1, 2, 3), truth)
    state, _ = task.reset()
    _, observation, error = task.step(state, torch.tensor([[1.5], [7.0]]))
    assert error.tolist() == [1.0, 0.0]
    assert observation.outputs.tolist() == [[[0.5, 1.0]], [[0.0, 0.0]]]


def test_one_wrong_answer_costs_no_more_than_its_bound() -> None:
    task = Classification(torch.zeros(1, 1, 1), torch.tensor([[[0.0, 1.0]]]))
    _, _, error = task.step(0, torch.tensor([[1.0, 0.0]]))
    assert float(error) == pytest.approx(-math.log(1e-7) / math.log(2), rel=1e-3)


def test_bad_examples_are_refused() -> None:
    good = torch.zeros(2, 3, 1)
    assert_refused(r"finite or missing \(NaN\)", lambda: Regression(good + math.inf, good))
    assert_refused(r"at least one", lambda: Regression(torch.zeros(2, 3, 0), good))
    assert_refused(r"the same T and B", lambda: Regression(torch.zeros(2, 4, 1), good))


def test_scaling_by_what_was_seen_is_that_of_numpy() -> None:
    values = 100 + 7 * uniform(0, 30, 2, 3)
    values[4, 1, 2] = math.nan
    scaled = scale_online(values)
    for step in (1, 10, 29):
        seen = values[: step + 1].numpy()
        mean, deviation = np.nanmean(seen, axis=0), np.nanstd(seen, axis=0)
        expected = torch.from_numpy((seen[-1] - mean) / deviation).float()
        torch.testing.assert_close(scaled[step], expected, rtol=1e-5, atol=1e-5)
    assert scaled[4, 1, 2].isnan()
    assert not scaled[0].any()  # alone, it says nothing


def test_scaling_and_back_is_nothing() -> None:
    running = RunningScale(1, 2)
    for values in 5 + uniform(0, 9, 1, 2):
        running.see(values)
    torch.testing.assert_close(running.unscale(running.scale(values)), values, rtol=1e-5, atol=0)


def test_outliers_and_constants_cannot_drive_an_agent_astray() -> None:
    values = torch.full((50, 1, 2), 1e9, dtype=torch.float64)
    values[:, 0, 1] = torch.arange(50)
    values[-1, 0, 1] = 1e6
    scaled = scale_online(values)
    assert not scaled[:, 0, 0].any()
    assert float(scaled[-1, 0, 1]) == 4.0


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: type(family).__name__)
def test_a_family_draws_other_tables_by_seed(family: TaskFamily) -> None:
    def draw(seed: int) -> torch.Tensor:
        task = family.sample(4, 2, seeded(seed))
        assert isinstance(task, Classification | Regression)
        return torch.cat([task.inputs.flatten(), task.truth.flatten()]).nan_to_num()

    assert_deterministic_by_seed(draw)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: type(family).__name__)
def test_a_family_says_what_it_costs_to_know_nothing(family: TaskFamily) -> None:
    errors, drawn = [], []
    for seed in range(60):
        task = family.sample(32, 3, seeded(seed))
        nothing = torch.full((task.batch_size, 3), 1 / 3 if isinstance(task, Classification) else 0)
        errors.append(task.step(task.num_steps - 1, nothing)[2].mean())
        drawn.append((task.num_inputs, task.num_steps))
        assert task.inputs.nan_to_num().abs().amax() < 20
    assert float(torch.stack(errors).mean()) == pytest.approx(family.chance, abs=0.25)
    assert len(set(drawn)) > 40
    assert {num_inputs for num_inputs, _ in drawn} > {1, 2, 9}


def test_some_tables_can_be_learned_and_none_by_looking_at_the_order() -> None:
    """The nearest mean of what was shown is right more often than by chance, a shifted one not."""
    right, shifted = [], []
    for seed in range(30):
        task = Tables(num_inputs=[4, 8], num_examples=60).sample(16, 2, seeded(seed))
        inputs, label = task.inputs.nan_to_num(), task.truth.argmax(dim=-1)
        for labels, hits in ((label, right), (label.roll(1, 0), shifted)):
            one_hot = torch.nn.functional.one_hot(labels[:-1], 2).float()
            count = one_hot.sum(dim=0).clamp_min(1)
            mean = torch.einsum("tbc,tbn->bcn", one_hot, inputs[:-1]) / count[..., None]
            guess = (mean - inputs[-1][:, None]).square().sum(dim=-1).argmin(dim=1)
            hits.append((guess == labels[-1]).float().mean())
    assert float(torch.stack(right).mean()) > 0.7
    assert float(torch.stack(shifted).mean()) < 0.6


def test_a_table_of_one_class_is_refused() -> None:
    assert_refused("the classes of a table, must be at least 2", lambda: Tables().sample(2, 1))
    assert_refused(r"num_inputs must be", lambda: Tables(num_inputs=[3, 2]))
