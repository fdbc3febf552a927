"""Lyapunov exponents of known maps, and of agents against pairs of nearby lives."""

from __future__ import annotations

import copy
import math
from functools import partial

import pytest
import torch
from properties import GAME, assert_refused, seeded, small_agent, uniform
from torch import Tensor, nn

from badger_graph import (
    AddressedMembrane,
    AttentionMembrane,
    AttentionPolicy,
    BadgerAgent,
    GRUPolicy,
    GuessingGame,
    MessagePolicy,
    Observation,
    Task,
    from_pyg,
    to_pyg,
    unroll,
)
from badger_graph.analysis import largest_lyapunov, lyapunov_of_agent
from badger_graph.analysis.lyapunov import inner_map
from badger_graph.birth import Birth
from badger_graph.communication import FixedRounds
from badger_graph.membranes import OwnReadoutMembrane
from badger_graph.policies import POLICIES
from badger_graph.tasks import GuessingTask
from topologies import (
    AttentionTopology,
    CompleteTopology,
    LearnedGraphTopology,
    RandomTopology,
    RingTopology,
    TopKTopology,
)


def logistic(state: Tensor) -> Tensor:
    return 4 * state * (1 - state)


def henon(state: Tensor) -> Tensor:
    x, y = state.unbind(dim=-1)
    return torch.stack([1 - 1.4 * x * x + y, 0.3 * x], dim=-1)


def unit(seed: int, *shape: int) -> Tensor:
    return (uniform(seed, *shape) + 1) / 2


def test_the_logistic_map_doubles() -> None:
    found = largest_lyapunov(logistic, unit(0, 400, 1), 200, 50, seeded(0))
    assert found.mean().item() == pytest.approx(math.log(2), abs=2e-3)
    assert (found - math.log(2)).abs().max() < 0.1


def test_the_henon_map() -> None:
    """0.419 per step (Wolf et al. 1985 and others), here over 500 x 200 steps."""
    found = largest_lyapunov(henon, 0.2 * uniform(0, 500, 2), 200, 50, seeded(0))
    assert found.mean().item() == pytest.approx(0.419, abs=0.003)


@pytest.mark.parametrize("radius", [0.5, 1.0, 1.3])
def test_a_linear_map_has_the_logarithm_of_its_spectral_radius(radius: float) -> None:
    basis = uniform(1, 4, 4) + 2 * torch.eye(4, dtype=torch.float64)
    eigenvalues = radius * torch.tensor([1.0, -0.7, 0.5, 0.1], dtype=torch.float64)
    matrix = basis @ torch.diag(eigenvalues) @ torch.linalg.inv(basis)
    found = largest_lyapunov(lambda state: state @ matrix.T, uniform(2, 3, 4), 50, 150, seeded(0))
    expected = torch.full((3,), math.log(radius), dtype=torch.float64)
    torch.testing.assert_close(found, expected, atol=1e-8, rtol=0)


def test_rows_are_independent_and_batches_have_any_shape() -> None:
    state = unit(3, 2, 3, 1)
    found = largest_lyapunov(logistic, state, 30, 5, seeded(0))
    assert found.shape == (2, 3)
    for row in range(2):
        for column in range(3):
            alone = largest_lyapunov(logistic, state[row, column], 30, 5, seeded(1))
            torch.testing.assert_close(alone, found[row, column])


# ------------------------------------------------------------------------------------- agents


class LinearPolicy(MessagePolicy):
    """h' = A h + M (mean message), whatever is perceived."""

    def __init__(self, percept_size: int, identifier_size: int, hidden_size: int) -> None:
        super().__init__(percept_size, identifier_size, hidden_size, message_size=hidden_size)
        self.own = nn.Linear(hidden_size, hidden_size, bias=False)
        self.heard = nn.Linear(hidden_size, hidden_size, bias=False)
        self.readout = nn.Linear(hidden_size, 1)

    def emit(self, hidden: Tensor, traits: Tensor) -> Tensor:
        return hidden

    def next_hidden(
        self, hidden: Tensor, received: Tensor, percept: Tensor, traits: Tensor
    ) -> Tensor:
        return self.own(hidden) + self.heard(received)

    def speak(self, hidden: Tensor, traits: Tensor) -> Tensor:
        return self.readout(hidden)


