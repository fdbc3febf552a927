"""What agents that learn online are compared with: known answers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from properties import uniform
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF
from sklearn.linear_model import Ridge
from torch import Tensor

from badger_graph.baselines.online import CLASSIFIERS, bandits, bayes_linear, gaussian_process, nlms
from badger_graph.baselines.online.classifiers import recursive_ridge


def clusters(num_examples: int, num_lives: int) -> tuple[Tensor, Tensor]:
    """Two classes far apart, in turn."""
    label = (torch.arange(num_examples)[:, None] + torch.arange(num_lives)) % 2
    centre = 3.0 * (2 * label - 1)
    noise = uniform(0, num_examples, num_lives, 3).float()
    return centre[..., None] + noise, label


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_everyone_learns_what_is_easy_and_nobody_knows_the_next(name: str) -> None:
    inputs, label = clusters(24, 2)
    right = CLASSIFIERS[name](inputs, label, 2)
    assert right.shape == label.shape
    assert right[12:].float().mean() > 0.9
    generator = torch.Generator().manual_seed(0)
    random = torch.randint(2, (60, 2), generator=generator)
    guessed = CLASSIFIERS[name](torch.randn(60, 2, 3, generator=generator), random, 2)
    assert abs(float(guessed.float().mean()) - 0.5) < 0.16


def test_ridge_is_that_of_scikit_learn() -> None:
    inputs, label = uniform(1, 12, 1, 3).float(), (uniform(2, 12, 1) > 0).long()
    right = recursive_ridge(inputs, label, 2)
    constant = torch.cat([inputs, torch.ones(12, 1, 1)], dim=-1)[:, 0].numpy()
    one_hot = np.eye(2)[label[:, 0]]
    for step in range(1, 12):
        model = Ridge(1.0, fit_intercept=False).fit(constant[:step], one_hot[:step])
        answer = model.predict(constant[step : step + 1]).argmax()
        assert bool(right[step, 0]) == (answer == int(label[step, 0]))


def test_exact_learners_are_exact() -> None:
    inputs, noise, prior = uniform(0, 6, 2, 3), 0.2, 0.7
    target = uniform(1, 6, 2)
    weights = bayes_linear(inputs, target, noise, prior)
    x, y = inputs[:5, 1], target[:5, 1]
    inverse = torch.linalg.inv(x.T @ x / noise**2 + torch.eye(3) / prior**2)
    torch.testing.assert_close(weights[5, 1], inverse @ x.T @ y / noise**2)

    kernel = RBF(0.4, length_scale_bounds="fixed")
    model = GaussianProcessRegressor(kernel, alpha=noise**2, optimizer=None)
    seen, told, asked = uniform(2, 1, 7, 1), uniform(3, 1, 7), uniform(4, 1, 5, 1)
    expected = model.fit(seen[0], told[0]).predict(asked[0])
    found = gaussian_process(seen, told, asked, 0.4, noise)[0]
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_nlms_at_rate_one_answers_the_last_example_right() -> None:
    inputs, target = uniform(0, 5, 3, 4), uniform(1, 5, 3)
    weights = nlms(inputs, target, rate=1.0)
    assert not weights[0].any()
    torch.testing.assert_close((weights[3] * inputs[2]).sum(dim=1), target[2], rtol=1e-3, atol=1e-3)


def test_the_optimum_is_known_for_few_pulls_and_published_for_ten() -> None:
    assert bandits.optimum(2, 1) == pytest.approx(1 / 2)
    # the second pull: of the first arm after a success, of the other after a failure
    assert bandits.optimum(2, 2) == pytest.approx(1 / 2 + (2 / 3 + 1 / 2) / 2)
    found = [round(bandits.optimum(arms, 10), 3) for arms in (5, 10, 50)]
    assert found == [6.660, 6.714, 6.714]


def test_nobody_beats_the_optimum_and_gittins_comes_near() -> None:
    value = np.random.default_rng(0).random((40_000, 5))
    best, bar = bandits.optimum(5, 10), 4 * 2.2 / 200
    won = {
        name: float(bandits.play(value, 10, rule, seed=0).sum(axis=0).mean())
        for name, rule in {
            "gittins": bandits.gittins(10, levels=100),
            "thompson": bandits.thompson,
            "greedy": bandits.greedy,
            "ucb": bandits.ucb(bandits.tuned_ucb(value, 10, seed=1)),
        }.items()
    }
    assert max(won.values()) < best + bar
    assert won["gittins"] > best - bar
    assert won["thompson"] < won["greedy"] < won["gittins"] + bar


def test_the_index_of_an_arm_knows_of_no_other() -> None:
    """With one pull left it is the posterior mean; so it is, too, where there are many arms."""
    rule, rng = bandits.gittins(9, levels=100), np.random.default_rng(0)
    won, lost = np.array([[0, 3, 1]]), np.array([[0, 1, 2]])
    assert rule(won, lost, 1, rng).tolist() == [pytest.approx([0.5, 0.66, 0.4], abs=1e-3)]
    many = rule(np.tile(won, 70), np.tile(lost, 70), 5, rng)
    np.testing.assert_array_equal(many, np.tile(rule(won, lost, 5, rng), 70))
    assert (rule(won, lost, 5, rng) > rule(won, lost, 2, rng)).all()  # it is worth to know more
