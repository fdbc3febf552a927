"""The compiled inner step: the same results, compiled once for all sizes and graphs."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from properties import assert_near, assert_refused, seeded
from torch import Tensor, nn

from badger_graph import (
    BadgerAgent,
    GRUPolicy,
    GuessingGame,
    HardwiredMembrane,
    MessagePolicy,
    MetaLearner,
    compiled,
    unroll,
)
from badger_graph.executors.prepare import Executor
from badger_graph.outer import Sizes
from topologies import RandomTopology

FIRST = (6, 9, 2)
SIZES = [(5, 16, 3), (4, 24, 5), (9, 48, 2), (7, 17, 4)]
"""B, N and d."""


class ElmanPolicy(MessagePolicy):
    """As a user would write it."""

    def __init__(self) -> None:
        super().__init__(percept_size=4, identifier_size=3, hidden_size=6, message_size=5)
        self.message_linear = nn.Linear(6, 5)
        self.cell = nn.Linear(6 + 5 + 4 + 3, 6)
        self.readout = nn.Linear(6, 1)

    def emit(self, hidden: Tensor) -> Tensor:
        return self.message_linear(hidden)

    def next_hidden(self, hidden: Tensor, received: Tensor, percept: Tensor) -> Tensor:
        return self.cell(torch.cat([hidden, received, percept], dim=-1)).tanh()

    def speak(self, hidden: Tensor) -> Tensor:
        return self.readout(hidden)


def twins(executor: Executor, dtype: torch.dtype, **arguments: Any) -> list[BadgerAgent]:
    """The same agent as it is and compiled; every agent of a batch has a graph of its own."""
    torch.manual_seed(0)
    parts = (ElmanPolicy(), RandomTopology(2, redraw="agent"), HardwiredMembrane())
    return [
        BadgerAgent(*copy.deepcopy(parts), executor=executor, compiled=is_compiled, **arguments).to(
            dtype
        )
        for is_compiled in (False, True)
    ]


def live(
    agent: BadgerAgent, batch_size: int, num_experts: int, num_outputs: int, **arguments: Any
) -> dict[str, Tensor]:
    """Errors and actions of a life and, where it is trained, the gradients."""
    generator = seeded(num_experts)
    task = GuessingGame().sample(batch_size, num_outputs, generator)
    task.target = task.target.to(agent.dtype)
    rollout = unroll(agent, task, num_experts, 4, generator, **arguments)
    result = {"loss": rollout.loss, "action": rollout.action}
    if torch.is_grad_enabled():
        names, parameters = zip(*agent.named_parameters(), strict=True)
        gradients = torch.autograd.grad(rollout.loss.mean(), parameters)
        result |= dict(zip(names, gradients, strict=True))
    return {name: value.detach() for name, value in result.items()}


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
    step = torch.compile(compiled.inner_step, dynamic=True, backend="aot_eager")
    monkeypatch.setattr(compiled, "_compiled", lambda: step)


@pytest.mark.native
def test_compiled_for_all_sizes_and_graphs() -> None:
    eager, agent = twins("dense", torch.float32)
    live(agent, *FIRST)
    with torch.compiler.set_stance("fail_on_recompile"):
        for sizes in (FIRST, *SIZES):
            assert_alike(eager, agent, *sizes)


@pytest.mark.parametrize(("executor", "rounds"), [("dense", 1), ("sparse", 2)])
@pytest.mark.usefixtures("quickly")
def test_traced_once_and_once_more_without_gradients(executor: Executor, rounds: int) -> None:
    eager, agent = twins(executor, torch.float64, rounds=rounds)
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


@pytest.fixture
def never(monkeypatch: pytest.MonkeyPatch) -> None:
    def step(*_: object) -> None:
        raise AssertionError("compiled")

    monkeypatch.setattr("badger_graph.agent.compiled_step", step)


@pytest.mark.native
@pytest.mark.usefixtures("never")
def test_the_fused_executor_serves_as_it_is() -> None:
    torch.manual_seed(0)
    parts = (GRUPolicy(), RandomTopology(2), HardwiredMembrane())
    one, other = (BadgerAgent(*parts, compiled=c) for c in (False, True))
    assert_near(live(one, 3, 7, 2), live(other, 3, 7, 2))
    assert other.reset(3, 7, 2).wiring.executor == "fused"


@pytest.mark.usefixtures("quickly")
def test_a_learner_compiles_nothing_before_it_trains() -> None:
    torch._dynamo.utils.counters.clear()
    MetaLearner(twins("auto", torch.float32)[1], GuessingGame(), sizes=Sizes(5, 2))
    assert not torch._dynamo.utils.counters["stats"]


@pytest.mark.parametrize("executor", ["reference", "fused"])
def test_other_executors_are_refused(executor: Executor) -> None:
    parts = (ElmanPolicy(), RandomTopology(2), HardwiredMembrane())
    message = f"compiled takes the executor auto, dense or sparse .*got executor='{executor}'"
    assert_refused(message, lambda: BadgerAgent(*parts, executor=executor, compiled=True))
