"""What must hold for every component of a kind, each property one function.

The tests run them over the tables ``POLICIES``, ``MEMBRANES``, ``TASKS``, ``META_LOSSES`` and
``TOPOLOGIES``, so that a new entry is held to them without a new test.
"""

from __future__ import annotations

import copy
import gc
import importlib.util
import inspect
import json
import os
import re
import sys
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest
import torch
from jaxtyping import TypeCheckError
from lightning import Trainer
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch_geometric.data import Batch

from badger_graph import (
    BadgerAgent,
    Edges,
    ExpertPolicy,
    FixedRounds,
    GuessingGame,
    Interface,
    Membrane,
    MetaLearner,
    MetaLoss,
    Observation,
    Task,
    TaskFamily,
    from_pyg,
    split,
    to_pyg,
    unroll,
)
from badger_graph.executors.base import Executor, TorchExecutor
from badger_graph.executors.prepare import EXECUTORS, ExecutorName, prepare
from badger_graph.life import Addresses, Experts, Life
from badger_graph.outer.config import from_config, to_config
from badger_graph.policies import POLICIES, GRUPolicy, MessagePolicy
from badger_graph.policies.aggregation import Aggregation
from badger_graph.products import Ports
from badger_graph.rollout import Rollout
from badger_graph.tasks import CLASSIFICATION, GuessingTask
from topologies import TOPOLOGIES, CompleteTopology, RandomTopology, Topology

MESSAGE_POLICIES = {
    name: policy for name, policy in POLICIES.items() if issubclass(policy, MessagePolicy)
}
"""Those whose messages travel along edges, by an executor."""

TORCH_EXECUTORS = [name for name, one in EXECUTORS.items() if issubclass(one, TorchExecutor)]
"""Those that serve any message policy."""

FUSED = pytest.param("fused", marks=pytest.mark.native)

every_executor = pytest.mark.parametrize("executor", [*TORCH_EXECUTORS, FUSED])
"""For the built-in recurrent policy, which all of them serve."""

every_torch_executor = pytest.mark.parametrize("executor", TORCH_EXECUTORS)

every_message_policy = pytest.mark.parametrize("name", MESSAGE_POLICIES)

AGGREGATIONS = typing.get_args(Aggregation)


every_policy_and_executor = pytest.mark.parametrize(
    ("name", "executor"),
    [
        *((name, executor) for name in MESSAGE_POLICIES for executor in TORCH_EXECUTORS),
        *(
            pytest.param(name, "fused", marks=pytest.mark.native)
            for name, policy in MESSAGE_POLICIES.items()
            if policy is GRUPolicy
        ),
    ],
)
"""Every message policy with every executor that can serve it."""

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"

NEEDS_ARGUMENTS = {"networkx", "file"}
"""Topologies that cannot be built by their name alone."""

OF_WIRES = {"crossbar"}
"""Topologies without edges, which serve no policy that hears along edges and no number of experts
but that of their crossings: tests/test_crossbar.py holds agents on them to the same."""

BUILDABLE = [name for name in TOPOLOGIES if name not in NEEDS_ARGUMENTS | OF_WIRES]

FOR_ANY_SIZE = [name for name in BUILDABLE if name != "learned_graph"]
"""Topologies that serve any number of experts."""

Make = Callable[..., MetaLearner]
"""The fixture ``tiny_learner``."""

Fit = Callable[..., Trainer]
"""The fixture ``fit``."""

CPU = torch.device("cpu")

GAME = GuessingGame.interface
"""One channel for the agent, one for each output."""

WORLDS: dict[str, Interface] = {"crossbar": CLASSIFICATION}
"""Membranes that serve one world only, and not the game."""


