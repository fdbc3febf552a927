"""The compiled inner step: the same results, compiled once for all sizes and graphs."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import torch
from properties import (
    GAME,
    assert_near,
    assert_refused,
    example,
    life_and_gradients,
    small_agent,
    some_task,
)
from torch import Tensor

from badger_graph import (
    BadgerAgent,
    FixedRounds,
    GRUPolicy,
    GuessingGame,
    MetaLearner,
)
from badger_graph.agent import deliberate
from badger_graph.executors.prepare import ExecutorName
from badger_graph.outer.sizes import Sizes
from topologies import RandomTopology

FIRST = (6, 9, 2)
SIZES = [(5, 16, 3), (4, 24, 5), (9, 48, 2), (7, 17, 4)]
"""B, N and d."""


ElmanPolicy = partial(example("elman_policy").ElmanPolicy, message_size=5)


def twins(executor: ExecutorName, dtype: torch.dtype, **arguments: Any) -> list[BadgerAgent]:
    """The same agent as it is and compiled; every agent of a batch has a graph of its own."""
    make = partial(small_agent, RandomTopology(2, redraw="agent"), ElmanPolicy, executor=executor)
    return [make(compiled=compiled, **arguments).to(dtype) for compiled in (False, True)]


def live(
    agent: BadgerAgent, batch_size: int, num_experts: int, num_outputs: int, **arguments: Any
) -> dict[str, Tensor]:
    task = some_task(batch_size, num_outputs)
    task.target = task.target.to(agent.dtype)
    return life_and_gradients(agent, task, num_experts, **arguments)


def assert_alike(agent: BadgerAgent, other: BadgerAgent, *sizes: int, **arguments: Any) -> None:
    tolerance = 1e-6 if agent.dtype == torch.float32 else 1e-10
    expected = live(agent, *sizes, **arguments)
    for name, value in live(other, *sizes, **arguments).items():
        error = (value - expected[name]).norm() / expected[name].norm()
        assert error < tolerance, f"{name} of {sizes}: {error}"


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    """A process keeps few variants of a function."""
    yield
    torch.compiler.reset()


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Traced and differentiated as ever, but no code is generated: seconds instead of a minute."""
    step = torch.compile(deliberate, dynamic=True, backend="aot_eager")
    monkeypatch.setattr("badger_graph.agent.compiled", lambda function: step)


@pytest.mark.native
def test_compiled_for_all_sizes_and_graphs() -> None:
    eager, agent = twins("dense", torch.float32)
    live(agent, *FIRST)
    with torch.compiler.set_stance("fail_on_recompile"):
        for sizes in (FIRST, *SIZES):
            assert_alike(eager, agent, *sizes)


@pytest.mark.parametrize(("executor", "rounds"), [("dense", 1), ("sparse", 2)])
@pytest.mark.usefixtures("quickly")
def test_traced_once_and_once_more_without_gradients(executor: ExecutorName, rounds: int) -> None:
    eager, agent = twins(executor, torch.float64, communication=FixedRounds(rounds))
    live(agent, *FIRST)
    with torch.no_grad():
        live(agent, *FIRST)
    with torch.compiler.set_stance("fail_on_recompile"):
        for sizes in (FIRST, *SIZES):
            assert_alike(eager, agent, *sizes)
            with torch.no_grad():
                assert_alike(eager, agent, *sizes)


@pytest.mark.usefixtures("quickly")
def test_long_lives_and_copies() -> None:
    eager, agent = twins("auto", torch.float64)
    for arguments in ({"detach_every": 2}, {"checkpoint_every": 2}):
        assert_alike(eager, agent, 3, 7, 2, **arguments)
    other = copy.deepcopy(agent)
    with torch.no_grad():
        for parameter in agent.parameters():
            parameter.zero_()
    assert_alike(eager, other, 3, 7, 2)


@pytest.mark.native
def test_the_fused_executor_serves_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("badger_graph.agent.compiled", None)  # nobody may call it
    parts = (GAME, GRUPolicy, RandomTopology(2))
    one, other = (BadgerAgent(*parts, compiled=c) for c in (False, True))
    other.load_state_dict(one.state_dict())
    assert_near(live(one, 3, 7, 2), live(other, 3, 7, 2))
    assert other.reset(3, 7, 2).executor.name == "fused"


@pytest.mark.usefixtures("quickly")
def test_a_learner_compiles_nothing_before_it_trains() -> None:
    torch._dynamo.utils.counters.clear()
    MetaLearner(twins("auto", torch.float32)[1], GuessingGame(), sizes=Sizes(5, 2))
    assert not torch._dynamo.utils.counters["stats"]


@pytest.mark.parametrize("executor", ["reference", "fused"])
def test_other_executors_are_refused(executor: ExecutorName) -> None:
    parts = (GAME, ElmanPolicy, RandomTopology(2))
    message = f"compiled takes the executor auto, dense or sparse .*got executor='{executor}'"
    assert_refused(message, lambda: BadgerAgent(*parts, executor=executor, compiled=True))
