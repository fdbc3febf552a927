"""Bandits, several lives with one of them, and the gradient of what came of choices."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from properties import assert_refused, seeded
from torch import Tensor

from badger_graph import (
    BadgerAgent,
    Birth,
    Choice,
    GRUPolicy,
    GuessingGame,
    Interface,
    Observation,
    Sizes,
    Task,
    TaskFamily,
)
from badger_graph.actions import Bits, Real
from badger_graph.outer.gradients import ScoreFunction
from badger_graph.outer.gradients.score_function import against_others
from badger_graph.outer.losses import LastStep, MeanOverEnd
from badger_graph.outer.objective import Objective
from badger_graph.tasks import Bandit, Bandits, SeveralLives
from badger_graph.tasks.bandits import Rewards, regret_of_chance
from topologies import CompleteTopology


def one_hot(arm: int, num_arms: int, batch_size: int = 1) -> Tensor:
    return torch.nn.functional.one_hot(torch.full((batch_size,), arm), num_arms).float()


def test_only_what_was_chosen_pays_and_is_told() -> None:
    bandit = Bandit(torch.tensor([[1.0, 0.0, 0.5]]), "bernoulli", 4)
    state, first = bandit.reset()
    assert first.outputs.tolist() == [[[0, 0]] * 3]
    assert first.feedback.tolist() == [[1.0, pytest.approx(math.log(4) / 5)]]
    state, told, error = bandit.step(state, one_hot(0, 3))
    assert told.outputs.tolist() == [[[1, 1], [0, 0], [0, 0]]]
    assert told.feedback[0, 0] == 0.75
    assert error.tolist() == [0.0]
    _, told, error = bandit.step(state, one_hot(1, 3))
    assert told.outputs.tolist() == [[[0, 0], [1, 0], [0, 0]]]
    assert float(error) == pytest.approx(1 / (3 / 4 - 1 / 2))


@pytest.mark.parametrize("rewards", ["bernoulli", "gaussian"])
def test_rewards_are_what_arms_pay_in_the_mean(rewards: Rewards) -> None:
    bandit = Bandit(torch.tensor([[0.3, 0.8]]), rewards, 10).repeat(20_000)
    _, told, _ = bandit.step(0, one_hot(1, 2, 20_000), seeded(0))
    reward = told.outputs[:, 1, 1]
    assert float(reward.mean()) == pytest.approx(0.8, abs=0.02)
    spread = 0.4 if rewards == "bernoulli" else 1.0
    assert float(reward.std()) == pytest.approx(spread, abs=0.02)


@pytest.mark.parametrize("rewards", ["bernoulli", "gaussian"])
def test_choosing_blindly_costs_one(rewards: Rewards) -> None:
    bandit = Bandits(rewards, num_pulls=1, most_numbers=10**6).sample(100_000, 5, seeded(0))
    _, _, error = bandit.step(0, one_hot(2, 5, 100_000), seeded(1))
    assert float(error.mean()) == pytest.approx(Bandits(rewards).chance, abs=0.01)
    best = bandit.value.amax(dim=1).mean() - bandit.value.mean()
    assert float(best) == pytest.approx(regret_of_chance(5, rewards), abs=0.01)


def test_there_are_fewer_bandits_where_they_are_large() -> None:
    family = Bandits(num_pulls=100, most_numbers=4_000)
    assert [family.sample(16, arms).batch_size for arms in (2, 4, 50)] == [16, 10, 1]


def test_bad_bandits_are_refused() -> None:
    assert_refused("arms of a bandit, must be at least 2", lambda: Bandits().sample(3, 1))
    assert_refused("probabilities", lambda: Bandit(torch.tensor([[0.5, 1.5]]), "bernoulli", 3))
    assert_refused("finite", lambda: Bandit(torch.tensor([[0.5, math.nan]]), "gaussian", 3))
    assert_refused("at least 1", lambda: Bandits(num_pulls=[0, 3]))


def test_lives_of_one_task_stand_side_by_side() -> None:
    task = SeveralLives(Bandits(num_pulls=5), lives=3).sample(7, 4, seeded(0))
    assert isinstance(task, Bandit)
    assert task.batch_size == 6
    assert torch.equal(task.value[0], task.value[2])
    assert not torch.equal(task.value[2], task.value[3])


def test_the_baseline_is_of_the_others_alone() -> None:
    value = torch.tensor([[1.0, 2.0, 6.0, 0.0, 0.0, 3.0]])
    expected = [[1 - 4.0, 2 - 3.5, 6 - 1.5, -1.5, -1.5, 3.0]]
    assert against_others(value, 3).tolist() == expected


def test_the_probability_of_an_action_is_that_of_its_draw() -> None:
    score = torch.tensor([[0.5, -1.0, 2.0]])
    for action in (Choice(), Bits()):
        draws = action.decide(score.expand(200_000, 3), seeded(0))
        for sample in draws[:5]:
            share = (draws == sample).all(dim=1).float().mean()
            log = action.log_probability(score, sample[None])
            assert float(log.exp()) == pytest.approx(float(share), abs=0.005)
    assert_refused("not drawn at random", lambda: Real().log_probability(score, score))


def objective(batch_size: int, num_pulls: int, lives: int = 4) -> Objective:
    torch.manual_seed(0)
    family = SeveralLives(Bandits(num_pulls=num_pulls), lives)
    policy = partial(GRUPolicy, message_size=2, gain=2.0)
    agent = BadgerAgent(
        *(family.interface, policy, CompleteTopology()),
        birth=Birth(identifiers="none"),
        identifier_size=0,
        hidden_size=3,
    )
    sizes = Sizes(num_experts=2, num_outputs=2, num_steps=num_pulls, batch_size=batch_size)
    return Objective(agent, family, MeanOverEnd(fraction=1.0), sizes)


class Regrets(TaskFamily):
    """Whoever chose the first output in a step is wrong in the next."""

    interface = Interface(feedback=0, output=1, action=Choice())
    chance = 1.0

    def sample(
        self, batch_size: int, num_outputs: int, generator: torch.Generator | None = None
    ) -> Task:
        return Regret(batch_size, num_outputs)


class Regret(Task):
    num_steps = 2

    def __init__(self, batch_size: int, num_outputs: int) -> None:
        self.batch_size, self.num_outputs = batch_size, num_outputs
        nothing = torch.zeros(batch_size, 0), torch.zeros(batch_size, 0, 0)
        self.told = Observation(*nothing, torch.zeros(batch_size, num_outputs, 1))

    def repeat(self, times: int) -> Task:
        return Regret(times * self.batch_size, self.num_outputs)

    def reset(self, generator: torch.Generator | None = None) -> tuple[Tensor, Observation]:
        return torch.zeros(self.batch_size, self.num_outputs), self.told

    def step(
        self, state: Tensor, action: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Observation, Tensor]:
        return action.detach(), self.told, state[:, 0]


def test_the_gradient_is_that_of_the_expected_error() -> None:
    """Here it is known: that of the probability of the choice that is wrong later."""
    torch.manual_seed(1)
    family = SeveralLives(Regrets(), lives=4)
    agent = BadgerAgent(family.interface, GRUPolicy, CompleteTopology(), hidden_size=4)
    of = Objective(agent, family, LastStep(), Sizes(3, 3, 2, 40_000))

    def gradient(value: Tensor) -> Tensor:
        all_of_them = torch.autograd.grad(value, of.weights, materialize_grads=True)
        return torch.cat([one.flatten() for one in all_of_them])

    rollout = of.unroll(0)
    exact = gradient(rollout.score[0].softmax(dim=-1)[:, 0].mean())
    estimate = gradient(ScoreFunction()(of, 0, of.lesson).meta_loss)
    assert float((estimate - exact).norm()) < 0.05 * float(exact.norm())
    # Nothing else carries it.
    assert not rollout.loss.requires_grad


def test_the_value_is_the_meta_loss() -> None:
    of = objective(batch_size=16, num_pulls=5)
    outcome = ScoreFunction()(of, 0, of.lesson)
    torch.testing.assert_close(outcome.meta_loss, of(0).meta_loss)


def test_other_tasks_and_actions_are_refused() -> None:
    of = objective(batch_size=16, num_pulls=5)
    ScoreFunction().check(of, None)
    alone = Objective(of.agent, Bandits(), of.meta_loss, of.sizes)
    assert_refused("must be SeveralLives, got Bandits", lambda: ScoreFunction().check(alone, None))
    game = SeveralLives(GuessingGame())
    guesser = BadgerAgent(game.interface, GRUPolicy, CompleteTopology())
    guessing = Objective(guesser, game, of.meta_loss, Sizes())
    assert_refused("not drawn at random", lambda: ScoreFunction().check(guessing, None))


def test_what_cannot_be_repeated_says_so() -> None:
    from properties import example

    family = SeveralLives(example("linear_tables").LinearTables())
    assert_refused("cannot be met by several agents", lambda: family.sample(8, 3))