class Smoothed(Task):
    """Remembers errors: the feedback is their running mean."""

    def __init__(self, target: Tensor) -> None:
        self.target = target
        self.batch_size, self.num_outputs = target.shape

    def reset(self, generator: torch.Generator | None = None) -> tuple[Tensor, Observation]:
        error = self.target.square().mean(dim=1)
        return error, self.observation(error)

    def step(
        self, state: Tensor, action: Tensor, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Observation, Tensor]:
        error = (action - self.target).square().mean(dim=1)
        state = 0.7 * state + 0.3 * error
        return state, self.observation(state), error

    def observation(self, feedback: Tensor) -> Observation:
        nothing = torch.zeros_like(self.target)[:, :, None]
        return Observation(feedback[:, None], nothing[:, :0, :0], nothing)


def test_a_linear_policy_has_the_spectral_radius_of_its_experts() -> None:
    """Five experts on a ring: the eigenvalues of A + w M for each eigenvalue w of the shift."""
    torch.manual_seed(0)
    birth = Birth(initial_state="random")
    agent = BadgerAgent(GAME, LinearPolicy, RingTopology(), birth=birth, hidden_size=3)
    with torch.no_grad():
        agent.policy.own.weight.copy_(torch.diag(torch.tensor([0.6, 0.2, -0.1])))
        agent.policy.heard.weight.copy_(torch.diag(torch.tensor([0.3, 0.1, 0.0])))
    edges = RingTopology().edges(5)
    adjacency = torch.zeros(5, 5)
    adjacency[edges.index[1], edges.index[0]] = 1 / edges.index[1].bincount()[0]
    whole = torch.kron(torch.eye(5), agent.policy.own.weight.detach())
    whole += torch.kron(adjacency, agent.policy.heard.weight.detach())
    radius = torch.linalg.eigvals(whole.double()).abs().max().item()
    task = GuessingGame().sample(2, 3, seeded(0))
    found = lyapunov_of_agent(agent, task, 5, 40, 100, seeded(1))
    assert radius < 1
    torch.testing.assert_close(
        found, torch.full((2,), math.log(radius)).double(), atol=1e-5, rtol=0
    )


def agents() -> dict[str, BadgerAgent]:
    small = {"key_size": 4}
    addressed = partial(AddressedMembrane, address_size=4, **small)
    random = Birth(initial_state="random")

    def make(topology: object, policy: type = GRUPolicy, **arguments: object) -> BadgerAgent:
        return small_agent(topology, partial(policy, message_size=4, gain=2.0), **arguments)

    return {
        "redrawn": make(RandomTopology(k=2, redraw="agent")),
        "rounds": make(RingTopology(), communication=FixedRounds(2), compiled=True),
        "attention": make(partial(AttentionTopology, **small)),
        "top_k": make(partial(TopKTopology, k=2, **small), birth=random),
        "exponential": make(RingTopology(), POLICIES["exponential"]),
        "chaotic": make(RingTopology(), POLICIES["chaotic"]),
        "own_readout": make(RingTopology(), membrane=OwnReadoutMembrane),
        "learned_graph": make(LearnedGraphTopology(5)),
        "addressed": make(CompleteTopology(), membrane=addressed),
        "attentional": BadgerAgent(
            GAME, AttentionPolicy, CompleteTopology(), AttentionMembrane, hidden_size=64
        ),
    }