@contextmanager
def double_precision() -> Iterator[None]:
    """Everything made inside is float64, so that rounding cannot hide or fake a difference."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


in_double = pytest.mark.usefixtures("double")
"""The fixture ``double``: a whole test within :func:`double_precision`."""


def seeded(seed: int, device: torch.device = CPU) -> torch.Generator:
    return torch.Generator(device).manual_seed(seed)


def uniform(seed: int, *shape: int) -> Tensor:
    """Numbers uniform in [-1, 1], in float64."""
    return torch.rand(shape, generator=seeded(seed), dtype=torch.float64) * 2 - 1


def some_edges(batch_size: int, num_experts: int, num_edges: int, seed: int = 0) -> Edges:
    """Weighted edges within agents, with self-loops and repetitions, in no order."""
    generator = seeded(seed)
    agent = torch.randint(batch_size, (num_edges,), generator=generator)
    ends = torch.randint(num_experts, (2, num_edges), generator=generator)
    return Edges(ends + agent * num_experts, uniform(seed + 1, num_edges))


def some_observation(
    batch_size: int,
    num_outputs: int,
    seed: int = 0,
    interface: Interface = GAME,
    num_inputs: int = 0,
) -> Observation:
    """Numbers in every channel, in the default precision."""
    shapes = (
        (batch_size, interface.feedback),
        (batch_size, num_inputs, interface.input),
        (batch_size, num_outputs, interface.output),
    )
    return Observation(*(uniform(seed, *shape).to(torch.get_default_dtype()) for shape in shapes))


def some_task(batch_size: int = 3, num_outputs: int = 2, seed: int = 0) -> GuessingTask:
    """A game, in the default precision."""
    task = GuessingGame().sample(batch_size, num_outputs, seeded(seed))
    task.target = task.target.to(torch.get_default_dtype())
    return task


def small_agent(
    topology: Topology | None = None,
    policy: Callable[..., ExpertPolicy] | None = None,
    seed: int = 0,
    **arguments: typing.Any,
) -> BadgerAgent:
    """An agent of few weights; the same weights at every call."""
    torch.manual_seed(seed)
    parts = (policy or partial(GRUPolicy, message_size=4), topology or RandomTopology(2))
    sizes = {"identifier_size": 3, "hidden_size": 6}
    return BadgerAgent(GAME, *parts, **{**sizes, **arguments})


class Nearest(Topology):
    """Dynamic: every expert hears the other whose state is nearest to its own."""

    dynamic: typing.ClassVar[bool] = True

    def forward(self, hidden: Tensor, generator: torch.Generator | None = None) -> Edges:
        batch_size, num_experts, _ = hidden.shape
        far = torch.cdist(hidden, hidden) + 1e9 * torch.eye(num_experts)
        target = torch.arange(batch_size * num_experts)
        source = far.argmin(dim=-1).flatten() + target // num_experts * num_experts
        return Edges.unweighted(torch.stack([source, target]))


class Largest(TorchDispatchMode):
    """Watches the elements of every tensor that is made, forward or backward."""

    numel = 0

    def __torch_dispatch__(
        self,
        function: typing.Any,
        types: typing.Any,
        args: typing.Any = (),
        kwargs: typing.Any = None,
    ) -> typing.Any:
        made = function(*args, **(kwargs or {}))
        sizes = (leaf.numel() for leaf in tree_leaves(made) if isinstance(leaf, Tensor))
        self.numel = max(self.numel, *sizes, 0)
        return made


def live_tensors() -> list[Tensor]:
    """All that are held anywhere in the process."""
    gc.collect()
    return [thing for thing in gc.get_objects() if issubclass(type(thing), Tensor)]


def life_and_gradients(
    agent: BadgerAgent, task: Task, num_experts: int, **arguments: typing.Any
) -> dict[str, Tensor]:
    """Errors and actions of four steps and, where it is trained, every weight's gradient."""
    rollout = unroll(agent, task, num_experts, 4, seeded(1), **arguments)
    found = {"loss": rollout.loss.detach(), "action": rollout.action.detach()}
    if torch.is_grad_enabled():
        names, parameters = zip(*agent.named_parameters(), strict=True)
        gradients = torch.autograd.grad(rollout.loss.mean(), parameters)
        found |= dict(zip(names, gradients, strict=True))
    return found


def weights(module: nn.Module) -> Tensor:
    """All parameters as one vector, as they are now."""
    return nn.utils.parameters_to_vector(module.parameters()).detach().clone()


sys.path.append(str(EXAMPLES))


def example(name: str) -> ModuleType:
    """An example of the documentation as a module, which a checkpoint can name."""
    return importlib.import_module(name)


