"""Lives that go on over outer steps, and what happens in them."""

from __future__ import annotations

import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from properties import Fit, Make, assert_refused, seeded, weights

from badger_graph import BadgerAgent, GRUPolicy, GuessingGame, Sizes, unroll
from badger_graph.events import EVENTS, Births, Clones, Event, OutputChanges, Removals
from badger_graph.outer.gradients import LivingPool
from badger_graph.outer.losses import RootError
from badger_graph.outer.objective import Objective
from topologies import CompleteTopology, MixtureTopology, RandomTopology, RingTopology


def some_agent(seed: int = 0) -> BadgerAgent:
    torch.manual_seed(seed)
    topology = RandomTopology(2, redraw="rollout")
    parts = {"identifier_size": 4, "hidden_size": 8}
    return BadgerAgent(GuessingGame().interface, GRUPolicy, topology, **parts)


def some_objective(agent: BadgerAgent) -> Objective:
    return Objective(agent, GuessingGame(), RootError(), Sizes(6, 2, 5, 3))


def test_a_life_goes_on_where_it_was() -> None:
    """With one batch, no noise, no birth and no new task it is one long life, cut in pieces."""
    agent = some_agent()
    objective = some_objective(agent)
    pool = LivingPool(batches=1, rebirth=0.0, new_tasks=0.0, noise=0.0, grace=0, worst=1e9)
    pieces = [pool(objective, seed, objective.lesson).loss for seed in range(3)]
    task, life = objective.draw(0)
    whole = unroll(agent, task, None, 15, seeded(0), life=life).loss
    torch.testing.assert_close(torch.cat(pieces), whole)


def test_the_gradient_goes_through_one_piece_alone() -> None:
    agent = some_agent()
    objective = some_objective(agent)
    pool = LivingPool(batches=1, rebirth=0.0, new_tasks=0.0, noise=0.0)
    for seed in range(2):
        outcome = pool(objective, seed, objective.lesson)
        outcome.meta_loss.backward()  # would say so if the graph of the first were gone
    assert all(weight.grad is not None for weight in objective.weights)


def test_what_is_new_does_not_count_at_first() -> None:
    agent = some_agent()
    objective = some_objective(agent)
    for grace in (0, 3):
        pool = LivingPool(batches=1, rebirth=1.0, grace=grace)
        outcome = pool(objective, 7, objective.lesson)
        expected = (outcome.loss[grace:] + 1e-5).sqrt().mean()
        torch.testing.assert_close(outcome.meta_loss, expected)


def test_who_is_lost_is_not_put_back() -> None:
    objective = some_objective(some_agent())
    pool = LivingPool(batches=1, worst=0.0)
    pool(objective, 0, objective.lesson)
    assert pool.state_dict() == {}


def test_a_resumed_run_goes_on_with_the_same_agents_to_the_same_bits(
    tiny_learner: Make, fit: Fit, tmp_path: object
) -> None:
    def learner() -> object:
        events: list[Event] = [Births(2, RandomTopology(1, redraw="rollout")), Removals(2, 3)]
        pool = LivingPool(batches=2, event_rate=0.5, events=events, rebirth=0.2, grace=1)
        return tiny_learner(gradient=pool)

    whole, half, rest = learner(), learner(), learner()
    fit(whole, 8)
    fit(half, 4, ModelCheckpoint(tmp_path, filename="it", every_n_train_steps=4))
    fit(rest, 8, ckpt_path=tmp_path / "it.ckpt")
    assert torch.equal(weights(rest), weights(whole))
    assert not torch.equal(weights(half), weights(whole))


@pytest.mark.parametrize("name", [name for name in EVENTS if name != "output_changes"])
def test_events_change_agents_and_they_live_on(name: str) -> None:
    agent = some_agent()
    task = GuessingGame().sample(3, 2, seeded(1))
    life = unroll(agent, task, 8, 4, seeded(2)).life
    before = [value.clone() for value in life.experts]
    after = EVENTS[name]()(agent, life, seeded(3))
    now = after.num_experts
    assert {"births": now > 8, "clones": now > 8, "removals": now < 8}.get(name, now == 8)
    assert torch.equal(after.action, life.action)
    assert all(map(torch.equal, life.experts, before))
    rewired = not torch.equal(after.edges.index, life.edges.index)
    assert rewired
    assert unroll(agent, task, None, 3, seeded(4), life=after).loss.isfinite().all()


def test_outputs_come_and_go_with_a_new_task() -> None:
    agent = some_agent()
    task = GuessingGame().sample(3, 2, seeded(1))
    life = unroll(agent, task, 6, 4, seeded(2)).life
    nums = set()
    for seed in range(40):
        after = OutputChanges(9)(agent, life, seeded(seed))
        nums.add(after.num_outputs)
        kept = min(2, after.num_outputs)
        assert torch.equal(after.action[:, :kept], life.action[:, :kept])
    assert nums == {1, 2, 3, 4, 5, 6}  # never more than experts
    objective = some_objective(agent)
    pool = LivingPool(batches=1, rebirth=0.0, new_tasks=0.0, event_rate=1.0, noise=0.0)
    pool.events, sizes = [OutputChanges(4)], set()
    for seed in range(12):
        outcome = pool(objective, seed, objective.lesson)
        sizes.add(pool.state_dict()["0"]["life"]["action"].size(1))
        assert outcome.loss.isfinite().all()
    assert sizes == {1, 2, 3, 4}


@pytest.mark.parametrize(
    ("event", "num_experts"),
    [(Births(4, most_experts=8), 8), (Clones(4, most_experts=8), 8), (Removals(4, 8), 8)],
)
def test_where_an_event_cannot_happen_nothing_does(event: Event, num_experts: int) -> None:
    agent = some_agent()
    life = agent.reset(2, num_experts, 2, seeded(0))
    assert event(agent, life, seeded(1)) is life


def test_those_who_speak_for_outputs_stay() -> None:
    agent = some_agent()
    for seed in range(20):
        life = agent.reset(1, 8, 3, seeded(seed))
        left = Removals(9, fewest_experts=1)(agent, life, seeded(seed))
        assert left.num_experts >= 3
        assert torch.equal(left.identifier[:3], life.identifier[:3])


def test_events_without_any_are_refused(tiny_learner: Make) -> None:
    pool = LivingPool(event_rate=0.1)
    assert_refused(
        "events must be given where event_rate is not 0", lambda: tiny_learner(gradient=pool)
    )


def test_a_mixture_draws_all_its_families_and_skips_those_without_such_a_graph() -> None:
    mixture = MixtureTopology([CompleteTopology(), RingTopology(), RandomTopology(5)])
    hidden = torch.zeros(2, 5, 3)
    sizes = {mixture(hidden, seeded(seed)).index.size(1) for seed in range(20)}
    assert sizes == {len(topology(hidden).weight) for topology in mixture.topologies[:2]}
    none = MixtureTopology([RandomTopology(5)])
    assert_refused("have a graph of 5 experts, got none: k must be less", lambda: none(hidden))
    assert_refused("at least one topology, got none", lambda: MixtureTopology([]))


def test_the_root_error_by_hand() -> None:
    from properties import rollout_of

    loss = torch.tensor([[0.0, 0.04], [9.0, 0.25]])
    actual = RootError(floor=1e-12)(rollout_of(loss))
    torch.testing.assert_close(actual, torch.tensor((0 + 0.2 + 2 + 0.5) / 4))
