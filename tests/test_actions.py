"""What scores mean: numbers, one choice of d, bits; drawn as they say, and their gradients."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from properties import (
    GAME,
    assert_deterministic_by_seed,
    assert_round_trip,
    double_precision,
    seeded,
    some_observation,
    uniform,
)
from torch import Tensor

from badger_graph import Action, BadgerAgent, Bits, Choice, GRUPolicy, Real
from topologies import RingTopology

ACTIONS = [Real(), Choice(), Bits()]
DRAWN = [Choice(), Bits()]

every_action = pytest.mark.parametrize("action", ACTIONS, ids=repr)


def share(action: Action, score: Tensor) -> Tensor:
    """The expected action."""
    if isinstance(action, Real):
        return score
    return score.softmax(dim=-1) if isinstance(action, Choice) else score.sigmoid()


def test_a_choice_is_one_of_d_and_bits_are_bits() -> None:
    score = 3 * uniform(0, 200, 5).float()
    choice, bits = (action.decide(score, seeded(0)) for action in DRAWN)
    assert torch.isin(choice, torch.tensor([0.0, 1.0])).all()
    assert choice.sum(dim=1).eq(1).all()
    assert torch.isin(bits, torch.tensor([0.0, 1.0])).all()
    assert bits.sum(dim=1).unique().tolist() == [0, 1, 2, 3, 4, 5]
    assert Real().decide(score) is score


@every_action
def test_the_mean_action_is_its_share(action: Action) -> None:
    """To 4 standard errors; and what is certain is always done."""
    draws, score = 40_000, 2 * uniform(0, 4)
    expected = share(action, score)
    done = action.decide(score.expand(draws, -1), seeded(0))
    error = (expected * (1 - expected)).clamp(min=0).sqrt() / draws**0.5
    assert ((done.mean(dim=0) - expected).abs() <= 4 * error + 1e-9).all()
    sure = torch.tensor([[-1e4, 1e4, -1e4]])
    wanted = sure if isinstance(action, Real) else torch.tensor([[0.0, 1.0, 0.0]])
    assert torch.equal(action.decide(sure, seeded(0)), wanted)


def test_bits_are_independent_of_each_other() -> None:
    bits = Bits().decide(torch.zeros(40_000, 3), seeded(0))
    assert (torch.corrcoef(bits.T) - torch.eye(3)).abs().max() < 4 / 200


@every_action
def test_the_gradient_is_that_of_the_share(action: Action) -> None:
    score, weight = uniform(0, 6, 4).requires_grad_(), uniform(1, 6, 4)
    (gradient,) = torch.autograd.grad((action.decide(score, seeded(0)) * weight).sum(), score)
    (expected,) = torch.autograd.grad((share(action, score) * weight).sum(), score)
    torch.testing.assert_close(gradient, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("action", DRAWN, ids=repr)
def test_the_generator_decides(action: Action) -> None:
    score = uniform(0, 20, 4)
    assert_deterministic_by_seed(lambda seed: action.decide(score, seeded(seed)))
    before = torch.get_rng_state()
    action.decide(score, seeded(0))
    assert torch.equal(torch.get_rng_state(), before)


@every_action
def test_round_trip(action: Action) -> None:
    score = uniform(0, 3, 4)
    assert_round_trip(action, lambda action: action.decide(score, seeded(0)))


def test_actions_of_a_kind_are_equal() -> None:
    assert Choice() == Choice()
    assert len({Choice(), Choice(), Bits(), Real()}) == 3
    assert repr(Choice()) == "Choice()"


@every_action
def test_agents_act_by_their_interface_and_perceive_what_they_did(action: Action) -> None:
    with double_precision():
        agent = BadgerAgent(replace(GAME, action=action), GRUPolicy, RingTopology())
        life, observation = agent.reset(3, 5, 4), some_observation(3, 4)
        life = agent.step(life, observation, seeded(0))
        said = agent.policy.speak(life.hidden, life.traits).view(3, 5)[:, :4]
        torch.testing.assert_close(life.score, said)
        assert torch.equal(life.action, action.decide(life.score, seeded(0)))
        percept = agent.membrane.perceive(life, observation).view(3, 5, -1)
        assert torch.equal(percept[:, :4, 2], life.action)