class Intruder:
    """Unpickled by a careless reader, it makes a folder."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return os.mkdir, (str(self.mark),)


def build_policy(
    build: Callable[..., ExpertPolicy],
    percept_size: int | tuple[int, ...] = 4,
    identifier_size: int = 12,
    hidden_size: int = 32,
    **arguments: object,
) -> ExpertPolicy:
    """A policy by itself, as an agent would build it."""
    return build(percept_size, identifier_size, hidden_size, **arguments)


def build_membrane(
    build: Callable[..., Membrane],
    interface: Interface = GAME,
    identifier_size: int = 12,
    hidden_size: int = 32,
    **arguments: object,
) -> Membrane:
    """A membrane by itself, as an agent would build it."""
    return build(interface, identifier_size, hidden_size, **arguments)


def tensors(life: Life) -> dict[str, Tensor]:
    """The tensors of living agents, by the names that they have in a graph."""
    plain = {**life.experts._asdict(), "edge_index": life.edges.index}
    plain |= {"edge_weight": life.edges.weight, "score": life.score, "action": life.action}
    return {**plain, "address": life.addresses.outputs, "input_address": life.addresses.inputs}


def edited(agent: BadgerAgent, life: Life, **changes: object) -> Life:
    """The agents with other attributes of their graph."""
    graph = to_pyg(life)
    for name, value in changes.items():
        graph[name] = value
    return from_pyg(agent, graph)


# ------------------------------------------------------------------------------ any component


def assert_refused(message: str, call: Callable[[], object]) -> None:
    """A wrong input is a ValueError that says the rule and the value.

    Where types are checked at run time, that check may speak first.
    """
    with pytest.raises((ValueError, TypeCheckError)) as caught:
        call()
    if not isinstance(caught.value, TypeCheckError):
        assert re.search(message, str(caught.value)), str(caught.value)


def assert_round_trip(component: object, behaviour: Callable[..., object]) -> None:
    """A component that went through JSON has the same config and does the same."""
    config = to_config(component)
    again = from_config(json.loads(json.dumps(config)))
    if isinstance(again, partial):  # of a part that an agent builds
        names = ("interface", "percept_size", "identifier_size", "hidden_size")
        known = [name for name in names if name in inspect.signature(type(component)).parameters]
        again = again(*(getattr(component, name) for name in known))
    assert type(again) is type(component)
    assert to_config(again) == config
    if isinstance(component, nn.Module) and isinstance(again, nn.Module):
        again.load_state_dict(component.state_dict())
    torch.testing.assert_close(behaviour(again), behaviour(component), rtol=0, atol=0)


def assert_deterministic_by_seed(run: Callable[[int], Tensor]) -> None:
    """The same seed gives the same bits, another seed something else."""
    first, again, other = run(1), run(1), run(2)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def assert_gradients_reach_every_parameter(loss: Tensor, module: nn.Module) -> None:
    """No weight is left out, and no gradient is infinite."""
    names, parameters = zip(*module.named_parameters(), strict=True)
    gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
    for name, gradient in zip(names, gradients, strict=True):
        assert gradient is not None, f"no gradient reaches {name}"
        assert gradient.isfinite().all(), f"the gradient of {name} is not finite"
        assert gradient.any(), f"the gradient of {name} is zero"


# ---------------------------------------------------------------------------- expert policies


class Inputs(typing.NamedTuple):
    """What a communication round of some agents starts from, besides the weights."""

    hidden: Tensor
    percept: Tensor
    identifier: Tensor
    weight: Tensor


def some_inputs(policy: ExpertPolicy, edges: Edges, nodes: int, seed: int = 0) -> Inputs:
    """States, percepts and identifiers in [-1, 1], in float64."""
    sizes = (policy.hidden_size, policy.percept_size, policy.identifier_size)
    values = (uniform(seed + k, nodes, size) for k, size in enumerate(sizes))
    return Inputs(*values, edges.weight.detach().double())


def fresh(
    inputs: Inputs, dtype: torch.dtype = torch.float64, wanted: Sequence[str] = Inputs._fields
) -> Inputs:
    """Copies, of which some ask for their gradients."""
    copies = {name: value.detach().to(dtype, copy=True) for name, value in inputs._asdict().items()}
    return Inputs(*(value.requires_grad_(name in wanted) for name, value in copies.items()))


class Stage(nn.Module):
    """Some rounds of a policy, and what the experts say then.

    Two rounds, so that what is prepared is used again and news come back.
    """

    def __init__(self, policy: ExpertPolicy, num_rounds: int = 2) -> None:
        super().__init__()
        self.policy = policy
        self.num_rounds = num_rounds

    def forward(self, inputs: Inputs, executor: Executor) -> tuple[Tensor, Tensor]:
        hidden, percept, identifier, _ = inputs

        def round(hidden: Tensor) -> tuple[Tensor, Tensor]:
            return executor.round(self.policy, hidden, percept, identifier)

        return FixedRounds(self.num_rounds)(round, hidden, executor.batch_size)


def outcome(
    policy: ExpertPolicy,
    executor: ExecutorName,
    inputs: Inputs,
    index: Tensor,
    batch_size: int,
    num_rounds: int = 2,
    wanted: Sequence[str] = Inputs._fields,
) -> dict[str, Tensor]:
    """What comes of some rounds, and the gradient of a fixed sum of it by all that asks for it.

    In the precision of the policy, with fresh inputs.
    """
    dtype = next(policy.parameters()).dtype
    inputs = fresh(inputs, dtype, wanted)
    num_experts = len(inputs.hidden) // batch_size
    prepared = prepare(Edges(index, inputs.weight), batch_size, num_experts, executor, policy)
    after, said = Stage(policy, num_rounds)(inputs, prepared)
    total = (after * uniform(98, *after.shape).to(dtype)).sum()
    total = total + (said * uniform(99, *said.shape).to(dtype)).sum()
    given = inputs._asdict() | dict(policy.named_parameters())
    by = {name: value for name, value in given.items() if value.requires_grad}
    gradients = torch.autograd.grad(
        total, list(by.values()), allow_unused=True, materialize_grads=True
    )
    named = {f"the gradient of {name}": g for name, g in zip(by, gradients, strict=True)}
    return {"the state": after.detach(), "what is said": said.detach(), **named}


def assert_near(actual: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """The same to 1e-9, each tensor as a whole and number by number."""
    assert actual.keys() == expected.keys()
    for name, value in expected.items():
        away = (actual[name] - value).norm()
        assert away <= 1e-9 * value.norm() + 1e-13, f"{name} is {away} away"
        torch.testing.assert_close(
            actual[name],
            value,
            rtol=1e-9,
            atol=1e-12,
            msg=lambda text, name=name: f"{name}: {text}",
        )


def assert_permutation_equivariant(
    policy: ExpertPolicy, executor: ExecutorName, batch_size: int, num_experts: int, seed: int = 0
) -> None:
    """Renumbering the experts of each agent renumbers their next states, and changes nothing else.

    Edges are renumbered and shuffled, percepts and identifiers travel with their experts.
    """
    policy = copy.deepcopy(policy).double()
    nodes = batch_size * num_experts
    edges = some_edges(batch_size, num_experts, 3 * nodes, seed)
    *given, _ = some_inputs(policy, edges, nodes, seed)

    generator = seeded(seed)
    moved_to = torch.cat(
        [
            torch.randperm(num_experts, generator=generator) + b * num_experts
            for b in range(batch_size)
        ]
    )
    comes_from = moved_to.argsort()
    shuffled = torch.randperm(3 * nodes, generator=generator)
    moved = Edges(moved_to[edges.index][:, shuffled], edges.weight[shuffled])

    sizes = (batch_size, num_experts)
    after, _ = prepare(edges, *sizes, executor, policy).round(policy, *given)
    moved_after, _ = prepare(moved, *sizes, executor, policy).round(
        policy, *(value[comes_from] for value in given)
    )
    assert not torch.allclose(after, given[0])
    torch.testing.assert_close(moved_after[moved_to], after, rtol=1e-12, atol=1e-12)


def assert_agrees_with_reference(
    policy: ExpertPolicy,
    executor: ExecutorName,
    edges: Edges,
    batch_size: int,
    num_experts: int,
    num_rounds: int = 2,
    seed: int = 0,
) -> None:
    """An executor gives the reference's states and gradients, to 1e-9 in float64."""
    policy = copy.deepcopy(policy).double()
    inputs = some_inputs(policy, edges, batch_size * num_experts, seed)
    actual, expected = (
        outcome(policy, name, inputs, edges.index, batch_size, num_rounds)
        for name in (executor, "reference")
    )
    assert_near(actual, expected)


