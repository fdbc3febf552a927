"""What holds for every policy that sends messages, then the Micro-Badger policy by hand."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import (
    AGGREGATIONS,
    MESSAGE_POLICIES,
    TORCH_EXECUTORS,
    assert_agrees_with_reference,
    assert_as_exact_as_reference,
    assert_gradients_are_right,
    assert_permutation_equivariant,
    assert_refused,
    assert_round_trip,
    build_policy,
    double_precision,
    every_executor,
    every_message_policy,
    every_policy_and_executor,
    some_edges,
    some_inputs,
    uniform,
)
from torch import nn

from badger_graph import Edges, ExpertPolicy
from badger_graph.executors.prepare import ExecutorName, prepare
from badger_graph.policies import POLICIES

SIZES = st.sampled_from([1, 2, 5, 15, 16, 17, 32, 33])
"""Of states, messages, percepts and identifiers: below, at and above what vectors hold."""


def make(name: str, seed: int = 0, **sizes: int | str) -> ExpertPolicy:
    torch.manual_seed(seed)
    usual = {"percept_size": 4, "identifier_size": 3, "hidden_size": 6, "message_size": 5}
    return build_policy(POLICIES[name], **{**usual, **sizes})


@torch.no_grad()
def scaled(policy: ExpertPolicy, factor: float) -> ExpertPolicy:
    """With weights so many times as large."""
    for parameter in policy.parameters():
        parameter *= factor
    return policy


def no_edges() -> Edges:
    return Edges.unweighted(torch.zeros(2, 0, dtype=torch.int64))


# ------------------------------------------------------ what holds for every message policy


@every_policy_and_executor
@given(num_experts=st.integers(1, 9), batch_size=st.integers(1, 4), seed=st.integers(0, 99))
def test_equivariant_to_permutations(
    name: str, executor: ExecutorName, num_experts: int, batch_size: int, seed: int
) -> None:
    assert_permutation_equivariant(make(name), executor, batch_size, num_experts, seed)


@every_policy_and_executor
@settings(derandomize=False, database=None, print_blob=True)  # fresh inputs in each run
@given(
    sizes=st.fixed_dictionaries(
        {
            "hidden_size": SIZES,
            "message_size": SIZES,
            "percept_size": SIZES,
            "identifier_size": SIZES | st.just(0),
        }
    ),
    num_experts=st.integers(1, 70),
    batch_size=st.integers(1, 3),
    per_expert=st.sampled_from([0, 0.3, 1, 4, 9]),
    scale=st.sampled_from([0.1, 1, 4]),
    num_rounds=st.integers(1, 3),
    seed=st.integers(0, 2**31),
)
def test_executors_agree_with_the_reference(
    name: str,
    executor: ExecutorName,
    sizes: dict[str, int],
    num_experts: int,
    batch_size: int,
    per_expert: float,
    scale: float,
    num_rounds: int,
    seed: int,
) -> None:
    """Any weights, sizes, number of rounds, and edges: weighted, repeated, loops, or missing."""
    policy = scaled(make(name, seed, **sizes), scale)
    num_edges = int(per_expert * batch_size * num_experts)
    edges = some_edges(batch_size, num_experts, num_edges, seed)
    assert_agrees_with_reference(policy, executor, edges, batch_size, num_experts, num_rounds, seed)


@every_policy_and_executor
@pytest.mark.parametrize("scale", [0.1, 1, 4])
@pytest.mark.parametrize("seed", range(4))
def test_in_single_precision_executors_are_as_exact_as_the_reference(
    name: str, executor: ExecutorName, scale: float, seed: int
) -> None:
    sizes = (
        {"hidden_size": 32, "message_size": 16, "identifier_size": 12},
        {"hidden_size": 6, "message_size": 5, "identifier_size": 0},
        {"hidden_size": 33, "message_size": 17, "percept_size": 2},
        {"hidden_size": 48, "message_size": 32, "identifier_size": 12},
    )
    policy = scaled(make(name, seed, **sizes[seed]), scale)
    assert_as_exact_as_reference(policy, executor, some_edges(3, 40, 500, seed), 3, 40, 3, seed)


EDGES = {
    "nobody hears anybody": (2, 5, no_edges()),
    "one expert alone": (3, 1, no_edges()),
    "one expert that hears itself": (1, 1, Edges.unweighted(torch.tensor([[0], [0]]))),
    "the same edge three times": (1, 3, Edges.unweighted(torch.tensor([[0, 0, 0], [1, 1, 1]]))),
    "the same edge, opposite weights": (
        1,
        3,
        Edges(torch.tensor([[0, 0], [1, 1]]), torch.tensor([1.5, -1.5])),
    ),
    "edges of weight zero": (1, 2, Edges(torch.tensor([[0, 1], [1, 0]]), torch.zeros(2))),
    "only the last agent has edges": (3, 2, Edges.unweighted(torch.tensor([[4, 5], [5, 4]]))),
    "a star into one": (1, 4, Edges.unweighted(torch.tensor([[1, 2, 3], [0, 0, 0]]))),
    "more experts than dense products are good for": (1, 70, some_edges(1, 70, 400)),
}


@every_policy_and_executor
@pytest.mark.parametrize("case", EDGES)
def test_executors_agree_on_odd_edges(name: str, executor: ExecutorName, case: str) -> None:
    batch_size, num_experts, edges = EDGES[case]
    assert_agrees_with_reference(make(name), executor, edges, batch_size, num_experts)


@every_policy_and_executor
@pytest.mark.parametrize(("batch_size", "num_experts"), [(1, 1), (2, 3)])
def test_gradients_are_right(
    name: str, executor: ExecutorName, batch_size: int, num_experts: int
) -> None:
    assert_gradients_are_right(make(name), executor, batch_size, num_experts)


@every_message_policy
@pytest.mark.parametrize("identifier_size", [0, 3])
def test_round_trip(name: str, identifier_size: int) -> None:
    with double_precision():
        policy, edges = make(name, identifier_size=identifier_size), some_edges(1, 4, 9)
        *given, _ = some_inputs(policy, edges, 4)
        prepared = prepare(edges, 1, 4, "dense", policy)
        assert_round_trip(policy, lambda policy: prepared.round(policy, *given)[0])


@every_message_policy
@pytest.mark.parametrize("executor", TORCH_EXECUTORS)
def test_runs_on_every_device(name: str, executor: ExecutorName, device: torch.device) -> None:
    policy, edges = make(name).double(), some_edges(2, 4, 20)
    *given, _ = some_inputs(policy, edges, 8)
    expected, _ = prepare(edges, 2, 4, "reference", policy).round(policy, *given)
    policy = policy.to(device)
    prepared = prepare(edges.to(device), 2, 4, executor, policy)
    after, _ = prepared.round(policy, *(value.to(device) for value in given))
    assert after.device.type == device.type
    torch.testing.assert_close(after.cpu(), expected, rtol=1e-9, atol=1e-12)


@every_message_policy
@pytest.mark.parametrize(
    ("size", "least"),
    [("percept_size", 1), ("identifier_size", 0), ("hidden_size", 1), ("message_size", 1)],
)
def test_sizes_that_are_too_small(name: str, size: str, least: int) -> None:
    message = f"{size} must be at least {least}, got {least - 1}"
    assert_refused(message, lambda: make(name, **{size: least - 1}))


# ------------------------------------------------------ other aggregations than the mean

OTHERS = [aggregation for aggregation in AGGREGATIONS if aggregation != "mean"]


@pytest.mark.parametrize("aggregation", OTHERS)
@given(
    num_experts=st.integers(1, 20),
    batch_size=st.integers(1, 3),
    per_expert=st.sampled_from([0, 0.3, 1, 4]),
    seed=st.integers(0, 2**31),
)
def test_other_aggregations_on_any_edges(
    aggregation: str, num_experts: int, batch_size: int, per_expert: float, seed: int
) -> None:
    policy = make("gru", seed, aggregation=aggregation)
    edges = some_edges(batch_size, num_experts, int(per_expert * batch_size * num_experts), seed)
    sizes = (batch_size, num_experts)
    assert_agrees_with_reference(policy, "sparse", edges, *sizes, seed=seed)
    assert_permutation_equivariant(policy, "sparse", *sizes, seed)


@pytest.mark.parametrize("name", MESSAGE_POLICIES)
@pytest.mark.parametrize("aggregation", OTHERS)
def test_every_policy_takes_every_aggregation(name: str, aggregation: str) -> None:
    """On odd edges, too: ties, weights of zero, nobody; and it is not the mean."""
    policy = make(name, aggregation=aggregation)
    for batch_size, num_experts, edges in EDGES.values():
        assert_agrees_with_reference(policy, "sparse", edges, batch_size, num_experts)
    usual = make(name).double()
    usual.load_state_dict(policy.state_dict())
    *given, _ = some_inputs(policy, edges, num_experts)
    prepared = prepare(edges, batch_size, num_experts, "sparse", policy)
    other, mean = (prepared.round(one, *given)[0] for one in (policy.double(), usual))
    assert not torch.allclose(other, mean)


@pytest.mark.parametrize("aggregation", OTHERS)
@pytest.mark.parametrize("executor", ["reference", "sparse"])
def test_gradients_of_other_aggregations(aggregation: str, executor: ExecutorName) -> None:
    assert_gradients_are_right(make("gru", aggregation=aggregation), executor, 2, 3)


# ------------------------------------------------------------------------------ GRU, by hand


@every_executor
def test_gru_on_a_tiny_graph_by_hand(executor: ExecutorName) -> None:
    """Expert 0 hears 1 (weight 1) and 2 (weight 3), 1 hears 0, 2 hears nobody."""
    policy = make("gru").double()
    edges = Edges(
        torch.tensor([[1, 2, 0], [0, 0, 1]]), torch.tensor([1, 3, 1], dtype=torch.float64)
    )
    hidden, percept, identifier, _ = some_inputs(policy, edges, 3)
    sent = [policy.emit(expert[None], identifier)[0] for expert in hidden]
    received = [(1 * sent[1] + 3 * sent[2]) / 2, sent[0], torch.zeros(5, dtype=torch.float64)]

    cell = nn.GRUCell(5 + 4 + 3, 6, dtype=torch.float64)
    weights = policy.state_dict().items()
    cell.load_state_dict({key[5:]: value for key, value in weights if key.startswith("cell.")})
    expected = [
        cell(torch.cat([received[n], percept[n], identifier[n]])[None], hidden[n][None])[0]
        for n in range(3)
    ]
    prepared = prepare(edges, 1, 3, executor, policy)
    after, _ = prepared.round(policy, hidden, percept, identifier)
    torch.testing.assert_close(after, torch.stack(expected), rtol=1e-12, atol=1e-12)


def test_gru_message_is_the_formula_in_its_docstring() -> None:
    """m = W2 tanh(W1 h + b1) + b2, with tensors of these shapes and no others."""
    policy, hidden = make("gru").double(), uniform(0, 4, 6)
    w1, b1, w2, b2 = (value for key, value in policy.state_dict().items() if "message" in key)
    expected = [w2 @ torch.tanh(w1 @ h + b1) + b2 for h in hidden]
    sent = policy.emit(hidden, uniform(1, 4, 3))
    torch.testing.assert_close(sent, torch.stack(expected))


def test_gru_speaks_linearly() -> None:
    policy, hidden, traits = make("gru").double(), uniform(0, 6, 6), uniform(1, 6, 3)
    said = policy.speak(hidden, traits)
    assert said.shape == (6, 1)
    zero = policy.speak(torch.zeros_like(hidden), traits)
    torch.testing.assert_close(policy.speak(3 * hidden, traits) - zero, 3 * (said - zero))
