"""Attention, its k highest scores, and a learned graph: by hand, against each other, at size."""

from __future__ import annotations

import gc
import typing
import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from command_line import refuse, succeed
from hypothesis import given
from hypothesis import strategies as st
from properties import (
    FUSED,
    TORCH_EXECUTORS,
    Largest,
    assert_deterministic_by_seed,
    assert_gradients_reach_every_parameter,
    assert_near,
    assert_round_trip,
    assert_topology_permutation_equivariant,
    build_policy,
    double_precision,
    every_executor,
    life_and_gradients,
    seeded,
    small_agent,
    some_task,
    table,
    uniform,
)
from torch import Tensor

from badger_graph import (
    BadgerAgent,
    Edges,
    FixedRounds,
    GRUPolicy,
    from_pyg,
    to_pyg,
    unroll,
)
from badger_graph.cli import fit_main
from badger_graph.executors.prepare import ExecutorName, prepare
from badger_graph.products import attention_weights
from topologies import TOPOLOGIES, AttentionTopology, LearnedGraphTopology, TopKTopology, Topology
from topologies import scored as module

every_learned = pytest.mark.parametrize("name", ["attention", "top_k", "learned_graph"])
GRU = build_policy(GRUPolicy)

every_dynamic = pytest.mark.parametrize("name", ["attention", "top_k"])


def built(name: str) -> Topology:
    """For states of 6 numbers, and 7 experts; the same weights at every call."""
    torch.manual_seed(1)
    if name == "learned_graph":
        return LearnedGraphTopology(7)
    return TopKTopology(6, 3, key_size=4) if name == "top_k" else AttentionTopology(6, key_size=4)


def make(topology: Topology | Callable[[int], Topology], **arguments: typing.Any) -> BadgerAgent:
    return small_agent(topology, partial(GRUPolicy, message_size=5), **arguments)


def lived(agent: BadgerAgent, **arguments: typing.Any) -> dict[str, Tensor]:
    return life_and_gradients(agent, some_task(), num_experts=7, **arguments)


# --------------------------------------------------------------------------- any learned topology


@pytest.mark.parametrize("executor", [*TORCH_EXECUTORS[1:], FUSED])
@every_learned
def test_every_executor_gives_the_same_errors_and_gradients(
    name: str, executor: ExecutorName
) -> None:
    with double_precision():
        expected = lived(make(built(name), executor="reference", communication=FixedRounds(2)))
        assert_near(
            lived(make(built(name), executor=executor, communication=FixedRounds(2))), expected
        )


@every_executor
@every_learned
def test_gradients_reach_every_parameter(name: str, executor: ExecutorName) -> None:
    agent = make(built(name), executor=executor)
    loss = unroll(agent, some_task(), 7, 4, seeded(1)).loss
    assert_gradients_reach_every_parameter(loss.mean(), agent)


@every_learned
def test_steps_taken_twice_have_the_same_gradient(name: str) -> None:
    with double_precision():
        agent = make(built(name))
        assert_near(lived(agent, checkpoint_every=2), lived(agent))


@every_learned
def test_lives_in_inference_mode_and_is_trained_afterwards(name: str) -> None:
    agent = make(built(name))
    with torch.inference_mode():
        unroll(agent, some_task(), 7, 4, seeded(1))
    assert all(gradient.isfinite().all() for gradient in lived(agent).values())


@every_learned
def test_runs_on_every_device(name: str, device: torch.device) -> None:
    topology = built(name).eval()
    hidden = uniform(0, 2, 7, 6).float()
    expected = table(topology(hidden), 2, 7)
    index, weight = topology.to(device)(hidden.to(device), seeded(0, device))
    torch.testing.assert_close(table(Edges(index.cpu(), weight.cpu()), 2, 7), expected)


# ------------------------------------------------------------------------------ dynamic topologies


@every_dynamic
def test_edges_move_with_the_experts(name: str) -> None:
    with double_precision():
        assert_topology_permutation_equivariant(built(name), 3, 7, hidden_size=6)


@every_dynamic
@given(num_experts=st.integers(3, 20), batch_size=st.integers(1, 4))
def test_the_mean_over_in_neighbours_is_a_weighted_sum(
    name: str, num_experts: int, batch_size: int
) -> None:
    """Shares are positive and sum to one once they are divided by the in-degree."""
    index, weight = built(name)(uniform(0, batch_size, num_experts, 6).float())
    degree = index[1].bincount(minlength=batch_size * num_experts)
    share = weight / degree[index[1]]
    assert (share > 0).all()
    total = torch.zeros(len(degree)).index_add(0, index[1], share)
    torch.testing.assert_close(total, torch.ones(len(degree)))