def assert_as_exact_as_reference(
    policy: ExpertPolicy,
    executor: ExecutorName,
    edges: Edges,
    batch_size: int,
    num_experts: int,
    num_rounds: int = 2,
    seed: int = 0,
) -> None:
    """In float32 an executor errs at most twice as much as the reference, or by 4 roundings.

    What is right is the reference in float64, given the same numbers.
    """
    single = copy.deepcopy(policy).float()
    exact = copy.deepcopy(single).double()
    nodes = batch_size * num_experts
    squares: dict[str, Tensor] = {}
    for draw in range(seed, seed + 5):  # of one alone, either error may be small by chance
        inputs = Inputs(*(value.float() for value in some_inputs(policy, edges, nodes, draw)))
        actual, usual, right = (
            outcome(weights, name, inputs, edges.index, batch_size, num_rounds)
            for weights, name in ((single, executor), (single, "reference"), (exact, "reference"))
        )
        for name, value in right.items():
            parts = (actual[name] - value, usual[name] - value, value)
            square = torch.stack([part.square().sum() for part in parts])
            squares[name] = squares.get(name, 0) + square
    for name, square in squares.items():
        error, usual_error, size = square.sqrt().tolist()
        floor = 4 * torch.finfo(torch.float32).eps * size + 1e-12
        assert error <= 2 * usual_error + floor, f"{name}: {error} for {usual_error}, of {size}"


