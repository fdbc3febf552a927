"""The meta-learner that is an agent of one expert: the policy by hand, its membrane, the agent."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from lightning import Trainer
from properties import (
    assert_like_any_agent,
    build_membrane,
    build_policy,
    in_double,
    seeded,
    small_agent,
    some_life,
    some_task,
    uniform,
)
from torch import nn

from badger_graph import (
    BadgerAgent,
    LSTMPolicy,
    MetaLearner,
    Observation,
    Recorder,
    SumOfWaves,
    WholeMembrane,
    load_agent,
    unroll,
)
from badger_graph.executors.prepare import prepare
from badger_graph.outer.sizes import Sizes
from badger_graph.typing import Edges
from topologies import CompleteTopology, IsolatedTopology, Topology

D, CELL = 3, 5

SIZES = {"identifier_size": 0, "hidden_size": 2 * CELL}


def make(topology: Topology | None = None, **arguments: object) -> BadgerAgent:
    membrane = partial(WholeMembrane, num_outputs=D)
    given = {**SIZES, "membrane": membrane, **arguments}
    return small_agent(topology or IsolatedTopology(), LSTMPolicy, **given)


def make_policy(**arguments: object) -> LSTMPolicy:
    return build_policy(LSTMPolicy, (1, D), **{**SIZES, **arguments})


# -------------------------------------------------------------------------------- the policy


def test_it_is_an_lstm() -> None:
    """Three steps are those of nn.LSTM, one layer, with the same weights, and no identifier."""
    policy = make_policy().double()
    lstm = nn.LSTM(1 + D, CELL, dtype=torch.float64)
    cell = policy.cell.state_dict()
    lstm.load_state_dict({f"{name}_l0": value for name, value in cell.items()})
    percepts = uniform(0, 3, 2, 1 + D)
    nobody = Edges.unweighted(torch.zeros(2, 0, dtype=torch.int64))
    alone = prepare(nobody, 2, 1, "auto", policy)
    hidden, said = torch.zeros(2, 2 * CELL, dtype=torch.float64), []
    for percept in percepts:
        hidden, numbers = alone.round(policy, hidden, percept, None)
        said.append(numbers)
    output, (last, memory) = lstm(percepts)
    torch.testing.assert_close(torch.stack(said), policy.readout(output))
    torch.testing.assert_close(hidden, torch.cat([last[0], memory[0]], dim=-1))
    torch.testing.assert_close(policy.messages(hidden, None), last[0])


def test_the_gain_scales_the_weights_at_the_start() -> None:
    plain, scaled = [], []
    for gain, weights in ((1.0, plain), (2.0, scaled)):
        torch.manual_seed(0)
        weights += make_policy(gain=gain).parameters()
    for one, other in zip(plain, scaled, strict=True):
        assert torch.equal(2 * one, other)


# ------------------------------------------------------------------------------ the membrane


def test_it_perceives_all_and_speaks_for_all() -> None:
    membrane = build_membrane(WholeMembrane, num_outputs=2, **SIZES)
    action = torch.tensor([[-1.0, 1.0], [-2.0, 2.0]])
    life = some_life(membrane, 2, 1, 2)._replace(action=action)
    told = Observation(torch.tensor([[0.5], [0.25]]), torch.ones(2, 0, 0), torch.ones(2, 2, 1))
    percept = membrane.perceive(life, told)
    assert percept.tolist() == [[0.5, -1.0, 1.0], [0.25, -2.0, 2.0]]
    assert membrane.act(life, 2 * action, told).tolist() == [[-2.0, 2.0], [-4.0, 4.0]]


# --------------------------------------------------------------------------------- the agent


@in_double
def test_it_is_like_any_agent() -> None:
    assert_like_any_agent(make(), 1, D)


@pytest.mark.parametrize("executor", ["auto", "reference", "sparse"])
def test_nobody_is_heard(executor: str) -> None:
    """Whatever the topology and the executor of the messages that there are not."""
    task = some_task(2, D)
    expected = unroll(make(), task, 1, 3).action
    other = make(topology=CompleteTopology(), executor=executor)
    torch.testing.assert_close(unroll(other, task, 1, 3).action, expected)


def test_what_is_recorded() -> None:
    agent = make()
    recorder = Recorder(agent)
    unroll(agent, some_task(2, D), 1, 4, probe=recorder)
    arrays = recorder.arrays()
    assert arrays["hidden"].shape == (4, 2, 1, 2 * CELL)
    torch.testing.assert_close(arrays["message"], arrays["hidden"][..., :CELL])


def test_it_is_trained_and_a_checkpoint_knows_it(
    fit: Callable[..., Trainer], tmp_path: Path
) -> None:
    """The whole pipeline serves it, on the waves too."""
    task = SumOfWaves().sample(8, D, seeded(1))
    agent = make()
    before = unroll(agent, task, 1, 4).action
    sizes = {"num_experts": 1, "num_outputs": D, "num_steps": 4, "batch_size": 4}
    learner = MetaLearner(agent, SumOfWaves(bins=12), sizes=Sizes(**sizes))
    fit(learner, 3).save_checkpoint(tmp_path / "it.ckpt")
    after, again = (unroll(a, task, 1, 4).action for a in (agent, load_agent(tmp_path / "it.ckpt")))
    assert torch.equal(after, again)
    assert not torch.allclose(after, before)