def nearby_lives(agent: BadgerAgent, task: Task, num_steps: int, seed: int) -> Tensor:
    """By what factor two lives part that begin 2e-6 from each other, ``[B]``."""
    agent = copy.deepcopy(agent).double()
    agent.compiled = False
    generator = seeded(seed)
    born = to_pyg(agent.reset(task.batch_size, 5, task.num_outputs, generator))
    size = 5 * agent.hidden_size + task.num_outputs
    direction = torch.randn(task.batch_size, size, generator=generator, dtype=torch.float64)
    direction = direction / direction.norm(dim=1, keepdim=True)
    ends = []
    for sign in (1, -1):
        graph = copy.copy(born)
        moved = sign * 1e-6 * direction
        graph.hidden = born.hidden + moved[:, : -task.num_outputs].reshape(born.hidden.shape)
        graph.score = graph.action = born.action + moved[:, -task.num_outputs :]
        last = unroll(agent, task, 5, num_steps, life=from_pyg(agent, graph)).life
        ends.append(torch.cat([last.hidden.view(task.batch_size, -1), last.action], dim=1))
    return ((ends[0] - ends[1]) / 2e-6).norm(dim=1)


@torch.no_grad()
def assert_nearby_lives_part_as_the_exponent_says(agent: BadgerAgent) -> None:
    target = uniform(0, 2, 3)
    found = lyapunov_of_agent(agent, GuessingTask(target, GuessingGame()), 5, 8, 0, seeded(2))
    factor = nearby_lives(agent, GuessingTask(target, GuessingGame()), 8, seed=2)
    torch.testing.assert_close(found * 8, factor.log(), atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", agents())
def test_nearby_lives_part_as_fast_as_the_exponent_says(name: str) -> None:
    """The executor, the way of differentiating and the loop are others than those measured."""
    assert_nearby_lives_part_as_the_exponent_says(agents()[name])


def test_agents_of_a_batch_are_independent() -> None:
    agent = agents()["rounds"]
    target = uniform(0, 3, 2)
    step, state = inner_map(agent, Smoothed(target), 5, seeded(0))
    assert state.shape == (3, 5 * 6 + 2 + 1)  # hidden states, actions, what the task remembers
    state = state + uniform(1, *state.shape)
    together = step(state)
    for row in range(3):
        one, _ = inner_map(agent, Smoothed(target[row : row + 1]), 5, seeded(0))
        torch.testing.assert_close(one(state[row : row + 1]), together[row : row + 1])


def test_the_agent_stays_as_it_is() -> None:
    agent = agents()["rounds"]
    before = copy.deepcopy(agent.state_dict())
    lyapunov_of_agent(agent, Smoothed(uniform(0, 3, 2)), 5, 3, 0, seeded(0))
    assert agent.compiled
    assert agent.executor == "auto"
    for name, weight in agent.state_dict().items():
        assert weight.dtype == torch.float32
        assert weight.equal(before[name])


def test_what_a_task_remembers_is_part_of_the_map() -> None:
    """Experts that forget everything: the only memory left is the task's, 0.7 per step."""
    agent = BadgerAgent(GAME, LinearPolicy, RingTopology(), hidden_size=3)
    with torch.no_grad():
        for layer in (agent.policy.own, agent.policy.heard):
            layer.weight.zero_()
    found = lyapunov_of_agent(agent, Smoothed(uniform(0, 2, 3)), 5, 20, 5, seeded(0))
    torch.testing.assert_close(found, torch.full((2,), math.log(0.7)).double())


def test_a_task_that_counts_is_refused() -> None:
    class Counting(Smoothed):
        def reset(self, generator: torch.Generator | None = None) -> tuple[Tensor, Observation]:
            _, observation = super().reset(generator)
            return torch.zeros(self.batch_size, dtype=torch.int64), observation

    agent = agents()["rounds"]
    task = Counting(uniform(0, 2, 3))
    assert_refused("int64", lambda: lyapunov_of_agent(agent, task, 5, 3, 0, seeded(0)))


@pytest.mark.native
def test_an_agent_on_the_fused_executor_is_run_on_another() -> None:
    """The exponent is that of the lives on the fused executor, where the agent stays."""
    torch.manual_seed(2)
    agent = BadgerAgent(GAME, GRUPolicy, RandomTopology(k=2), executor="fused")
    assert_nearby_lives_part_as_the_exponent_says(agent)
    assert agent.executor == "fused"