def assert_gradients_are_right(
    policy: ExpertPolicy, executor: ExecutorName, batch_size: int, num_experts: int
) -> None:
    """Gradients of all inputs, edge weights and every parameter are finite differences'."""
    policy = copy.deepcopy(policy).double()
    nodes = batch_size * num_experts
    edges = some_edges(batch_size, num_experts, 2 * nodes)
    names, parameters = zip(*Stage(policy).named_parameters(), strict=True)

    def run(*values: Tensor) -> tuple[Tensor, Tensor]:
        inputs = Inputs(*values[:4])
        weighted = Edges(edges.index, inputs.weight)
        prepared = prepare(weighted, batch_size, num_experts, executor, policy)
        # Copies: gradcheck changes numbers in a way that nobody is told of.
        weights = {n: value.clone() for n, value in zip(names, values[4:], strict=True)}
        return torch.func.functional_call(Stage(policy), weights, (inputs, prepared))

    values = (*some_inputs(policy, edges, nodes), *parameters)
    values = tuple(value.detach().clone().requires_grad_() for value in values)
    assert torch.autograd.gradcheck(run, values, fast_mode=True)


# ------------------------------------------------------------------------------------- agents


def assert_agents_independent(agent: BadgerAgent, num_experts: int, num_outputs: int) -> None:
    """Whatever happens to one agent of a batch, the others do not notice.

    Call it in :func:`double_precision`; the agents have to be alike to 1e-12.
    """
    changed, others = 1, [0, 2]
    life = agent.reset(3, num_experts, num_outputs, seeded(0))
    observation = some_observation(3, num_outputs, interface=agent.interface)

    graph = to_pyg(life)
    nodes = graph.batch == changed
    for name, own in (("hidden", nodes), ("identifier", nodes), ("address", changed)):
        graph[name] = graph[name].clone()
        graph[name][own] += 1.0
    heard_elsewhere = graph.edge_index[1] // num_experts != changed
    graph.edge_index = graph.edge_index[:, heard_elsewhere]
    graph.edge_weight = graph.edge_weight[heard_elsewhere]
    disturbed = from_pyg(agent, graph)
    told = Observation(*(field.clone() for field in observation))
    told.feedback[changed] += 1.0
    told.outputs[changed] += 1.0

    for _ in range(3):
        life = agent.step(life, observation, seeded(1))
        disturbed = agent.step(disturbed, told, seeded(1))
        hidden = life.hidden.view(3, num_experts, -1)
        other_hidden = disturbed.hidden.view(3, num_experts, -1)
        for value, other in ((life.action, disturbed.action), (hidden, other_hidden)):
            torch.testing.assert_close(other[others], value[others], rtol=0, atol=1e-12)
            assert not torch.allclose(other[changed], value[changed])


def assert_any_number_of_experts(agent: BadgerAgent, sizes: list[tuple[int, int]]) -> None:
    """The same weights live as any (N, d), in any order, and are not changed by it."""
    weights = copy.deepcopy(agent.state_dict())
    first_actions: dict[tuple[int, int], Tensor] = {}
    for num_experts, num_outputs in [*sizes, *reversed(sizes)]:
        life = agent.reset(2, num_experts, num_outputs, seeded(0))
        for step in range(2):
            life = agent.step(life, some_observation(2, num_outputs, step), seeded(0))
        assert life.hidden.shape == (2 * num_experts, agent.hidden_size)
        assert life.action.shape == (2, num_outputs)
        assert life.action.isfinite().all()
        expected = first_actions.setdefault((num_experts, num_outputs), life.action)
        assert torch.equal(life.action, expected)
    assert all(torch.equal(agent.state_dict()[name], value) for name, value in weights.items())


def assert_pure(agent: BadgerAgent, num_experts: int, num_outputs: int) -> None:
    """An inner-loop step leaves the life it was given as it was, and can be taken again."""
    life = agent.reset(2, num_experts, num_outputs, seeded(0))
    for step in range(2):
        observation = some_observation(2, num_outputs, step)
        copies = {name: tensor.clone() for name, tensor in tensors(life).items()}
        after = agent.step(life, observation, seeded(step))
        again = agent.step(life, observation, seeded(step))
        assert torch.equal(after.action, again.action)
        for name, tensor in tensors(life).items():
            assert torch.equal(tensor, copies[name]), f"{name} was overwritten"
        assert not torch.equal(after.hidden, life.hidden)
        life = after


