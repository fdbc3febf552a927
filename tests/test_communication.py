"""The communication stage: how far and how often messages travel, and what happens under way."""

from __future__ import annotations

import pytest
import torch
from properties import (
    GAME,
    Stage,
    assert_refused,
    assert_round_trip,
    build_policy,
    double_precision,
    every_policy_and_executor,
    every_torch_executor,
    seeded,
    small_agent,
    some_edges,
    some_inputs,
    some_observation,
)
from torch import Tensor

from badger_graph import (
    AttentionMembrane,
    AttentionPolicy,
    BadgerAgent,
    Channel,
    ClearChannel,
    Edges,
    FixedRounds,
)
from badger_graph.channels import LossyChannel
from badger_graph.executors.prepare import ExecutorName, prepare
from badger_graph.policies import POLICIES
from topologies import CompleteTopology

# ------------------------------------------------------------------------------------- rounds


@every_policy_and_executor
@pytest.mark.parametrize("rounds", [1, 2, 5])
def test_rounds_are_repetitions_of_the_policy(
    name: str, executor: ExecutorName, rounds: int
) -> None:
    policy, edges = build_policy(POLICIES[name]).double(), some_edges(2, 4, 20)
    inputs = some_inputs(policy, edges, 8)
    hidden, *told, _ = inputs
    prepared = prepare(edges, 2, 4, executor, policy)
    after, said = Stage(policy, rounds)(inputs, prepared)
    for _ in range(rounds):
        hidden, last_said = prepared.round(policy, hidden, *told)
    torch.testing.assert_close(after, hidden, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(said, last_said, rtol=1e-12, atol=1e-12)
    spoken = policy.speak(hidden, inputs.identifier)[:, 0]
    torch.testing.assert_close(said, spoken, rtol=1e-12, atol=1e-12)


@every_policy_and_executor
def test_news_travels_one_edge_a_round(name: str, executor: ExecutorName) -> None:
    """On the path 0 -> 1 -> 2 -> 3 -> 4, r rounds take a change of expert 0 to expert r."""
    policy = build_policy(POLICIES[name]).double()
    path = Edges(torch.tensor([[0, 1, 2, 3], [1, 2, 3, 4]]), torch.ones(4).double())
    inputs = some_inputs(policy, path, 5)
    prepared = prepare(path, 1, 5, executor, policy)
    news = inputs.hidden.clone()
    news[0] += 1
    for rounds in range(1, 5):
        before, said = Stage(policy, rounds)(inputs, prepared)
        after, said_then = Stage(policy, rounds)(inputs._replace(hidden=news), prepared)
        reached = [n <= rounds for n in range(5)]
        assert (before != after).any(dim=1).tolist() == reached
        assert (said != said_then).tolist() == reached


@pytest.mark.parametrize("channel", [None, ClearChannel(), LossyChannel(0.4)])
def test_round_trip(channel: Channel | None) -> None:
    assert_round_trip(FixedRounds(3, channel), lambda stage: torch.tensor(stage.rounds))


# ----------------------------------------------------------------------------------- channels


class Louder(Channel):
    """Messages arrive so many times as loud, with noise."""

    def __init__(self, factor: float = 2.0, noise: float = 0.0) -> None:
        super().__init__()
        self.factor = factor
        self.noise = noise

    def forward(self, sent: Tensor, generator: torch.Generator | None = None) -> Tensor:
        drawn = torch.randn(sent.shape, generator=generator, dtype=sent.dtype)
        return self.factor * sent + self.noise * drawn


def make(executor: ExecutorName, channel: Channel | None = None) -> BadgerAgent:
    return small_agent(communication=FixedRounds(2, channel), executor=executor)


@every_torch_executor
def test_a_channel_of_ones_own_is_applied_in_every_round(executor: ExecutorName) -> None:
    """As if the policy had sent its messages so."""
    with double_precision():
        told, agent = some_observation(2, 2), make(executor, Louder())
        loud, usual = make(executor), make(executor)
        with torch.no_grad():
            for parameter in loud.policy.message_mlp[-1].parameters():
                parameter *= 2
        actual, expected, other = (
            one.step(one.step(one.reset(2, 5, 2), told), told) for one in (agent, loud, usual)
        )
        torch.testing.assert_close(actual.hidden, expected.hidden, rtol=1e-12, atol=1e-12)
        assert not torch.allclose(actual.hidden, other.hidden)


@every_torch_executor
def test_noise_is_drawn_anew_in_every_round_by_the_generator(executor: ExecutorName) -> None:
    """The same for all who hear a sender, and the same in every executor."""
    with double_precision():
        told, agent = some_observation(2, 2), make(executor, Louder(1.0, 0.5))
        life = agent.reset(2, 5, 2)
        noisy = agent.step(life, told, seeded(0))
        generator, policy = seeded(0), agent.policy
        percept = agent.membrane.perceive(life, told)
        hidden, reference = life.hidden, prepare(life.edges, 2, 5, "reference", policy)
        for _ in range(2):
            sent = policy.emit(hidden, life.traits)
            sent = sent + 0.5 * torch.randn(sent.shape, generator=generator)
            heard = reference.exchange(policy, sent)
            hidden = policy.next_hidden(hidden, heard, percept, life.traits)
        torch.testing.assert_close(noisy.hidden, hidden, rtol=1e-12, atol=1e-12)
        assert not torch.equal(agent.step(life, told, seeded(1)).hidden, noisy.hidden)


def test_a_lossy_channel_loses_as_many_as_it_says_and_whole_messages() -> None:
    sent = torch.arange(1.0, 40_001.0).view(-1, 2)
    arrived = LossyChannel(0.3)(sent, seeded(0))
    lost = (arrived == 0).all(dim=1)
    torch.testing.assert_close(arrived[~lost], sent[~lost], rtol=0, atol=0)
    assert lost.double().mean().item() == pytest.approx(0.3, abs=0.01)
    assert not LossyChannel(1.0)(sent, seeded(0)).any()
    assert torch.equal(LossyChannel(0.0)(sent, seeded(0)), sent)
    assert_refused("probability must be .* got 1.5", lambda: LossyChannel(1.5))


@pytest.mark.native
def test_executors_that_cannot_apply_it_refuse_it() -> None:
    agent = make("fused", Louder())
    message = "executor 'fused' needs a ClearChannel, got Louder"
    assert_refused(message, lambda: agent.reset(2, 5, 2))
    assert make("auto", Louder()).reset(2, 5, 2).executor.name == "dense"
    assert make("auto").reset(2, 5, 2).executor.name == "fused"
    parts = (AttentionPolicy, CompleteTopology(), AttentionMembrane, FixedRounds(1, Louder()))
    attentional = BadgerAgent(GAME, *parts)
    message = "executor 'attention' needs a ClearChannel, got Louder"
    assert_refused(message, lambda: attentional.reset(2, 5, 2))
    message = "compiled takes a clear channel, .* got a Louder"
    assert_refused(message, lambda: BadgerAgent(GAME, *parts, compiled=True))
