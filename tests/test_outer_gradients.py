"""Every way to the gradient of the outer loop, and those of a user's own."""

from __future__ import annotations

from typing import Any

import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from properties import Fit, Make, Mean, assert_refused, example, weights

from badger_graph.outer.curriculum import Lesson
from badger_graph.outer.gradients import Backpropagation, JacobianDescent, OuterGradient
from badger_graph.outer.learner import GRADIENT_KEY
from badger_graph.outer.objective import Objective, Outcome


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


def test_evolution_trains(tiny_learner: Make, fit: Fit) -> None:
    learner = tiny_learner(gradient=example("evolution").Evolution(4))
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
    tiny_learner(gradient=example("evolution").Evolution(), **sizes)