def assert_free_experts_exchangeable(
    agent: BadgerAgent, num_experts: int, num_outputs: int, bound: int
) -> None:
    """Renumbering the experts that no output is bound to leaves every action as it is.

    Only for a membrane that treats all but so many alike. Call it in :func:`double_precision`.
    """
    graph = to_pyg(agent.reset(2, num_experts, num_outputs, seeded(0)))
    graph.hidden = uniform(0, *graph.hidden.shape)
    free = torch.randperm(num_experts - bound, generator=seeded(3)) + bound
    one = torch.cat([torch.arange(bound), free])
    moved_to = torch.cat([one, one + num_experts])
    comes_from = moved_to.argsort()
    other = copy.copy(graph)
    other.hidden, other.identifier = graph.hidden[comes_from], graph.identifier[comes_from]
    other.edge_index = moved_to[graph.edge_index]
    life, moved = from_pyg(agent, graph), from_pyg(agent, other)
    for step in range(3):
        observation = some_observation(2, num_outputs, step)
        life, moved = agent.step(life, observation), agent.step(moved, observation)
        torch.testing.assert_close(moved.action, life.action, rtol=0, atol=1e-12)
        torch.testing.assert_close(moved.hidden[moved_to], life.hidden, rtol=0, atol=1e-12)


def assert_gradient_is_right(module: nn.Module, error: Callable[[], Tensor]) -> None:
    """Where all weights move along a line, the error rises as finite differences say.

    Call it in :func:`double_precision`.
    """
    parameters = [one for one in module.parameters() if one.requires_grad]
    directions = [uniform(seed, *p.shape) for seed, p in enumerate(parameters)]
    gradients = torch.autograd.grad(error(), parameters, allow_unused=True, materialize_grads=True)

    def moved(distance: float) -> Tensor:
        with torch.no_grad():
            for parameter, direction in zip(parameters, directions, strict=True):
                parameter += distance * direction
            return error()

    slope = sum(map(torch.sum, map(torch.mul, gradients, directions)))
    above, below = moved(1e-5), moved(-2e-5)
    moved(1e-5)
    torch.testing.assert_close(slope, (above - below) / 2e-5, rtol=1e-6, atol=1e-9)


def assert_split_lives_alone(agent: BadgerAgent, life: Life) -> None:
    """Each agent of a batch, split off, has its own states and edges, and lives on alike.

    Call it in :func:`double_precision`.
    """
    num_experts, graph = life.num_experts, to_pyg(life)
    observation = some_observation(life.batch_size, life.num_outputs)
    after = agent.step(life, observation)
    parts = split(graph)
    assert len(parts) == life.batch_size
    for b, part in enumerate(parts):
        nodes = slice(b * num_experts, (b + 1) * num_experts)
        assert torch.equal(part.hidden, graph.hidden[nodes])
        assert torch.equal(part.identifier, graph.identifier[nodes])
        assert torch.equal(part.action, graph.action[b : b + 1])
        belongs = graph.edge_index[1] // num_experts == b
        assert torch.equal(part.edge_index, graph.edge_index[:, belongs] - b * num_experts)
        assert torch.equal(part.edge_weight, graph.edge_weight[belongs])
        told = Observation(*(field[b : b + 1] for field in observation))
        alone = agent.step(from_pyg(agent, Batch.from_data_list([part])), told)
        torch.testing.assert_close(alone.action, after.action[b : b + 1], rtol=0, atol=1e-12)
        torch.testing.assert_close(alone.hidden, after.hidden[nodes], rtol=0, atol=1e-12)


def assert_lives_as_any(
    agent: BadgerAgent, num_experts: int, num_outputs: int, num_steps: int = 0
) -> None:
    """Steps are pure, agents of a batch independent, and each may live on alone.

    Call it in :func:`double_precision`.

    Args:
        num_steps: of the life that is split; where nothing is drawn, newborn agents are alike.
    """
    assert_pure(agent, num_experts, num_outputs)
    assert_agents_independent(agent, num_experts, num_outputs)
    life = agent.reset(3, num_experts, num_outputs, seeded(0))
    for step in range(num_steps):
        life = agent.step(life, some_observation(3, num_outputs, step), seeded(step))
    assert_split_lives_alone(agent, life)


def assert_like_any_agent(agent: BadgerAgent, num_experts: int, num_outputs: int) -> None:
    """It lives as any; every weight is trained, by the right gradient; its config makes it again.

    Call it in :func:`double_precision`.
    """
    assert_lives_as_any(agent, num_experts, num_outputs, num_steps=1)
    task = some_task(3, num_outputs)

    def life(other: BadgerAgent) -> Rollout:
        return unroll(other, task, num_experts, 4, seeded(0))

    assert_gradients_reach_every_parameter(life(agent).loss[1:].mean(), agent)
    assert_gradient_is_right(agent, lambda: life(agent).loss.mean())
    assert_round_trip(agent, lambda other: life(other).action)