def test_attention_is_that_of_the_agents() -> None:
    with double_precision():
        topology, hidden = AttentionTopology(6, key_size=4, beta=2.5), uniform(0, 3, 7, 6)
        queries, keys = topology.query(hidden), topology.key(hidden)
        expected = 7 * attention_weights(queries, keys, beta=2.5)
        torch.testing.assert_close(table(topology(hidden), 3, 7), expected)


@given(num_experts=st.integers(1, 12), k=st.integers(1, 12), seed=st.integers(0, 99))
def test_top_k_keeps_the_highest(num_experts: int, k: int, seed: int) -> None:
    with double_precision():
        torch.manual_seed(seed)
        some, all_of_them = TopKTopology(6, k, key_size=4), AttentionTopology(6, key_size=4)
        all_of_them.load_state_dict(some.state_dict())
        hidden = uniform(seed, 2, num_experts, 6)
        index, weight = some(hidden)
        k = min(k, num_experts)
        assert index[1].tolist() == [node for node in range(2 * num_experts) for _ in range(k)]
        of_all = table(all_of_them(hidden), 2, num_experts)
        least = of_all.topk(k, dim=-1).values[..., -1:]
        kept = of_all * (of_all >= least)
        expected = k * kept / kept.sum(dim=-1, keepdim=True)
        torch.testing.assert_close(table(Edges(index, weight), 2, num_experts), expected)


def test_the_search_in_pieces_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    topology, hidden = TopKTopology(6, 3), uniform(0, 2, 11, 6).float()
    expected = table(topology(hidden), 2, 11)
    for chunk in (1, 22, 50):
        monkeypatch.setattr(module, "CHUNK", chunk)
        torch.testing.assert_close(table(topology(hidden), 2, 11), expected)


