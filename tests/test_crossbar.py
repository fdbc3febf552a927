"""Experts on wires, and the crossbar made of them."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from properties import (
    assert_gradients_reach_every_parameter,
    assert_refused,
    assert_round_trip,
    in_double,
    seeded,
    uniform,
)
from torch import Tensor

from badger_graph import (
    BadgerAgent,
    Birth,
    GRUPolicy,
    Interface,
    Observation,
    from_pyg,
    to_pyg,
    unroll,
)
from badger_graph.executors.prepare import ExecutorName
from badger_graph.executors.wires import WiresExecutor
from badger_graph.growth import grow_crossbar
from badger_graph.life import Life
from badger_graph.membranes import CrossbarMembrane
from badger_graph.membranes.crossbar import Blocks
from badger_graph.policies import AnnealedFastWeightPolicy, ExpertPolicy, WiredFastWeightPolicy
from badger_graph.tasks import CLASSIFICATION, REGRESSION, Classification, Regression, Regressions
from topologies import CrossbarTopology, RingTopology, Topology, Wires
from topologies.crossbar import CrossbarLayout
from topologies.wires import check_wires


def crossbar(
    seed: int = 0,
    interface: Interface = CLASSIFICATION,
    policy: type[ExpertPolicy] | partial[ExpertPolicy] = WiredFastWeightPolicy,
) -> BadgerAgent:
    torch.manual_seed(seed)
    return BadgerAgent(
        interface,
        policy,
        CrossbarTopology(),
        CrossbarMembrane,
        birth=Birth(identifiers="random"),
        identifier_size=3,
        hidden_size=12,
    )


def some_examples(batch_size: int, num_inputs: int, num_outputs: int, seed: int) -> Observation:
    """An example that was answered, and another to be answered."""
    dtype = torch.get_default_dtype()
    inputs = uniform(seed, batch_size, num_inputs, 4).to(dtype)
    inputs[..., 1::2] = (inputs[..., 1::2] > -0.5).to(dtype)
    label = torch.arange(batch_size) % num_outputs
    truth = torch.nn.functional.one_hot(label, num_outputs).to(dtype)
    outputs = torch.stack([truth, torch.ones_like(truth)], dim=-1)
    return Observation(torch.zeros(batch_size, 0), inputs, outputs)


def test_an_expert_is_on_the_wires_that_cross_where_it_is() -> None:
    assert CrossbarLayout.of(num_experts=12, num_outputs=2, num_inputs=1) == (2, 2, 2)
    layout = CrossbarLayout(inputs=2, outputs=2, hidden=1)
    assert layout.num_experts == 8
    wire, num_wires = layout.wires()
    # inputs are wires 0 and 1 (the constant), outputs 2 and 3, the hidden one is 4
    assert num_wires == 5
    take, give = wire.tolist()
    assert list(zip(take, give, strict=True)) == [
        *((0, 2), (0, 3), (1, 2), (1, 3)),
        *((0, 4), (1, 4), (4, 2), (4, 3)),
    ]


def test_another_hidden_wire_adds_experts_at_the_end() -> None:
    few, more = (CrossbarLayout(inputs=4, outputs=3, hidden=hidden) for hidden in (2, 3))
    assert torch.equal(more.wires().wire[:, : few.num_experts], few.wires().wire)


def test_pairs_hear_each_other_where_they_share_a_wire() -> None:
    wires = Wires(torch.tensor([[0, 0, 1], [2, 3, 3]]), 4)
    index, weight = wires.to_edges()
    pairs = dict(zip(zip(*index.tolist(), strict=True), weight.tolist(), strict=True))
    assert pairs == {
        (0, 0): 2,
        (0, 1): 1,
        (1, 0): 1,
        (1, 1): 2,
        (1, 2): 1,
        (2, 1): 1,
        (2, 2): 2,
    }


@in_double
def test_an_expert_hears_the_mean_of_each_of_its_wires() -> None:
    wires = CrossbarLayout(inputs=3, outputs=2, hidden=2).wires().repeat(2, 16)
    policy = WiredFastWeightPolicy(4, 0, 8)
    sent = uniform(0, 32, 5)
    exchange = WiresExecutor(wires, 2, 16).neighbours(policy, None)
    assert callable(exchange)
    heard = exchange(sent)
    for expert in range(32):
        for kind in range(2):
            there = (wires.wire == wires.wire[kind, expert]).any(dim=0)
            own = heard[expert, 5 * kind : 5 * (kind + 1)]
            torch.testing.assert_close(own, sent[there].mean(dim=0), rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    ("wire", "batch_size", "num_experts", "message"),
    [
        (0, 2, 2, "no wire may join two agents"),
        (1, 1, 4, "wires of experts must be 0 to 0, got 1"),
        (0, 2, 3, "V = 6 experts"),
    ],
)
def test_wires_that_no_agent_could_have_are_refused(
    wire: int, batch_size: int, num_experts: int, message: str
) -> None:
    wires = Wires(torch.full((1, 4), wire), 1)
    assert_refused(message, lambda: check_wires(wires, batch_size, num_experts))


@pytest.mark.parametrize(
    ("topology", "policy", "executor", "message"),
    [
        (CrossbarTopology(), GRUPolicy, "auto", "hears 2 wires, such as WiredFastWeightPolicy"),
        (CrossbarTopology(), WiredFastWeightPolicy, "dense", "edges between experts, got wires"),
        (
            RingTopology(),
            WiredFastWeightPolicy,
            "auto",
            "wires, such as CrossbarTopology, as a WiredFastWeight",
        ),
    ],
)
def test_policy_topology_and_executor_must_all_be_of_wires(
    topology: Topology, policy: type, executor: ExecutorName, message: str
) -> None:
    parts = (CLASSIFICATION, policy, topology, CrossbarMembrane)
    agent = BadgerAgent(*parts, executor=executor)
    assert_refused(message, lambda: agent.reset(1, None, 2, num_inputs=2))


def test_a_number_of_experts_that_makes_no_crossbar_is_refused() -> None:
    agent = crossbar()
    assert agent.reset(1, None, 3, num_inputs=2).num_experts == 3 * 3 + 16 * (3 + 3)
    assert agent.reset(1, 9, 3, num_inputs=2).num_experts == 9
    message = r"\(n \+ 1\) d = 9 experts and n \+ 1 \+ d = 6 more for .* got num_experts=10"
    assert_refused(message, lambda: agent.reset(1, 10, 3, num_inputs=2))


@in_double
def test_scores_are_sums_over_crossings() -> None:
    """Worked out by hand from what experts say and what their states are."""
    agent = crossbar().double()
    for parameter in agent.membrane.reading.parameters():
        parameter.data.uniform_(-1, 1)
    life = agent.reset(2, 3 * 2 + 2 * 5, 2, seeded(0), num_inputs=2)
    life = life.with_hidden(uniform(1, *life.hidden.shape))
    observation = some_examples(2, 2, 2, seed=3)
    said = uniform(2, len(life.hidden))
    score = agent.membrane.act(life, said, observation)
    reading = life.hidden[:, 0] + agent.membrane.reading(life.hidden)[:, 0]
    for b in range(2):
        own, read = said.view(2, -1)[b], reading.view(2, -1)[b]
        known = torch.cat([observation.inputs[b, :, 3], torch.ones(1)])
        x = torch.cat([observation.inputs[b, :, 2], torch.ones(1)]) * known
        start = life.experts.identifier.view(2, -1, 3)[b, :, 0] * 2 / 3**0.5
        away = []
        for k in range(2):
            first = 6 + 5 * k
            own_start = torch.cat([start[first : first + 2], torch.ones(1)])
            prototype = read[first : first + 3] + own_start
            away.append((known * (x - prototype)).square().sum())
        z = (-6 / 2 / 3**0.5 * torch.stack(away)).softmax(dim=0)
        z = 2 * 2**-0.4 * z / z.norm()
        for j in range(2):
            direct = sum(own[2 * i + j] + read[2 * i + j] * x[i] for i in range(3)) / 3**0.5
            after = [9 + 5 * k + j for k in range(2)]
            through = sum(z[k] * (own[after[k]] + read[after[k]]) for k in range(2))
            torch.testing.assert_close(score[b, j], direct + through)


@in_double
def test_who_was_never_trained_learns_by_normalised_least_mean_squares() -> None:
    agent = crossbar(interface=REGRESSION).double()
    agent.policy.rates.weight.data.zero_()
    inputs, truth = uniform(0, 9, 2, 3), uniform(1, 9, 2, 2)
    rollout = unroll(agent, Regression(inputs, truth), 4 * 2, 9)  # direct crossings only
    weight = torch.zeros(2, 4, 2)
    for step in range(9):
        x = torch.cat([inputs[step], torch.ones(2, 1)], dim=1)[..., None]
        said = (x * weight).sum(dim=1)
        torch.testing.assert_close(rollout.action[step], said)
        error = (truth[step] - said)[:, None]
        weight += 0.5 * x * error / x.square().sum(dim=1, keepdim=True)


@in_double
def test_annealed_and_never_trained_it_learns_by_adagrad() -> None:
    policy = partial(AnnealedFastWeightPolicy, annealing=0.5, rate=0.3)
    agent = crossbar(interface=CLASSIFICATION, policy=policy).double()
    agent.policy.rates.weight.data.zero_()
    inputs = uniform(0, 9, 2, 3)
    truth = torch.nn.functional.one_hot(torch.arange(18).view(9, 2) % 2, 2).double()
    rollout = unroll(agent, Classification(inputs, truth), 4 * 2, 9)  # direct crossings only
    weight = total = torch.zeros(2, 4, 2)
    for step in range(9):
        x = torch.cat([inputs[step], torch.ones(2, 1)], dim=1)[..., None]
        said = ((x * weight).sum(dim=1) / 2).softmax(dim=1)
        torch.testing.assert_close(rollout.action[step], said)
        gradient = x * (truth[step] - said)[:, None] / x.square().mean(dim=1, keepdim=True).sqrt()
        total = total + gradient.square()
        weight = weight + 0.3 * gradient / (1 + total).sqrt()


@in_double
def test_prototypes_perceive_the_gradient_of_their_part_in_the_error() -> None:
    agent = crossbar(interface=REGRESSION).double()
    life = agent.reset(2, None, 2, seeded(0), num_inputs=3)
    hidden = uniform(1, *life.hidden.shape).requires_grad_()
    action = uniform(2, 2, 2)
    life = life.with_hidden(hidden)._replace(action=action)
    told = some_examples(2, 3, 2, seed=3)
    told.inputs[..., 2:] = told.inputs[..., :2]  # the example to answer is the last once more
    error = told.outputs[..., 0] - action
    score = agent.membrane.act(life, torch.zeros(len(hidden)), told)
    (gradient,) = torch.autograd.grad((error * score).sum(), hidden)
    percept = Blocks.of(agent.membrane.perceive(life, told), life).before[..., 1]
    sharpness = agent.membrane.log_sharpness.detach().exp() / 4**0.5
    torch.testing.assert_close(Blocks.of(gradient[:, 0], life).before, sharpness * percept)


def permuted(agent: BadgerAgent, life: Life, rows: Tensor, columns: Tensor) -> Life:
    """The same agents with inputs and outputs in another order, their experts with them."""

    def move(value: Tensor) -> Tensor:
        blocks = Blocks.of(value, life)
        return Blocks(
            blocks.direct[:, rows][:, :, columns],
            blocks.before[:, :, rows],
            blocks.after[:, :, columns],
        ).join()

    experts = type(life.experts)(*map(move, life.experts))
    return agent.life(
        experts, life.addresses, life.action[:, columns], life.links, life.score[:, columns]
    )


@in_double
def test_permuting_inputs_and_outputs_permutes_all_there_is() -> None:
    agent = crossbar().double()
    life = agent.reset(2, None, 3, seeded(0), num_inputs=4)
    rows, columns = torch.tensor([2, 0, 3, 1]), torch.tensor([1, 2, 0])
    rows_and_constant = torch.cat([rows, torch.tensor([4])])
    other = permuted(agent, life, rows_and_constant, columns)
    for step in range(4):
        told = some_examples(2, 4, 3, step)
        moved = Observation(told.feedback, told.inputs[:, rows], told.outputs[:, columns])
        life, other = agent.step(life, told), agent.step(other, moved)
        torch.testing.assert_close(other.action, life.action[:, columns], rtol=0, atol=1e-12)
        again = permuted(agent, life, rows_and_constant, columns)
        torch.testing.assert_close(other.hidden, again.hidden, rtol=0, atol=1e-12)
    assert not torch.allclose(life.action[:, 0], life.action[:, 1])


@in_double
def test_what_happens_to_one_agent_no_other_notices() -> None:
    agent = crossbar().double()
    life = other = agent.reset(3, None, 2, seeded(0), num_inputs=3)
    for step in range(3):
        told = some_examples(3, 3, 2, step)
        changed = Observation(*(value.clone() for value in told))
        changed.inputs[1, :, [0, 2]] += 1
        changed.outputs[1, :, 0] = 1 - changed.outputs[1, :, 0]
        life, other = agent.step(life, told), agent.step(other, changed)
    same = (life.action - other.action).abs().amax(dim=1) < 1e-13
    assert same.tolist() == [True, False, True]


def test_any_number_of_inputs_outputs_and_hidden_wires_with_the_same_weights() -> None:
    agent = crossbar()
    for num_inputs, num_outputs, hidden in ((1, 1, 0), (1, 2, 1), (7, 5, 3), (2, 2, 40)):
        num_experts = CrossbarLayout(num_inputs + 1, num_outputs, hidden).num_experts
        life = agent.reset(2, num_experts, num_outputs, seeded(0), num_inputs)
        life = agent.step(life, some_examples(2, num_inputs, num_outputs, 0))
        assert life.action.isfinite().all()
        torch.testing.assert_close(life.action.sum(dim=1), torch.ones(2))


@pytest.mark.parametrize("policy", [WiredFastWeightPolicy, AnnealedFastWeightPolicy])
def test_gradients_reach_every_parameter(policy: type[ExpertPolicy]) -> None:
    agent = crossbar(interface=REGRESSION, policy=policy)
    for parameter in agent.parameters():  # some are silent at first
        parameter.data += 0.1 * uniform(0, *parameter.shape).to(parameter)
    task = Regressions(num_inputs=3, num_examples=10).sample(4, 3, seeded(0))
    rollout = unroll(agent, task, None, 1, seeded(0))
    assert rollout.loss.shape == (10, 4)  # the task says how long a life is
    assert_gradients_reach_every_parameter(rollout.loss.mean(), agent)


def test_a_missing_input_says_nothing_but_that_it_is_missing() -> None:
    agent = crossbar()
    life = agent.reset(2, None, 2, seeded(0), num_inputs=3)
    told = some_examples(2, 3, 2, 0)
    told.inputs[:, 1, [1, 3]] = 0.0
    other = Observation(told.feedback, told.inputs.clone(), told.outputs)
    other.inputs[:, 1, [0, 2]] += 5.0
    first, second = agent.step(life, told), agent.step(life, other)
    assert torch.equal(first.action, second.action)
    assert torch.equal(first.hidden, second.hidden)


def test_without_an_answer_nothing_is_learned_of_the_example() -> None:
    """Nobody is blamed, whatever the example was."""
    agent = crossbar()
    life = agent.reset(2, None, 2, seeded(0), num_inputs=3)
    told = some_examples(2, 3, 2, 0)
    told.outputs.zero_()
    other = Observation(told.feedback, told.inputs.clone(), told.outputs)
    other.inputs[..., 0] += 1.0
    assert torch.equal(agent.step(life, told).hidden, agent.step(life, other).hidden)


def test_the_graph_has_an_edge_for_each_pair_on_a_wire() -> None:
    life = crossbar().reset(2, 6, 2, seeded(0), num_inputs=2)
    graph = to_pyg(life)
    assert graph.edge_index.size(1) == 2 * 6 * (2 + 3 - 1)  # a row of 2, a column of 3, itself once


@in_double
def test_steps_are_pure_and_agents_of_a_batch_independent() -> None:
    agent = crossbar()
    life = agent.step(agent.reset(3, None, 2, seeded(0), 2), some_examples(3, 2, 2, 0))
    told, before = some_examples(3, 2, 2, 1), life.hidden.clone()
    after, again = agent.step(life, told), agent.step(life, told)
    assert torch.equal(again.hidden, after.hidden)
    assert torch.equal(life.hidden, before)
    other = Observation(*(field.clone() for field in told))
    other.inputs[1] += 1.0
    disturbed = agent.step(life, other)
    of_agents = (after.action, disturbed.action), (after.hidden, disturbed.hidden)
    for value, changed in of_agents:
        value, changed = value.view(3, -1), changed.view(3, -1)
        torch.testing.assert_close(changed[[0, 2]], value[[0, 2]], rtol=0, atol=1e-12)
        assert not torch.allclose(changed[1], value[1])


def test_an_agent_from_its_config_is_the_same() -> None:
    def actions(agent: BadgerAgent) -> Tensor:
        life = agent.reset(2, None, 2, seeded(0), num_inputs=2)
        return agent.step(life, some_examples(2, 2, 2, 0)).action

    assert_round_trip(crossbar(), actions)


def test_a_topology_first_used_for_inference_serves_training() -> None:
    agent = crossbar()
    with torch.inference_mode():
        agent.reset(2, None, 2, seeded(0), num_inputs=2)
    life = agent.reset(2, None, 2, seeded(0), num_inputs=2)
    agent.step(life, some_examples(2, 2, 2, 0)).action.sum().backward()


def test_an_agent_goes_on_from_its_graph() -> None:
    agent = crossbar()
    life = agent.reset(2, None, 2, seeded(0), num_inputs=2)
    again = from_pyg(agent, to_pyg(life))
    told = some_examples(2, 2, 2, 0)
    assert torch.equal(agent.step(again, told).action, agent.step(life, told).action)


@in_double
def test_a_crossbar_grows_and_nothing_that_is_there_changes() -> None:
    agent = crossbar().double()
    life = agent.reset(2, None, 2, seeded(0), num_inputs=2)
    life = agent.step(life, some_examples(2, 2, 2, 0))
    grown = grow_crossbar(agent, life, num_outputs=3, num_inputs=4, generator=seeded(1))
    assert (grown.num_outputs, grown.num_inputs) == (3, 4)
    rows = torch.tensor([0, 1, 4])
    states = (Blocks.of(one.hidden[:, 1:], one) for one in (life, grown))
    weights = (agent.membrane.weights(one) for one in (life, grown))
    for old, new in (states, weights):
        torch.testing.assert_close(new.direct[:, rows][:, :, :2], old.direct)
        torch.testing.assert_close(new.before[:, :, rows], old.before)
        torch.testing.assert_close(new.after[:, :, :2], old.after)
    assert not Blocks.of(grown.hidden, grown).direct[:, 2:4].any()
    assert torch.equal(grown.action[:, :2], life.action)
    assert agent.step(grown, some_examples(2, 4, 3, 1)).action.isfinite().all()
    assert_refused(r"at least \(d, n\) = \(2, 2\)", lambda: grow_crossbar(agent, life, 1, 2))