# ---------------------------------------------------------------------------------- membranes


def some_life(
    membrane: Membrane,
    batch_size: int,
    num_experts: int,
    num_outputs: int,
    only: int | None = None,
    num_inputs: int = 0,
) -> Life:
    """Agents in mid-life, that nobody connected; or only one of them."""
    dtype = torch.get_default_dtype()
    shapes = (
        (num_outputs,),
        (num_experts, membrane.hidden_size),
        (num_experts, membrane.identifier_size),
        (num_outputs, membrane.address_size),
        (num_inputs, membrane.address_size),
    )
    drawn = (uniform(1 + k, batch_size, *shape).to(dtype) for k, shape in enumerate(shapes))
    kept = slice(None) if only is None else slice(only, only + 1)
    action, hidden, identifier, *addresses = (value[kept] for value in drawn)
    nobody = Edges.unweighted(torch.zeros(2, 0, dtype=torch.int64))
    policy = build_policy(GRUPolicy)
    kind = torch.zeros(identifier.size(0) * num_experts, dtype=torch.int64)
    return Life(
        Experts(hidden.flatten(0, 1), identifier.flatten(0, 1), kind),
        action,
        action,
        Addresses(*addresses),
        identifier.flatten(0, 1),
        membrane.open(Addresses(*addresses), identifier),
        prepare(nobody, len(action), num_experts, "dense", policy),
    )


def assert_percepts_of_agents_independent(
    membrane: Membrane, num_experts: int, num_outputs: int, num_inputs: int = 0
) -> None:
    """What the experts of one agent perceive has ``percept_size`` channels and is their own."""
    life = some_life(membrane, 4, num_experts, num_outputs, num_inputs=num_inputs)
    observation = some_observation(4, num_outputs, 0, membrane.interface, num_inputs)
    percept = membrane.perceive(life, observation)
    if isinstance(percept, Ports):
        assert (percept.keys.size(-1), percept.values.size(-1)) == membrane.percept_size
        assert percept.keys.shape[:2] == percept.values.shape[:2]
    else:
        size = membrane.percept_size
        channels = size if isinstance(size, int) else sum(size)
        assert percept.shape == (4 * num_experts, channels)
        percept = (percept.unflatten(0, (4, num_experts)),)
    for b in range(4):
        told = Observation(*(field[b : b + 1] for field in observation))
        alone = some_life(membrane, 4, num_experts, num_outputs, b, num_inputs)
        own = membrane.perceive(alone, told)
        for part, whole in zip(
            own if isinstance(own, Ports) else (own[None],), percept, strict=True
        ):
            torch.testing.assert_close(part[0], whole[b])


# -------------------------------------------------------------------------------------- tasks


def assert_zero_is_chance(family: TaskFamily, num_outputs: int) -> None:
    """Always answering zero errs as much as ``chance`` says, to 4 standard errors and rounding."""
    task = family.sample(20_000, num_outputs, seeded(0))
    _, _, error = task.step(task.reset()[0], torch.zeros_like(task.target))
    assert abs(error.mean() - family.chance) < 4 * error.std() / 20_000**0.5 + 1e-6


def some_action(task: Task) -> Tensor:
    """Probabilities, which a task takes whatever its actions are."""
    action = uniform(0, task.batch_size, task.num_outputs).softmax(dim=-1)
    return action.to(torch.get_default_dtype())


def held(task: Task) -> dict[str, Tensor]:
    """The tensors of a task: what was drawn when it was sampled."""
    return {name: value for name, value in vars(task).items() if isinstance(value, Tensor)}


def assert_task_is_pure(task: Task) -> None:
    """A step can be taken again, and changes neither its action, the state nor the task."""
    kept, (state, _) = copy.deepcopy(held(task)), task.reset(seeded(0))
    action = some_action(task)
    before = action.clone(), copy.deepcopy(state)
    first, again = (task.step(state, action, seeded(1)) for _ in range(2))
    torch.testing.assert_close(first, again, rtol=0, atol=0, allow_subclasses=True)
    torch.testing.assert_close((action, state), before, rtol=0, atol=0)
    torch.testing.assert_close(held(task), kept, rtol=0, atol=0, equal_nan=True)


