"""An agent: a graph of experts that share one policy."""

from __future__ import annotations

import copy
import functools
from typing import Literal, final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch_geometric.data import Batch, Data

from badger_graph.checks import check_graph, check_observation
from badger_graph.compiled import COMPILED_EXECUTORS, compiled_step, inner_step
from badger_graph.executors.base import Wiring, once_for_an_index
from badger_graph.executors.prepare import Executor, prepare
from badger_graph.life import Life
from badger_graph.membranes import Membrane
from badger_graph.policies import ExpertPolicy
from badger_graph.typing import Edges, Observation
from topologies import Topology
from topologies.checks import EXPERTS, SEED, check_numbers, checked, size
from topologies.edges import check_ends, check_form, check_graphs
from topologies.recent import Recent


@final
class BadgerAgent(nn.Module):
    """One agent built of many experts: a policy, a topology and a membrane.

    All experts run the same policy; each keeps its own hidden state. The agent's life is a
    PyG graph that :meth:`reset` makes and :meth:`forward` carries on; the module itself holds
    weights and no state, so one agent can live many lives at once, and with any number of
    experts and outputs.

    What makes experts differ (the paper's "Expert Uniqueness and Diversity") is switched here
    and in the membrane: identifiers, initial states and different inputs.

    Source: Rosa et al. 2019, "Architecture".

    Args:
        policy: the weights that all experts share.
        topology: who hears whom.
        membrane: the contact of experts with the world.
        rounds: communication rounds in one inner-loop step.
        identifiers: what tells experts apart. ``"fixed"``: expert n has the same random
            identifier in every life, a function of ``seed`` and n; ``"random"``: redrawn for
            every expert of every agent at every reset; ``"none"``: zeros.
        initial_state: hidden states at birth: ``"zero"``; ``"random"``, uniform in [-1, 1] and
            drawn at every reset; or ``"learned"``, the policy's parameter ``initial_hidden``.
        worlds: so many different sets of identifiers and addresses there are, each a function of
            ``seed`` and of how many experts or outputs there are, and every agent is born into one
            of them; none: identifiers are as said above and addresses as the membrane says.
        seed: seed of the fixed identifiers and of the worlds.
        executor: how messages travel; see
            :func:`badger_graph.executors.prepare.prepare`.
        compiled: run the step through ``torch.compile``, for a policy of your own on the dense
            or sparse executor; see :func:`badger_graph.compiled.compiled_step`. Where
            ``"auto"`` finds the fused executor or that of attention, these serve, as they are.

    Shapes of the graph's attributes:
        - **hidden:** ``[V, H]``, the state of each expert
        - **identifier:** ``[V, I]``; **address:** ``[B, d, A]``, of each output
        - **edge_index**, **edge_weight:** ``[2, E]`` and ``[E]``; assign new ones to rewire
        - **action:** ``[B, d]``, what the agent did last
        - **batch**, **ptr:** ``[V]`` and ``[B + 1]``, as in every PyG batch

    Raises:
        ValueError: when the policy was built for another membrane, ``rounds`` is below 1,
            ``seed`` negative, the executor cannot be compiled, or the policy has no initial state
            to learn.
    """

    @checked(rounds=size(), worlds=size(), seed=SEED)
    def __init__(
        self,
        policy: ExpertPolicy,
        topology: Topology,
        membrane: Membrane,
        rounds: int = 1,
        identifiers: Literal["fixed", "random", "none"] = "fixed",
        initial_state: Literal["zero", "random", "learned"] = "zero",
        worlds: int | None = None,
        seed: int = 0,
        executor: Executor = "auto",
        compiled: bool = False,
    ) -> None:
        super().__init__()
        if policy.percept_size != membrane.percept_size:
            raise ValueError(
                "the policy must perceive what the membrane shows, "
                f"got policy.percept_size={policy.percept_size} for a "
                f"{type(membrane).__name__}, which shows {membrane.percept_size} channels"
            )
        for part in (membrane, topology):  # those that look at the experts' states
            for name in ("hidden_size", "identifier_size"):
                own, known = getattr(policy, name), getattr(part, name, None)
                if known not in (None, own):
                    raise ValueError(
                        f"a {type(part).__name__} must be built for the policy's {name}, "
                        f"got {known} for a policy with {own}"
                    )
        if initial_state == "learned" and not hasattr(policy, "initial_hidden"):
            raise ValueError(
                "initial_state 'learned' needs a policy with a parameter initial_hidden, "
                f"got a {type(policy).__name__}"
            )
        if compiled and executor not in ("auto", *COMPILED_EXECUTORS):
            raise ValueError(
                "compiled takes the executor auto, dense or sparse (the fused one is compiled "
                f"already), got executor={executor!r}"
            )
        if isinstance(born := getattr(policy, "initial_hidden", None), nn.Parameter):
            # Processes that train together wait for the gradient of all that is to be trained.
            born.requires_grad_(initial_state == "learned")
        self.policy = policy
        self.topology = topology
        self.membrane = membrane
        self.rounds = rounds
        self.identifiers = identifiers
        self.initial_state = initial_state
        self.worlds = worlds
        self.seed = seed
        self.executor = executor
        self.compiled = compiled
        self._prepared: Recent[Wiring] = Recent()

    @property
    def device(self) -> torch.device:
        return next(self.policy.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        return next(self.policy.parameters()).dtype

    @checked(batch_size=size(), num_experts=EXPERTS, num_outputs=size(0))
    def reset(
        self,
        batch_size: int,
        num_experts: int,
        num_outputs: int,
        generator: torch.Generator | None = None,
    ) -> Batch:
        """A batch of newborn agents.

        Args:
            generator: source of the random draws, on the agent's device.

        Raises:
            ValueError: when a size is below 1, the topology has no graph of so many experts,
                or the membrane cannot serve so many outputs with them.
        """
        sizes = {"batch_size": batch_size, "num_experts": num_experts}
        features = self.policy.hidden_size + self.policy.identifier_size
        check_numbers("states and identifiers", **sizes, features=features)
        self.membrane.check(num_experts, num_outputs)
        device = self.device
        hidden = self._initial_hidden(batch_size, num_experts, generator)
        world = None
        if self.worlds is not None:
            world = torch.randint(self.worlds, (batch_size,), generator=generator, device=device)
        identifier = self._initial_identifier(batch_size, num_experts, generator, world)
        drawn = self.topology(hidden.view(batch_size, num_experts, -1), generator)
        # A copy: whoever edits the graph must not edit what the topology keeps.
        wiring = self._prepare(drawn, batch_size, num_experts).copied()
        nodes = batch_size * num_experts
        graph = Batch(
            hidden=hidden,
            identifier=identifier,
            address=self._address(batch_size, num_outputs, generator, world),
            edge_index=wiring.edges.index,
            edge_weight=wiring.edges.weight,
            wiring=wiring,
            action=hidden.new_zeros(batch_size, num_outputs),
            batch=torch.arange(batch_size, device=device).repeat_interleave(
                num_experts, output_size=nodes
            ),
            ptr=torch.arange(0, nodes + 1, num_experts, device=device),
        )
        graph._num_graphs = batch_size
        return graph

    def forward(
        self, graph: Batch, observation: Observation, generator: torch.Generator | None = None
    ) -> tuple[Batch, Float[Tensor, "B d"]]:
        """One inner-loop step: perceive, communicate, act. The graph that came in is unchanged.

        Args:
            generator: source of the random draws of a dynamic topology.
        """
        life = self.step(self.life(graph), observation, generator)
        return continued(graph, life), life.action

    def life(self, graph: Batch) -> Life:
        """What a step needs of a graph; edges that were changed meanwhile are prepared anew.

        Raises:
            ValueError: when the agents are of other sizes, precision or device than the policy and
                the membrane, or the edges not ones of these agents.
        """
        wiring = self.wiring(graph)
        experts = (wiring.batch_size, wiring.num_experts)
        ports = self.membrane.open(graph.address, graph.identifier.unflatten(0, experts))
        traits = self.policy.traits(graph.identifier)
        return Life(graph.hidden, graph.action, traits, ports, wiring)

    def wiring(self, graph: Batch) -> Wiring:
        """The edges of living agents as they are now, prepared for the rounds to come.

        Raises:
            ValueError: as for :meth:`life`.
        """
        like = next(self.policy.parameters())
        check_graph(graph, self.policy, self.membrane.address_size, like)
        wiring: Wiring = graph.wiring
        edges = Edges(graph.edge_index, graph.edge_weight)
        if self.topology.dynamic:  # edges are replaced before anyone is heard
            return wiring
        if wiring.describes(*edges) and wiring.edges.weight.dtype == like.dtype:
            return wiring
        return self._prepare(edges, wiring.batch_size, wiring.num_experts)

    def step(
        self, life: Life, observation: Observation, generator: torch.Generator | None = None
    ) -> Life:
        """One inner-loop step on plain tensors: what :meth:`forward` does to a graph."""
        hidden, action, traits, ports, wiring = life
        check_observation(observation, hidden, action)
        if self.topology.dynamic:
            batch_size, num_experts = wiring.batch_size, wiring.num_experts
            edges = self.topology(hidden.view(batch_size, num_experts, -1), generator)
            wiring = self._prepare(edges, batch_size, num_experts, every_step=True)
        compiled = self.compiled and wiring.executor in COMPILED_EXECUTORS
        take = compiled_step if compiled else inner_step
        parts = (self.policy, self.membrane, self.rounds)
        hidden, action = take(*parts, wiring, hidden, action, traits, ports, observation)
        return Life(hidden, action, traits, ports, wiring)

    def _prepare(
        self, edges: Edges, batch_size: int, num_experts: int, every_step: bool = False
    ) -> Wiring:
        check_form(edges)
        like = next(self.policy.parameters())
        # A topology drawn once returns the same tensors at every reset: prepare them once.
        key = (batch_size, num_experts, self.executor, like.dtype, like.device)
        wiring = self._prepared.get(key)
        if wiring is None or not wiring.describes(edges.index, edges.weight):
            if edges.index.device != like.device:
                raise ValueError(
                    f"edges must be on the agent's device, {like.device}, got {edges.index.device}"
                )
            # What is kept must be fit for training, even if first used in inference mode.
            with torch.inference_mode(False):
                index, weight = (part.clone() if part.is_inference() else part for part in edges)
                edges = Edges(index, weight.to(like.dtype))
                if not every_step:
                    check_graphs(edges, batch_size, num_experts)
                elif like.device.type == "cpu":  # elsewhere a synchronisation
                    _check_ends_once(edges.index, batch_size, num_experts)
                wiring = prepare(edges, batch_size, num_experts, self.executor, self.policy)
            if not edges.weight.requires_grad:  # else their whole rollout would be kept alive
                self._prepared.keep(key, wiring, len(edges.weight))
        return wiring

    def _initial_hidden(
        self, batch_size: int, num_experts: int, generator: torch.Generator | None
    ) -> Float[Tensor, "V H"]:
        shape = (batch_size * num_experts, self.policy.hidden_size)
        if self.initial_state == "zero":
            return torch.zeros(shape, device=self.device, dtype=self.dtype)
        if self.initial_state == "learned":
            born: Tensor = self.policy.initial_hidden  # type: ignore[assignment]
            return born.repeat(shape[0], 1)
        uniform = torch.rand(shape, generator=generator, device=self.device, dtype=self.dtype)
        return uniform * 2 - 1

    def _initial_identifier(
        self,
        batch_size: int,
        num_experts: int,
        generator: torch.Generator | None,
        world: Tensor | None = None,
    ) -> Float[Tensor, "V I"]:
        size, like = self.policy.identifier_size, (self.device, self.dtype)
        shape = (batch_size * num_experts, size)
        if self.identifiers == "none":
            return torch.zeros(shape, device=like[0], dtype=like[1])
        if world is not None:
            return self._of_worlds(2, num_experts, size)[world].flatten(0, 1)
        if self.identifiers == "random":
            return torch.randn(shape, generator=generator, device=like[0], dtype=like[1])
        return _fixed_rows((self.seed,), num_experts, size, *like).repeat(batch_size, 1)

    def _address(
        self,
        batch_size: int,
        num_outputs: int,
        generator: torch.Generator | None,
        world: Tensor | None = None,
    ) -> Float[Tensor, "B d A"]:
        size, like = self.membrane.address_size, (self.device, self.dtype)
        shape = (batch_size, num_outputs, size)
        if size and world is not None:
            return self._of_worlds(3, num_outputs, size)[world]
        if not size or self.membrane.addresses == "random":
            return torch.randn(shape, generator=generator, device=like[0], dtype=like[1])
        # Other draws than those of the experts' identifiers.
        return _fixed_rows((self.membrane.seed, 1), num_outputs, size, *like).repeat(
            batch_size, 1, 1
        )

    def _of_worlds(self, what: int, rows: int, size: int) -> Float[Tensor, "worlds rows size"]:
        """What tells apart experts or outputs in every world; more worlds add to those before."""
        assert self.worlds is not None
        seed = (self.seed, what)
        values = _fixed_rows(seed, self.worlds * rows, size, self.device, self.dtype)
        return values.unflatten(0, (self.worlds, rows))


_check_ends_once = once_for_an_index(check_ends)


@functools.lru_cache(maxsize=64)
def _fixed_rows(
    seed: tuple[int, ...], rows: int, size: int, device: torch.device, dtype: torch.dtype
) -> Float[Tensor, "rows size"]:
    # NumPy fills row by row, so what was there keeps its own when more are added.
    values = np.random.default_rng(seed).standard_normal((rows, size))
    with torch.inference_mode(False):
        return torch.from_numpy(values).to(device, dtype)


def continued(graph: Batch, life: Life) -> Batch:
    """The graph of agents that lived on; the one before is unchanged."""
    after = copy.copy(graph)
    after.hidden, after.action = life.hidden, life.action
    if life.wiring is not graph.wiring:
        # A copy: whoever edits the graph must not edit what a dynamic topology keeps.
        after.wiring = life.wiring.copied()
        after.edge_index, after.edge_weight = after.wiring.edges
    return after


@checked()
def split(graph: Batch) -> list[Data]:
    """The agents of a batch, one PyG graph each, with experts numbered from zero."""
    num_experts = len(graph.hidden) // graph.num_graphs
    agent = graph.edge_index[1] // num_experts
    order = agent.argsort(stable=True)  # a rewired graph may list its edges in any order
    counts = agent.bincount(minlength=graph.num_graphs).tolist()
    edge_index = graph.edge_index[:, order] % num_experts
    return [
        Data(
            hidden=hidden,
            identifier=identifier,
            edge_index=edge_index,
            edge_weight=edge_weight,
            action=action[None],
            address=address[None],
            num_nodes=num_experts,
        )
        for hidden, identifier, edge_index, edge_weight, action, address in zip(
            graph.hidden.chunk(graph.num_graphs),
            graph.identifier.chunk(graph.num_graphs),
            edge_index.split(counts, dim=1),
            graph.edge_weight[order].split(counts),
            graph.action,
            graph.address,
            strict=True,
        )
    ]
