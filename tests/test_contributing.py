"""The worked examples of CONTRIBUTING.md, one file each, are components like any other."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import pytest
import torch
from properties import (
    EXAMPLES,
    GAME,
    TORCH_EXECUTORS,
    Fit,
    assert_agrees_with_reference,
    assert_any_number_of_experts,
    assert_gradients_reach_every_parameter,
    assert_like_any_agent,
    assert_lives_as_any,
    assert_percepts_of_agents_independent,
    assert_permutation_equivariant,
    assert_pure,
    assert_refused,
    assert_round_trip,
    assert_target_is_right,
    assert_task_is_pure,
    assert_tasks_independent,
    build_membrane,
    build_policy,
    double_precision,
    example,
    seeded,
    small_agent,
    some_edges,
    some_life,
    some_observation,
    some_task,
)
from pytorch_optimizer import SOAP

from badger_graph import (
    AddressedMembrane,
    BadgerAgent,
    FixedRounds,
    GRUPolicy,
    GuessingGame,
    HardwiredMembrane,
    MetaLearner,
    TaskFamily,
    unroll,
)
from badger_graph.outer.config import from_config, to_config
from badger_graph.outer.objective import Objective
from badger_graph.outer.sizes import Sizes
from topologies import CompleteTopology, RandomTopology

ROOT = Path(__file__).parents[1]


def errors_of_training(family: TaskFamily, fit: Fit, steps: int, rounds: int) -> list[float]:
    """The errors of the last steps before and after some outer steps, each over 256 lives."""
    torch.manual_seed(0)
    policy, stage = partial(GRUPolicy, gain=1.65), FixedRounds(rounds)
    parts = (policy, CompleteTopology(), None, stage)
    agent = BadgerAgent(family.interface, *parts, hidden_size=16)
    sizes = Sizes(num_experts=4, num_outputs=2, num_steps=12, batch_size=32)
    soap = partial(SOAP, lr=0.01, betas=(0.9, 0.999), weight_decay=0.0)
    learner = MetaLearner(agent, family, sizes=sizes, optimizer=soap)
    judge = Objective(agent, family, learner.meta_loss, Sizes(4, 2, 12, 256))
    errors = []
    for trained in (False, True):
        if trained:
            fit(learner, steps, gradient_clip_val=1.0)
        with torch.no_grad():
            errors.append(judge.unroll(seed=7).loss[-4:].mean().item())
    return errors


def test_contributing_shows_every_example_and_no_other() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    shown = set(re.findall(r"docs/examples/(\w+)\.py", text))
    assert shown == {path.stem for path in EXAMPLES.glob("*.py")}


def test_the_policy() -> None:
    with double_precision():
        policy = build_policy(example("elman_policy").ElmanPolicy, 4, 3, 6, message_size=5)
        for executor in TORCH_EXECUTORS:
            assert_permutation_equivariant(policy, executor, 2, 5)
            assert_agrees_with_reference(policy, executor, some_edges(2, 5, 12), 2, 5)
        elman = partial(example("elman_policy").ElmanPolicy, message_size=5)
        agent = BadgerAgent(GAME, elman, RandomTopology(2))
        assert_any_number_of_experts(agent, [(4, 1), (7, 3)])
        assert_like_any_agent(agent, 5, 2)


def test_the_topology() -> None:
    topology = example("cycle_topology").CycleTopology()
    assert topology.summary(5).strongly_connected
    assert set(topology.graph(3).edges) == {(0, 1), (1, 2), (2, 0)}
    with pytest.raises(ValueError, match="at least two experts, got 1"):
        topology.graph(1)


def test_the_membrane() -> None:
    voting = example("voting_membrane").VotingMembrane
    with double_precision():
        membrane = build_membrane(voting)
        assert_percepts_of_agents_independent(membrane, 6, 2)
        agent = BadgerAgent(GAME, GRUPolicy, RandomTopology(2), voting)
        assert_lives_as_any(agent, 6, 2, num_steps=1)
        assert_any_number_of_experts(agent, [(4, 1), (6, 3)])
        said = torch.tensor([1.0, 2.0, 3.0, 6.0])
        life = some_life(membrane, 1, num_experts=4, num_outputs=2)
        told = some_observation(1, 2)
        assert membrane.act(life, said, told).tolist() == [[2.0, 4.0]]
    message = "equally many voters, got num_experts=5 and num_outputs=2"
    assert_refused(message, lambda: agent.reset(1, 5, 2))


def test_the_curriculum() -> None:
    doubling = example("doubling_experts").DoublingExperts
    curriculum = doubling(2, first=3, doublings=1, every=2)
    assert_round_trip(curriculum, lambda other: torch.tensor(other.lesson(0, 0)[:2]))
    experts = []
    for step in range(4):
        experts.append(curriculum.lesson(0, step).num_experts)
        curriculum.learn(None, 1 / 3)
    assert experts == [3, 3, 6, 6]
    agent = BadgerAgent(GAME, GRUPolicy, RandomTopology(2))
    with pytest.raises(ValueError, match="num_outputs=4 and num_experts=3 in stage 0"):
        MetaLearner(agent, GuessingGame(), curriculum=doubling(first=3))


def test_the_game() -> None:
    with double_precision():
        task = example("hot_and_cold").HotAndCold().sample(3, 2, seeded(0))
        assert_task_is_pure(task)
        assert_tasks_independent(task)
        assert_target_is_right(task)
    state, _ = task.reset()
    for action, warmer in ((task.target / 2, 1.0), (torch.zeros_like(task.target), 0.0)):
        state, observation, _ = task.step(state, action)
        assert (observation.feedback == warmer).all()


def test_the_table_teaches_labels_and_is_learned(fit: Fit) -> None:
    """A label is that of the example before; zeros err by 1; an agent learns to do better."""
    family = example("linear_tables").LinearTables(num_inputs=2)
    task, generator = family.sample(500, 3, seeded(0)), seeded(1)
    state, observation = task.reset(generator)
    right = torch.einsum("bdn,bn->bd", task.teacher, observation.inputs[..., 0]).argmax(dim=1)
    _, observation, error = task.step(state, torch.zeros(500, 3), generator)
    assert torch.equal(observation.outputs[..., 0].argmax(dim=1), right)
    torch.testing.assert_close(error, torch.full((500,), family.chance))
    for membrane in (HardwiredMembrane, AddressedMembrane):
        agent = BadgerAgent(family.interface, GRUPolicy, RandomTopology(2), membrane)
        loss = unroll(agent, task, 6, 3, seeded(2)).loss[-1].mean()
        assert_gradients_reach_every_parameter(loss, agent)
    family = example("linear_tables").LinearTables(num_inputs=1)
    before, after = errors_of_training(family, fit, 100, rounds=2)  # one in, one to who answers
    assert before > 0.9
    assert after < 0.6


def test_the_bandit_pays_as_often_as_its_arms_and_is_learned(fit: Fit) -> None:
    """Rewards have the mean of the arm; any arm errs by 1 on average, the best by 0."""
    family = example("bandit").Bandits()
    task, generator = family.sample(20_000, 2, seeded(0)), seeded(1)
    first = torch.tensor([1.0, 0.0]).expand(20_000, 2)
    _, observation, error = task.step(None, first, generator)
    assert abs((observation.feedback[:, 0] - task.probability[:, 0]).mean()) < 0.01
    assert torch.equal(observation.outputs[..., 0], first)
    assert abs(task.step(None, 1 - first, generator)[2].add(error).mean() - 2) < 1e-3
    best = torch.nn.functional.one_hot(task.probability.argmax(dim=1), 2).float()
    torch.testing.assert_close(task.step(None, best, generator)[2], torch.zeros(20_000))
    before, after = errors_of_training(family, fit, 60, rounds=1)
    assert before > 0.9
    assert after < 0.8


def test_the_environment_is_trained_by_evolution(fit: Fit) -> None:
    """Sensors come in, actions go out; no step is taken twice; evolution needs no gradient."""
    pytest.importorskip("gymnasium")
    family = example("gymnasium_tasks").GymnasiumTasks()
    task = family.sample(3, 2, seeded(0))
    assert (task.num_inputs, task.num_outputs) == (4, 2)
    agent = BadgerAgent(family.interface, GRUPolicy, RandomTopology(2))
    rollout = unroll(agent, task, 6, 5, seeded(0))
    assert (rollout.loss == -1).all()  # no pole falls in five steps

    assert_refused("one output for each of its actions", lambda: family.sample(1, 3))
    evolution = example("evolution").Evolution(pairs=1)
    sizes = Sizes(num_experts=6, num_outputs=2, num_steps=3, batch_size=2)
    learner = MetaLearner(agent, family, gradient=evolution, sizes=sizes)
    before = [weight.clone() for weight in agent.parameters()]
    fit(learner, 1)
    assert all(weight.isfinite().all() for weight in agent.parameters())
    assert len(before) == len(list(agent.parameters()))


def test_evolution_estimates_the_gradient_and_puts_the_weights_back() -> None:
    """Its projection on the true gradient is 1, its cosine what so many pairs give."""
    evolution = example("evolution").Evolution(pairs=400, sigma=0.01)
    with double_precision():
        agent = BadgerAgent(GAME, GRUPolicy, CompleteTopology(), identifier_size=2, hidden_size=4)
        game = GuessingGame()
        objective = Objective(agent, game, MetaLearner(agent, game).meta_loss, Sizes(3, 1, 3, 8))
        weights, before = objective.weights, [one.clone() for one in objective.weights]
        lesson = objective.lesson
        true = torch.autograd.grad(objective(0, lesson).meta_loss, weights)
        state = torch.get_rng_state()
        estimate, again = (
            torch.autograd.grad(evolution(objective, 0, lesson).meta_loss, weights)
            for _ in range(2)
        )
        assert all(map(torch.equal, weights, before))
        assert torch.equal(torch.get_rng_state(), state)
        assert all(map(torch.equal, again, estimate))
    flat, other = (torch.cat([part.flatten() for part in of]) for of in (true, estimate))
    assert abs((flat @ other) / (flat @ flat) - 1) < 0.2
    expected = (400 / (400 + len(flat))) ** 0.5
    assert abs(torch.cosine_similarity(flat, other, dim=0) - expected) < 0.1


def test_the_meta_loss() -> None:
    worst = example("worst_lives").WorstLives(share=0.5)
    agent = BadgerAgent(GAME, GRUPolicy, RandomTopology(2))
    rollout = unroll(agent, some_task(4), 5, 3)
    expected = rollout.loss[-1].sort().values[2:].mean()
    torch.testing.assert_close(worst(rollout), expected)


def test_the_channel_disturbs_every_message_and_no_seed_twice() -> None:
    """On every executor that can; without noise it is the clear channel."""
    noisy = example("noisy_channel").NoisyChannel
    game = some_task()

    def guesses(sigma: float, seed: int, executor: str) -> torch.Tensor:
        agent = small_agent(communication=FixedRounds(2, noisy(sigma)), executor=executor)
        return unroll(agent, game, 5, 3, seeded(seed)).action

    clear = small_agent(communication=FixedRounds(2))
    for executor in TORCH_EXECUTORS:
        assert torch.equal(guesses(1.0, 1, executor), guesses(1.0, 1, executor))
        assert not torch.allclose(guesses(1.0, 1, executor), guesses(1.0, 2, executor))
        torch.testing.assert_close(guesses(0.0, 1, executor), unroll(clear, game, 5, 3).action)
    assert_refused("executor 'fused' needs a ClearChannel", lambda: guesses(1.0, 1, "fused"))


def test_agents_agree_each_by_itself() -> None:
    """Who has agreed stays as it is; one at a time they live as they do together."""
    agreement = example("until_agreement").UntilAgreement
    with double_precision():
        stages = (agreement(0.0, most=3), FixedRounds(3), agreement(9.0), FixedRounds(1))
        agents = [small_agent(communication=stage) for stage in stages]
        task = some_task(4)
        never, three, at_once, one = (unroll(agent, task, 5, 3).action for agent in agents)
        assert torch.equal(never, three)
        assert torch.equal(at_once, one)
        agent = small_agent(communication=agreement(tolerance=0.05))
        assert_lives_as_any(agent, 5, 2, num_steps=1)


def test_two_kinds_of_experts_run_their_own_policies() -> None:
    """Experts 0, 2, 4, ... are of the first kind; weights of the second do not reach them."""
    with double_precision():
        agent = BadgerAgent(GAME, example("two_kinds").TwoKinds, RandomTopology(2))
        life = agent.reset(2, 5, 2, seeded(0))
        assert life.experts.kind.tolist() == [0, 1, 0, 1, 0] * 2
        assert_like_any_agent(agent, 5, 2)
        assert_any_number_of_experts(agent, [(4, 1), (7, 3)])
        _, observation = some_task(2).reset()
        hidden = agent.step(life, observation).hidden
        with torch.no_grad():
            for weight in agent.policy.second.cell.parameters():
                weight.add_(1)
        changed = (agent.step(life, observation).hidden != hidden).any(dim=1)
        assert changed.tolist() == [False, True, False, True, False] * 2


def test_together_they_make_an_agent_that_a_checkpoint_can_name() -> None:
    noisy = FixedRounds(1, example("noisy_channel").NoisyChannel())
    one = partial(HardwiredMembrane, readers="one")
    topology = example("cycle_topology").CycleTopology()
    agent = BadgerAgent(GAME, example("elman_policy").ElmanPolicy, topology, one, noisy)
    assert_pure(agent, 5, 2)
    again = from_config(to_config(agent))
    assert to_config(again) == to_config(agent)
    assert not isinstance(again.policy, GRUPolicy)
