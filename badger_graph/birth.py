"""How agents are born: what their experts, inputs and outputs have from the beginning."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from topologies import Edges, GraphTopology, Topology, Wires
from topologies.checks import SEED, check_numbers, checked_fields, size

Port = Literal["output", "input"]

FIXED_ADDRESSES: dict[Port, int] = {"output": 1, "input": 4}
CODEBOOK_IDENTIFIERS = 2
CODEBOOK_ADDRESSES: dict[Port, int] = {"output": 3, "input": 5}
"""What is appended to a seed, so that draws have nothing to do with each other."""


@checked_fields(seed=SEED, address_seed=SEED, graph_seed=SEED, codebooks=size())
@dataclass(frozen=True)
class Birth:
    """What makes experts differ from their first step on (the paper's "Expert Uniqueness and
    Diversity"), and what agents of one batch have in common.

    Args:
        identifiers: what tells experts apart. ``"fixed"``: expert n has the same random
            identifier in every life, a function of ``seed`` and n; ``"random"``: redrawn for
            every expert of every agent at every reset; ``"none"``: zeros.
        addresses: what tells inputs and outputs apart, for membranes that find them by it.
            ``"random"``: redrawn for each of them of every agent at every reset; ``"fixed"``: the
            same in every life, a function of ``address_seed``.
        initial_state: hidden states at birth: ``"zero"``; ``"random"``, uniform in [-1, 1] and
            drawn at every reset; or ``"learned"``, the policy's parameter ``initial_hidden``.
        codebooks: so many different sets of identifiers and addresses there are, each a function
            of ``seed`` and of how many experts or outputs there are, and every agent has one of
            them; none: identifiers and addresses are as said above.
        seed: seed of the fixed identifiers and of the codebooks.
        address_seed: seed of the fixed addresses.
        graph_seed: seed of one graph that all agents have in common, in place of what the
            topology would draw; none: as the topology says.

    Raises:
        ValueError: for a negative seed, less than one codebook, or an unknown name.
    """

    identifiers: Literal["fixed", "random", "none"] = "fixed"
    addresses: Literal["random", "fixed"] = "random"
    initial_state: Literal["zero", "random", "learned"] = "zero"
    codebooks: int | None = None
    seed: int = 0
    address_seed: int = 0
    graph_seed: int | None = None

    def check(self, policy: nn.Module) -> None:
        """Refuse a policy whose experts cannot be born so.

        Raises:
            ValueError: when it has no parameters, or no initial state to learn.
        """
        if next(policy.parameters(), None) is None:
            raise ValueError(
                "policy must have parameters, which say the agent's precision and device, "
                f"got a {type(policy).__name__} without any"
            )
        if self.initial_state == "learned" and not hasattr(policy, "initial_hidden"):
            raise ValueError(
                "initial_state 'learned' needs a policy with a parameter initial_hidden, "
                f"got a {type(policy).__name__}"
            )

    def draw_hidden(
        self,
        shape: tuple[int, int],
        initial_hidden: Tensor | None,
        like: Tensor,
        generator: torch.Generator | None,
    ) -> Float[Tensor, "V H"]:
        """The states of newborn experts.

        Args:
            shape: V and H.
            initial_hidden: the policy's ``initial_hidden``, ``[H]``.
            like: gives the precision and the device.
            generator: source of the random draws.
        """
        if self.initial_state == "zero":
            return like.new_zeros(shape)
        if self.initial_state == "learned":
            assert initial_hidden is not None
            return initial_hidden.repeat(shape[0], 1)
        uniform = torch.rand(shape, generator=generator, device=like.device, dtype=like.dtype)
        return uniform * 2 - 1

    def draw_codebook(
        self, batch_size: int, like: Tensor, generator: torch.Generator | None
    ) -> Int[Tensor, " B"] | None:
        """Which codebook each agent has, if there are any."""
        if self.codebooks is None:
            return None
        return torch.randint(self.codebooks, (batch_size,), generator=generator, device=like.device)

    def draw_identifiers(
        self,
        shape: tuple[int, int, int],
        like: Tensor,
        generator: torch.Generator | None,
        codebook: Int[Tensor, " B"] | None = None,
    ) -> Float[Tensor, "V I"]:
        """The identifiers of newborn experts, of ``shape`` B, N and I."""
        batch_size, num_experts, channels = shape
        if self.identifiers == "none":
            return like.new_zeros(batch_size * num_experts, channels)
        if codebook is not None:
            books = self._books(CODEBOOK_IDENTIFIERS, num_experts, channels, like)
            return books[codebook].flatten(0, 1)
        if self.identifiers == "random":
            return _normal((batch_size * num_experts, channels), like, generator)
        return _fixed((self.seed,), num_experts, channels, like).repeat(batch_size, 1)

    def draw_addresses(
        self,
        port: Port,
        shape: tuple[int, int, int],
        like: Tensor,
        generator: torch.Generator | None,
        codebook: Int[Tensor, " B"] | None = None,
    ) -> Float[Tensor, "B ports A"]:
        """The addresses of inputs or outputs, of ``shape`` B, their number and A."""
        batch_size, num_ports, channels = shape
        if channels and codebook is not None:
            return self._books(CODEBOOK_ADDRESSES[port], num_ports, channels, like)[codebook]
        if not channels or self.addresses == "random":
            return _normal(shape, like, generator)
        rows = _fixed((self.address_seed, FIXED_ADDRESSES[port]), num_ports, channels, like)
        return rows.repeat(batch_size, 1, 1)

    def draw_edges(
        self,
        topology: Topology,
        states: Float[Tensor, "B N H"],
        num_outputs: int,
        num_inputs: int,
        generator: torch.Generator | None,
    ) -> Edges | Wires:
        """Who hears whom from the first step on: the graph of ``graph_seed``, or a new one.

        Args:
            topology: of the agents.
            states: of all experts; gives B, N and the device.
            num_outputs: outputs d, for a topology that sees them.
            num_inputs: inputs n, likewise.
            generator: source of the random draws, on the device of ``states``.
        """
        if self.graph_seed is not None and isinstance(topology, GraphTopology):
            batch_size, num_experts, _ = states.shape
            return topology.once(batch_size, num_experts, states.device, self.graph_seed)
        ports = {"num_outputs": num_outputs, "num_inputs": num_inputs}
        edges: Edges | Wires = topology(states, generator, **(ports if topology.sees_ports else {}))
        return edges

    def _books(
        self, what: int, rows: int, channels: int, like: Tensor
    ) -> Float[Tensor, "codebooks rows channels"]:
        """What tells apart experts or ports in every codebook; more of them add to those before."""
        assert self.codebooks is not None
        check_numbers("codebooks", codebooks=self.codebooks, rows=rows, channels=channels)
        values = _fixed((self.seed, what), self.codebooks * rows, channels, like)
        return values.unflatten(0, (self.codebooks, rows))


USUAL_BIRTH = Birth()
"""Fixed identifiers, random addresses, states of zeros."""


def _normal(shape: tuple[int, ...], like: Tensor, generator: torch.Generator | None) -> Tensor:
    return torch.randn(shape, generator=generator, device=like.device, dtype=like.dtype)


def _fixed(seed: tuple[int, ...], rows: int, channels: int, like: Tensor) -> Tensor:
    return _fixed_rows(seed, rows, channels, like.device, like.dtype)


@functools.lru_cache(maxsize=64)
def _fixed_rows(
    seed: tuple[int, ...], rows: int, channels: int, device: torch.device, dtype: torch.dtype
) -> Float[Tensor, "rows channels"]:
    # NumPy fills row by row, so what was there keeps its own when more are added.
    values = np.random.default_rng(seed).standard_normal((rows, channels))
    with torch.inference_mode(False):
        return torch.from_numpy(values).to(device, dtype)
