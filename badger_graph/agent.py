"""An agent: a graph of experts that share one policy."""

from __future__ import annotations

from functools import partial
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from badger_graph.birth import USUAL_BIRTH, Birth
from badger_graph.building import MembraneBuilder, PolicyBuilder, TopologyBuilder, build_part
from badger_graph.channels import ClearChannel
from badger_graph.checks import check_action, check_hidden, check_observation, check_percept
from badger_graph.communication import Communication, FixedRounds
from badger_graph.compiled import check_compilable, compiled, uniform
from badger_graph.executors.base import Executor
from badger_graph.executors.prepare import ExecutorName, Preparation
from badger_graph.life import Addresses, Experts, Life
from badger_graph.membranes import HardwiredMembrane, Membrane
from badger_graph.policies import ExpertPolicy
from badger_graph.typing import Edges, Interface, Observation
from topologies import Topology, Wires
from topologies.checks import EXPERTS, check_numbers, checked, size


@final
class BadgerAgent(nn.Module):
    """One agent built of many experts: a policy, a topology and a membrane.

    All experts run the same policy; each keeps its own hidden state. The module itself holds
    weights and no state: :meth:`reset` begins a life and :meth:`step` carries it on, so one agent
    can live many lives at once, and with any number of experts, inputs and outputs.

    Source: Rosa et al. 2019, "Architecture".

    Args:
        interface: the channels between the agent and its world, of the task family.
        policy: the weights that all experts share: a class, such as ``GRUPolicy``, or what else
            makes it, ``partial(GRUPolicy, gain=1.65)``. Sizes flow: nobody says them twice.
        topology: who hears whom; if it looks at states, a class that is made for their size.
        membrane: the contact of experts with the world, a class as well; hardwired by default.
        communication: the communication stage; one round over a clear channel by default.
        birth: what makes experts differ, unless :meth:`reset` is given another.
        identifier_size: channels I that tell experts apart; 0 for none.
        hidden_size: size H of an expert's state.
        executor: how messages travel; see :func:`badger_graph.executors.prepare.prepare`.
        compiled: run the step through ``torch.compile``, for a policy of your own on the dense
            or sparse executor. Where ``"auto"`` chooses the fused executor or that of attention,
            these serve, as they are.

    Raises:
        ValueError: when parts do not fit together, or what is asked for cannot be compiled.
    """

    @checked(identifier_size=size(0), hidden_size=size())
    def __init__(
        self,
        interface: Interface,
        policy: PolicyBuilder,
        topology: Topology | TopologyBuilder,
        membrane: MembraneBuilder | None = None,
        communication: Communication | None = None,
        birth: Birth = USUAL_BIRTH,
        identifier_size: int = 12,
        hidden_size: int = 32,
        executor: ExecutorName = "auto",
        compiled: bool = False,
    ) -> None:
        super().__init__()
        self.interface = interface
        sizes = {"identifier_size": identifier_size, "hidden_size": hidden_size}
        build, world = membrane or HardwiredMembrane, {"interface": interface, **sizes}
        contact: Membrane = build_part("membrane", Membrane, build, world)
        percept = {"percept_size": contact.percept_size, **sizes}
        # In this order: an optimiser numbers the weights, and its state is kept by these numbers.
        self.policy: ExpertPolicy = build_part("policy", ExpertPolicy, policy, percept)
        if not isinstance(topology, Topology):
            topology = build_part("topology", Topology, topology, {"hidden_size": hidden_size})
        self.topology: Topology = topology
        self.membrane = contact
        self.communication = communication or FixedRounds()
        self.birth = birth
        self.identifier_size = identifier_size
        self.hidden_size = hidden_size
        self.executor = executor
        self.compiled = compiled
        self._preparation = Preparation()
        self.birth.check(self.policy)
        if compiled:
            check_compilable(executor, self.communication.channel)
        initial_hidden = getattr(self.policy, "initial_hidden", None)
        if isinstance(initial_hidden, nn.Parameter):
            # Processes that train together wait for the gradient of all that is to be trained.
            initial_hidden.requires_grad_(self.birth.initial_state == "learned")

    @property
    def device(self) -> torch.device:
        return self._like.device

    @property
    def dtype(self) -> torch.dtype:
        return self._like.dtype

    @checked(batch_size=size(), num_experts=EXPERTS, num_outputs=size(0), num_inputs=size(0))
    def reset(
        self,
        batch_size: int,
        num_experts: int | None,
        num_outputs: int,
        generator: torch.Generator | None = None,
        num_inputs: int = 0,
        birth: Birth | None = None,
    ) -> Life:
        """A batch of newborn agents.

        Args:
            num_experts: none for as many as the membrane usually needs.
            generator: source of the random draws, on the agent's device.
            birth: how they are born; by the agent's own rules by default.

        Raises:
            ValueError: when a size is below 1, the topology has no graph of so many experts,
                or the membrane cannot serve so many outputs and inputs with them.
        """
        birth = birth or self.birth
        birth.check(self.policy)
        if num_experts is None:
            num_experts = self.membrane.usual_experts(num_outputs, num_inputs)
        experts = {"batch_size": batch_size, "num_experts": num_experts}
        features = self.hidden_size + self.identifier_size
        check_numbers("states and identifiers", **experts, features=features)
        self.membrane.check(num_experts, num_outputs, num_inputs)
        like, channels = self._like, self.membrane.address_size
        hidden = self.newborn(batch_size * num_experts, generator, birth)
        book = birth.draw_codebook(batch_size, like, generator)
        identifier = birth.draw_identifiers(
            (batch_size, num_experts, self.identifier_size), like, generator, book
        )
        states = hidden.view(batch_size, num_experts, -1)
        edges = birth.draw_edges(self.topology, states, num_outputs, num_inputs, generator)
        draw = partial(birth.draw_addresses, like=like, generator=generator, codebook=book)
        outputs = draw("output", (batch_size, num_outputs, channels))
        inputs = draw("input", (batch_size, num_inputs, channels))
        kind = torch.arange(num_experts, device=like.device) % self.policy.num_kinds
        return self.life(
            Experts(hidden, identifier, kind.repeat(batch_size)),
            Addresses(outputs, inputs),
            hidden.new_zeros(batch_size, num_outputs),
            edges,
            codebook=book,
        )

    def newborn(
        self, number: int, generator: torch.Generator | None = None, birth: Birth | None = None
    ) -> Float[Tensor, "V H"]:
        """The states of so many newborn experts."""
        initial_hidden = getattr(self.policy, "initial_hidden", None)
        shape = (number, self.hidden_size)
        return (birth or self.birth).draw_hidden(shape, initial_hidden, self._like, generator)

    def life(
        self,
        experts: Experts,
        addresses: Addresses,
        action: Float[Tensor, "B d"],
        edges: Edges | Wires,
        score: Float[Tensor, "B d"] | None = None,
        codebook: Int[Tensor, " B"] | None = None,
    ) -> Life:
        """Living agents of these experts, as many in each, who did that last.

        Args:
            score: where it was another than the action.
            codebook: which one each agent was born into, if there are any.

        Raises:
            ValueError: when the edges are not ones of these agents.
        """
        batch_size = len(action)
        num_experts = len(experts.hidden) // batch_size
        executor = self._prepare(edges, batch_size, num_experts)
        contacts = self.membrane.open(
            addresses, experts.identifier.unflatten(0, (batch_size, num_experts))
        )
        traits = self.policy.traits(experts.identifier, experts.kind)
        score = action if score is None else score
        return Life(experts, score, action, addresses, traits, contacts, executor, codebook)

    def step(
        self, life: Life, observation: Observation, generator: torch.Generator | None = None
    ) -> Life:
        """One inner-loop step: perceive, communicate, act. The life that came in is unchanged.

        Args:
            generator: source of the random draws of a dynamic topology, a channel and choices.

        Raises:
            ValueError: when the observation is not of the agent's interface and these agents.
        """
        counts = (life.batch_size, life.num_outputs, life.num_inputs)
        observation = check_observation(observation, self.interface, counts, life.hidden)
        if self.topology.dynamic:
            states = life.hidden.view(life.batch_size, life.num_experts, -1)
            edges = self.topology(states, generator)
            executor = self._prepare(edges, life.batch_size, life.num_experts, every_step=True)
            life = life._replace(executor=executor)
        parts = (self.policy, self.membrane, self.communication)
        if self.compiled and life.executor.compilable:
            hidden, score = compiled(deliberate)(*parts, *uniform(life, observation), None)
        else:
            hidden, score = deliberate(*parts, life, observation, generator)
        action = self.interface.action.decide(score, generator)
        return life.with_hidden(hidden)._replace(score=score, action=action)

    def _prepare(
        self, edges: Edges | Wires, batch_size: int, num_experts: int, every_step: bool = False
    ) -> Executor:
        who = (self.executor, self.policy, self.communication.channel)
        return self._preparation(edges, batch_size, num_experts, *who, every_step)

    @property
    def _like(self) -> Tensor:
        """A weight, for its precision and device."""
        return next(self.policy.parameters())


def deliberate(
    policy: ExpertPolicy,
    membrane: Membrane,
    communication: Communication,
    life: Life,
    observation: Observation,
    generator: torch.Generator | None,
) -> tuple[Float[Tensor, "V H"], Float[Tensor, "B d"]]:
    """Perceive, communicate, act: the next states and the score of each output."""
    percept = membrane.perceive(life, observation)
    check_percept(membrane, membrane.percept_size, percept, life.hidden, life.action)
    channel, executor = communication.channel, life.executor
    clear = isinstance(channel, ClearChannel)
    send = None if clear else partial(channel, generator=generator)

    def round(hidden: Tensor) -> tuple[Tensor, Tensor]:
        return executor.round(policy, hidden, percept, life.traits, send)

    hidden, speech = communication(round, life.hidden, life.batch_size)
    check_hidden(policy, hidden, life.hidden)
    score = membrane.act(life.with_hidden(hidden), speech, observation)
    check_action(membrane, score, life.hidden, life.action)
    return hidden, score
