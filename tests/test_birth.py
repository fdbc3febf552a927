"""What newborn agents have: what tells experts, inputs and outputs apart, and one graph for all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from properties import assert_deterministic_by_seed, seeded
from torch import Tensor

from badger_graph import AddressedMembrane, BadgerAgent, Birth, GRUPolicy, Interface, Life
from topologies import GraphTopology, RandomTopology, RingTopology, Topology

IDENTIFIER, ADDRESS = 12, 16


def make(topology: Topology | None = None) -> BadgerAgent:
    torch.manual_seed(0)
    interface = Interface(input=1)
    return BadgerAgent(interface, GRUPolicy, topology or RingTopology(), AddressedMembrane)


def born(
    birth: Birth, seed: int = 0, batch_size: int = 4, outputs: int = 3, inputs: int = 3
) -> Life:
    return make().reset(batch_size, 5, outputs, seeded(seed), inputs, birth)


def drawn(*seed: int, shape: tuple[int, ...]) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape)).float()


def test_random_addresses_differ_between_agents_and_follow_the_generator() -> None:
    life = born(Birth())
    for addresses in life.addresses:
        assert len(addresses.flatten(0, 1).unique(dim=0)) == 12
    for port in (0, 1):
        assert_deterministic_by_seed(lambda seed, port=port: born(Birth(), seed).addresses[port])


@pytest.mark.parametrize("port", ["outputs", "inputs"])
def test_fixed_addresses_follow_the_seed_of_addresses_alone(port: str) -> None:
    def addresses(seed: int, **settings: Any) -> Tensor:
        return getattr(
            born(Birth(addresses="fixed", address_seed=seed), **settings).addresses, port
        )

    one = addresses(1)
    assert (one == one[0]).all()
    assert torch.equal(addresses(1, batch_size=2, **{port: 6})[0, :3], one[0])
    assert_deterministic_by_seed(addresses)
    other = born(Birth("fixed", "fixed", address_seed=1, seed=9))
    assert torch.equal(getattr(other.addresses, port), one)
    assert not torch.equal(other.identifier, born(Birth()).identifier)


@pytest.mark.parametrize("birth", [Birth(addresses="fixed"), Birth(codebooks=1)], ids=repr)
def test_addresses_of_inputs_and_outputs_are_independent(birth: Birth) -> None:
    """Also where there are as many of both; and more of one leave the other as it is."""
    outputs, inputs = born(birth).addresses
    assert not torch.isin(inputs, outputs).any()
    more = born(birth, outputs=7).addresses
    assert torch.equal(more.inputs, inputs)
    assert torch.equal(born(birth, inputs=7).addresses.outputs, outputs)


def test_names_are_those_that_trained_agents_know() -> None:
    """Fixed draws are functions of the seed, which no version may change."""
    birth = Birth(addresses="fixed", seed=5, address_seed=7)
    life = born(birth, batch_size=1)
    assert torch.equal(life.identifier, drawn(5, shape=(5, IDENTIFIER)))
    assert torch.equal(life.addresses.outputs[0], drawn(7, 1, shape=(3, ADDRESS)))
    assert torch.equal(life.addresses.inputs[0], drawn(7, 4, shape=(3, ADDRESS)))
    life = born(replace(birth, codebooks=1), batch_size=1)
    assert torch.equal(life.identifier, drawn(5, 2, shape=(5, IDENTIFIER)))
    assert torch.equal(life.addresses.outputs[0], drawn(5, 3, shape=(3, ADDRESS)))
    assert torch.equal(life.addresses.inputs[0], drawn(5, 5, shape=(3, ADDRESS)))


def test_every_agent_has_one_of_so_many_codebooks() -> None:
    """Experts and ports of one book always meet; more books add to those before."""
    seen: dict[int, set[tuple[bytes, ...]]] = {}
    for codebooks in (1, 2, 4):
        life = born(Birth(codebooks=codebooks), batch_size=64)
        named = (life.identifier.view(64, -1), *life.addresses)
        seen[codebooks] = {tuple(part[b].numpy().tobytes() for part in named) for b in range(64)}
        assert len(seen[codebooks]) == codebooks
        for part in range(3):
            assert len({book[part] for book in seen[codebooks]}) == codebooks
    assert seen[1] < seen[2] < seen[4]


@pytest.mark.parametrize("redraw", ["once", "rollout", "agent"])
def test_one_graph_for_all_agents_by_its_seed(redraw: Any) -> None:
    topology = RandomTopology(2, redraw)
    agent = make(topology)

    def index(graph_seed: int | None, seed: int = 0) -> Tensor:
        birth = Birth(graph_seed=graph_seed)
        return agent.reset(3, 9, 1, seeded(seed), birth=birth).edges.index

    edges = index(1)
    assert torch.equal(index(1, seed=5), edges)
    one, *others = (edges.unflatten(1, (3, -1)) - 9 * torch.arange(3)[:, None]).unbind(1)
    assert all(torch.equal(one, other) for other in others)
    assert_deterministic_by_seed(index)
    assert isinstance(agent.topology, GraphTopology)
    usual = index(None)
    agent.reset(3, 9, 1, seeded(0), birth=Birth(graph_seed=1))
    assert torch.equal(index(None), usual)


def test_a_graph_that_is_not_drawn_stays() -> None:
    life = born(Birth(graph_seed=3))
    assert torch.equal(life.edges.index, born(Birth()).edges.index)
