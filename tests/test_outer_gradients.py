"""Every way to the gradient of the outer loop, and one of the user's own: evolution strategies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from lightning import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from properties import assert_refused, assert_table_is_the_folder
from torch import Generator, Tensor

import badger_graph.outer.gradients
from badger_graph import MetaLearner
from badger_graph.outer import GRADIENTS, Objective, Outcome, OuterGradient
from badger_graph.outer.curriculum import Lesson
from badger_graph.outer.gradients import Backpropagation, JacobianDescent, hand_on
from badger_graph.outer.learner import GRADIENT_KEY

Make = Callable[..., MetaLearner]
Fit = Callable[..., Trainer]


class Evolution(OuterGradient):
    r"""Antithetic evolution strategies: no derivative of anything.

    .. math::
        g = \frac{1}{K} \sum_k \frac{L(\theta + \sigma\epsilon_k) - L(\theta - \sigma\epsilon_k)}
        {2\sigma} \epsilon_k
    """

    def __init__(self, pairs: int = 16, sigma: float = 0.05) -> None:
        self.pairs = pairs
        self.sigma = sigma

    @torch.no_grad()
    def __call__(self, objective: Objective, seed: int, lesson: Lesson) -> Outcome:
        weights, generator = objective.weights, Generator().manual_seed(seed)
        own = [weight.clone() for weight in weights]
        gradients = [torch.zeros_like(weight) for weight in weights]
        for _ in range(self.pairs):
            noise = [torch.randn(weight.shape, generator=generator) for weight in weights]
            ends = []
            for sign in (1, -1):
                for weight, before, away in zip(weights, own, noise, strict=True):
                    weight.copy_(before + sign * self.sigma * away)
                ends.append(objective(seed, lesson).meta_loss)
            slope = (ends[0] - ends[1]) / (2 * self.sigma * self.pairs)
            for gradient, away in zip(gradients, noise, strict=True):
                gradient += slope * away
        for weight, before in zip(weights, own, strict=True):
            weight.copy_(before)
        meta_loss, loss = objective(seed, lesson)
        return Outcome(hand_on(meta_loss, gradients, weights), loss)


class Remembering(OuterGradient):
    """Counts its steps."""

    def __init__(self) -> None:
        self.steps = 0

    def __call__(self, objective: Objective, seed: int, lesson: Lesson) -> Outcome:
        self.steps += 1
        return objective(seed, lesson)

    def state_dict(self) -> dict[str, Any]:
        return {"steps": self.steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.steps = state["steps"]


def weights(learner: MetaLearner) -> Tensor:
    return torch.nn.utils.parameters_to_vector(learner.parameters()).detach().clone()


def gradient_of(learner: MetaLearner, seed: int) -> Tensor:
    """What is on the weights after an outer step of this seed."""
    learner.zero_grad()
    outcome = learner.gradient(learner.objective, seed, learner.objective.lesson)
    outcome.meta_loss.backward()
    return torch.cat([weight.grad.flatten() for weight in learner.objective.weights])


@pytest.fixture
def double() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def test_every_gradient_is_in_the_table() -> None:
    assert_table_is_the_folder(GRADIENTS, badger_graph.outer.gradients, OuterGradient)


@pytest.mark.usefixtures("double")
def test_evolution_goes_along_the_gradient(tiny_learner: Make) -> None:
    """Its projection on the gradient is one in the mean, and scatters by the root of 2 / pairs."""
    pairs = 300
    right = gradient_of(tiny_learner(), 3)
    learner = tiny_learner(gradient=Evolution(pairs, 1e-4))
    before, state = weights(learner), torch.get_rng_state()
    found = gradient_of(learner, 3)
    assert torch.equal(weights(learner), before)
    assert torch.equal(torch.get_rng_state(), state)
    projection = (found @ right / right.square().sum()).item()
    assert projection == pytest.approx(1, abs=3 * (2 / pairs) ** 0.5)
    assert torch.equal(gradient_of(learner, 3), found)  # by the seed alone


def test_evolution_trains(tiny_learner: Make, fit: Fit) -> None:
    learner = tiny_learner(gradient=Evolution(4))
    before = weights(learner)
    fit(learner, 2, accumulate_grad_batches=2)
    assert not torch.equal(weights(learner), before)
    assert learner.config()["gradient"]["init_args"] == {"pairs": 4, "sigma": 0.05}


def test_the_meta_loss_and_errors_are_those_of_the_objective(tiny_learner: Make) -> None:
    for gradient in (Backpropagation(2), Backpropagation(None, 2), JacobianDescent(Mean())):
        learner = tiny_learner(gradient=gradient)
        objective = learner.objective
        actual, expected = gradient(objective, 5, objective.lesson), objective(5)
        assert torch.equal(actual.meta_loss, expected.meta_loss)
        assert torch.equal(actual.loss, expected.loss)
        rollout = objective.unroll(5)
        assert torch.equal(expected.loss, rollout.loss)
        assert torch.equal(expected.meta_loss, objective.meta_loss(rollout))


class Mean(torch.nn.Module):
    def forward(self, rows: Tensor) -> Tensor:
        return rows.mean(dim=0)


def test_what_it_remembers_goes_into_checkpoints(
    tiny_learner: Make, fit: Fit, tmp_path: Any
) -> None:
    learner, again = (tiny_learner(gradient=Remembering()) for _ in range(2))
    fit(learner, 3, ModelCheckpoint(tmp_path, filename="it", every_n_train_steps=1))
    checkpoint = torch.load(tmp_path / "it.ckpt", weights_only=True)
    assert checkpoint[GRADIENT_KEY] == {"steps": 3}
    fit(again, 5, ckpt_path=tmp_path / "it.ckpt")
    assert again.gradient.steps == 5


def test_states_that_fit_in_no_memory(tiny_learner: Make) -> None:
    """They are kept by who goes back through them, and not where few are."""
    sizes = {"num_steps": 2**14, "batch_size": 2**14, "hidden_size": 8}
    message = "the states that a rollout keeps for the gradient must be at most .* num_steps=16384"
    assert_refused(message, lambda: tiny_learner(**sizes))
    assert_refused(message, lambda: tiny_learner(gradient=JacobianDescent(Mean()), **sizes))
    tiny_learner(gradient=Backpropagation(checkpoint_every=16), **sizes)
    tiny_learner(gradient=Evolution(), **sizes)