def assert_target_is_right(task: Task) -> None:
    """The target makes no error, everything else does."""
    state, _ = task.reset()
    shape = (task.batch_size,)
    torch.testing.assert_close(task.step(state, task.target)[2], torch.zeros(shape))
    error = task.step(state, task.target + 0.1)[2]
    assert error.shape == shape
    assert (error > 0).all()


def assert_first_feedback_is_on_zero(task: Task) -> None:
    """Before it acts, an agent sees the feedback on the action of all zeros."""
    state, observation = task.reset()
    _, expected, _ = task.step(state, torch.zeros_like(task.target))
    torch.testing.assert_close(tuple(observation), tuple(expected), rtol=0, atol=0)


def assert_tasks_independent(task: Task) -> None:
    """What one agent does changes only its own feedback and error."""
    state, _ = task.reset(seeded(0))
    action = some_action(task)
    other = action.clone()
    other[0] += 0.5
    _, observation, error = task.step(state, action, seeded(1))
    _, other_observation, other_error = task.step(state, other, seeded(1))
    pairs = [*zip(observation, other_observation, strict=True), (error, other_error)]
    for before, after in pairs:
        assert torch.equal(before[1:], after[1:])
    assert error[0] != other_error[0]


# -------------------------------------------------------------------------------- meta-losses


class Mean(nn.Module):
    """An aggregator of the gradients of several outputs."""

    def forward(self, rows: Tensor) -> Tensor:
        return rows.mean(dim=0)


def rollout_of(loss: Tensor) -> Rollout:
    """Lives of which only the errors are known."""
    return Rollout(loss, *[None] * 4)  # type: ignore[arg-type]


def assert_weighted_mean_over_steps(meta_loss: MetaLoss, num_steps: int) -> None:
    """A mean: constant errors give that constant; all agents count alike; no step counts negative.

    And it is linear, so that its gradient is its weights, which are found here again.
    """
    table = uniform(0, num_steps, 3).requires_grad_()
    loss = meta_loss(rollout_of(table))
    assert loss.shape == ()
    (gradient,) = torch.autograd.grad(loss, table)
    assert (gradient >= 0).all()
    per_step = gradient.sum(dim=1)
    torch.testing.assert_close(gradient, per_step[:, None].expand(-1, 3) / 3)
    torch.testing.assert_close(per_step.sum(), torch.tensor(1.0, dtype=torch.float64))
    torch.testing.assert_close(loss, (per_step @ table.mean(dim=1)))
    weights = meta_loss.weights(num_steps)
    assert weights.shape == (num_steps,)
    torch.testing.assert_close((weights / weights.sum()).double(), per_step, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(
        meta_loss(rollout_of(torch.full((num_steps, 2), 0.7))), torch.tensor(0.7)
    )


# --------------------------------------------------------------------------------- topologies


def build(name: str, hidden_size: int = 6, num_experts: int = 12) -> Topology:
    """A topology by its name alone, with a fresh graph for every agent where it can.

    Args:
        hidden_size: of the states, for those that look at them.
        num_experts: for those that serve one number only.
    """
    entry = TOPOLOGIES[name]
    sizes = {"hidden_size": hidden_size, "num_experts": num_experts}
    some = [RandomTopology(1, redraw="agent"), CompleteTopology()]
    given = {"redraw": "agent", "topologies": some, **sizes}
    known = inspect.signature(entry).parameters
    return entry(**{argument: value for argument, value in given.items() if argument in known})


def table(edges: Edges, batch_size: int, num_experts: int) -> Tensor:
    """The weights as ``[B, receivers, senders]``, zero where there is no edge."""
    nodes = batch_size * num_experts
    whole = edges.weight.new_zeros(nodes, nodes).index_put(tuple(edges.index.flip(0)), edges.weight)
    blocks = whole.view(batch_size, num_experts, batch_size, num_experts)
    return blocks.diagonal(dim1=0, dim2=2).permute(2, 0, 1)


def assert_topology_permutation_equivariant(
    topology: Topology, batch_size: int, num_experts: int, hidden_size: int, seed: int = 0
) -> None:
    """Renumbering the experts of each agent renumbers the edges, and changes nothing else.

    Call it in :func:`double_precision`.
    """
    hidden = uniform(seed, batch_size, num_experts, hidden_size)
    order = torch.randperm(num_experts, generator=seeded(seed))  # of the moved, who it was
    before, after = topology(hidden), topology(hidden[:, order])
    was = (torch.arange(batch_size)[:, None] * num_experts + order).flatten()

    was_so = Edges(was[after.index], after.weight)
    found, expected = (table(edges, batch_size, num_experts) for edges in (was_so, before))
    torch.testing.assert_close(found, expected)