@every_dynamic
def test_no_tensor_of_all_pairs_is_made_for_top_k(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHUNK", 2**12)
    num_experts = 512
    task = some_task(1)
    agent = make(built(name), executor="sparse")
    with Largest() as largest:
        unroll(agent, task, num_experts, 2, seeded(0)).loss.mean().backward()
    few = largest.numel <= 32 * num_experts
    assert few == (name == "top_k"), largest.numel  # attention shows that the watch can see


# -------------------------------------------------------------------- what is prepared only once


def test_attention_gives_the_same_index_for_the_same_sizes() -> None:
    topology = AttentionTopology(6)
    first = topology(uniform(0, 2, 5, 6).float())
    again = topology(uniform(1, 2, 5, 6).float())
    assert first.index is again.index
    assert not torch.equal(first.weight, again.weight)


@pytest.mark.parametrize("executor", ["sparse", FUSED])
def test_only_weights_are_prepared_again(executor: ExecutorName) -> None:
    index = torch.tensor([[0, 1, 2], [1, 0, 0]])
    first = prepare(Edges(index, torch.ones(3)), 1, 3, executor, GRU).adjacency
    again = prepare(Edges(index, torch.tensor([1.0, 2.0, 4.0])), 1, 3, executor, GRU).adjacency
    assert again.source is first.source
    assert again.coefficient.tolist() == [1.0, 2.0, 1.0]
    index[0, 2] = 1
    changed = prepare(Edges(index, torch.ones(3)), 1, 3, executor, GRU).adjacency
    assert changed.source.tolist() == [1, 1, 0]
    other_size = prepare(Edges(index, torch.ones(3)), 1, 4, executor, GRU).adjacency
    assert len(other_size.start) == 5


def test_what_is_prepared_dies_with_the_edges() -> None:
    index = torch.tensor([[0, 1, 2], [1, 0, 0]])
    prepared = weakref.ref(prepare(Edges.unweighted(index), 1, 3, "sparse", GRU).adjacency.source)
    gc.collect()
    assert prepared() is not None
    del index
    gc.collect()
    assert prepared() is None


def test_editing_a_graph_leaves_the_topology_alone() -> None:
    agent, hidden = make(AttentionTopology(6)), torch.zeros(2, 5, 6)
    observation = some_task(2).reset()[1]
    expected = agent.topology(hidden).index.clone()
    life = agent.reset(2, 5, 2)
    for _ in range(2):
        graph = to_pyg(life)
        graph.edge_index.copy_(graph.edge_index.flip(0))
        life = agent.step(from_pyg(agent, graph), observation)
        assert torch.equal(agent.topology(hidden).index, expected)
        assert torch.equal(life.edges.index, expected)


# ---------------------------------------------------------------------------------- learned graph


def with_logits(logits: list[list[float]], temperature: float = 1.0) -> LearnedGraphTopology:
    topology = LearnedGraphTopology(len(logits), temperature)
    topology.logit.data = torch.tensor(logits, dtype=topology.logit.dtype)
    return topology


LOGITS = [[-1.0, 2.0, 3.0], [-1.0, -2.0, -3.0], [1.0, 0.0, -0.5]]


def test_frozen_it_is_the_positive_logits() -> None:
    """0 hears 1 and 2, nobody is heard by 1, 2 hears 0: in every agent."""
    topology = with_logits(LOGITS).eval()
    edges = topology(torch.zeros(2, 3, 6))
    assert edges.index.tolist() == [[1, 2, 0, 4, 5, 3], [0, 0, 2, 3, 3, 5]]
    assert edges.weight.tolist() == [1.0] * 6


@every_executor
def test_in_training_the_mean_is_over_present_edges(executor: ExecutorName) -> None:
    """With certain logits the drawn graph is the frozen one, and so is all that follows."""
    with double_precision():
        topology = with_logits([[1e3 * logit - 1 for logit in row] for row in LOGITS])
        agent = make(topology, executor=executor)
        task = some_task()
        drawn = unroll(agent.train(), task, 3, 4, seeded(0)).action
        frozen = unroll(agent.eval(), task, 3, 4, seeded(0)).action
        torch.testing.assert_close(drawn, frozen)
        assert table(topology.train()(torch.zeros(1, 3, 6)), 1, 3)[0, 1].tolist() == [0, 0, 0]


def test_edges_are_present_with_the_probability_of_their_logits() -> None:
    topology = with_logits(LOGITS)
    weight = topology(torch.zeros(4000, 3, 6), seeded(0)).weight.view(4000, 3, 3).detach()
    present = (weight > 0).double()
    probability = torch.sigmoid(topology.logit.detach())
    error = (probability * (1 - probability) / 4000).sqrt()
    assert ((present.mean(dim=0) - probability).abs() < 4 * error).all()
    heard = present.sum(dim=-1, keepdim=True)
    torch.testing.assert_close(weight.double(), 3 * present / heard.clamp(min=1))


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_the_gradient_is_that_of_the_soft_edges(temperature: float) -> None:
    """dw/dl = dw/dz sigma'((l + g) / tau) / tau, worked out for every edge."""
    with double_precision():
        topology = with_logits(LOGITS, temperature)
        wanted = uniform(3, 3, 3)
        weight = topology(torch.zeros(1, 3, 6), seeded(5)).weight.view(3, 3)
        (gradient,) = torch.autograd.grad((wanted * weight).sum(), topology.logit)

        noise = torch.rand(1, 3, 3, generator=seeded(5))[0].logit()
        soft = torch.sigmoid((topology.logit.detach() + noise) / temperature)
        edge = (topology.logit.detach() + noise > 0).double().requires_grad_()
        hard = 3 * edge / edge.sum(dim=-1, keepdim=True).clamp(min=1)
        (of_edge,) = torch.autograd.grad((wanted * hard).sum(), edge)
        torch.testing.assert_close(gradient, of_edge * soft * (1 - soft) / temperature)


def test_graphs_follow_the_generator_and_differ_between_agents_and_rollouts() -> None:
    topology, hidden = LearnedGraphTopology(6), torch.zeros(4, 6, 3)

    def draw(seed: int) -> Tensor:
        return topology(hidden, seeded(seed)).weight

    assert_deterministic_by_seed(draw)
    assert len(draw(0).view(4, 36).unique(dim=0)) == 4
    generator = seeded(0)
    assert not torch.equal(topology(hidden, generator).weight, topology(hidden, generator).weight)


# ------------------------------------------------------------------------------------ wrong input


QUICKLY = ["--trainer.fast_dev_run", "true", "--batch_size", 2, "--num_steps", 3]


@every_learned
def test_command_line(name: str, tmp_path: Path) -> None:
    """With states of another size, which the topologies that look at them are told of."""
    arguments = ["--topology", name, "--hidden_size", 40, *QUICKLY]
    assert "outer step 1:" in succeed(fit_main, *arguments, cwd=tmp_path).out
    if name != "learned_graph":
        refused = refuse(fit_main, *arguments, "--topology.hidden_size", 41, cwd=tmp_path)
        assert "hidden_size=41 and states of size 40" in refused


@every_dynamic
def test_an_agent_says_the_size_of_the_states(name: str) -> None:
    topology = TOPOLOGIES[name]
    assert make(topology).topology.hidden_size == 6
    assert make(partial(topology, key_size=4)).topology.key_size == 4
    task = some_task()
    assert_round_trip(
        make(partial(topology, key_size=4)), lambda agent: unroll(agent, task, 7, 2).action
    )
