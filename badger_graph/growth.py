r"""Growing and shrinking living agents, in mid-life and without retraining.

Every function takes the graph of a batch of agents and returns a new one with which
:func:`badger_graph.unroll` goes on; the one before is unchanged, and gradients flow through. All
agents of the batch change alike. Experts that stay keep their states, their identifiers and their
links; new ones come after them. Where experts are removed the later ones move up, so with the
hardwired membrane, where expert j speaks for output j, others speak from then on.

A dynamic topology draws its edges anew in the next step, whatever the links are here.

Source: Rosa et al. 2019, "Scalability and Growing".
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor
from torch_geometric.data import Batch

from badger_graph.agent import BadgerAgent
from badger_graph.typing import Edges
from topologies import Topology
from topologies.checks import checked, size

CloneIdentifiers = Literal["same", "fresh", "perturbed"]

PERTURBATION = 0.1
"""Standard deviation of the noise on a perturbed identifier, whose own channels have 1."""


@checked(num=size())
def add_experts(
    agent: BadgerAgent,
    graph: Batch,
    num: int,
    generator: torch.Generator | None = None,
    topology: Topology | None = None,
) -> Batch:
    """The agents with newborn experts.

    All links between the old experts stay. To them come, of the links that the topology draws for
    the larger number of experts, those that start or end at a newborn. So a complete graph stays
    complete, and with ``RandomTopology(k)`` every newborn hears k others.

    Newborn experts have the initial state and identifiers by the agent's rule. Where those are
    fixed, they take the first ones that no living expert has.

    Args:
        agent: whose agents these are; gives the rules.
        graph: agents to grow.
        num: how many experts each of them gets.
        generator: source of the random draws, on the agent's device.
        topology: draws the links of the newborn; the agent's own by default.

    Raises:
        ValueError: when ``num`` is below 1, or the topology has no graph of so many experts.
    """
    batch_size, before = _sizes(agent, graph)
    now = before + num
    newborn = agent._initial_hidden(batch_size, num, generator)
    hidden = _beside(graph.hidden, newborn, batch_size)
    fresh = _fresh_identifiers(agent, graph, num, generator)
    topology = agent.topology if topology is None else topology
    drawn = topology(hidden.view(batch_size, now, -1), generator)
    new = (drawn.index % now >= before).any(dim=0)
    moved = graph.edge_index + graph.edge_index // before * num
    edges = Edges(
        torch.cat([moved, drawn.index[:, new]], dim=1),
        torch.cat([graph.edge_weight, drawn.weight[new].to(graph.edge_weight)]),
    )
    return _changed(agent, graph, hidden, _beside(graph.identifier, fresh, batch_size), edges)


@checked()
def clone_experts(
    agent: BadgerAgent,
    graph: Batch,
    experts: Sequence[int],
    identifiers: CloneIdentifiers = "same",
    generator: torch.Generator | None = None,
) -> Batch:
    r"""The agents with copies of some experts, which have the states and links of their originals.

    A clone hears whom its original hears, and is heard by whom its original is heard; likewise
    among clones. It hears its original, and is heard by it, only where the original hears itself:

    .. math::
        j' \to i' \iff \mathrm{original}(j') \to \mathrm{original}(i')

    So, whatever the graph: if every expert is cloned, with the same identifiers, all hear the same
    mean messages as before. If one is, those who hear it hear its message twice among one more.
    A clone under the same identifier stays what its original is while both perceive the same; with
    the hardwired membrane those who speak for an output do not, as their clones do not speak.

    Args:
        agent: whose agents these are; gives the rules.
        graph: agents to grow.
        experts: whom to clone, once for each time they are listed.
        identifiers: those of clones: the ``"same"`` as their originals'; ``"fresh"`` ones, as in
            :func:`add_experts`; or ``"perturbed"``, the same plus a little noise.
        generator: source of the random draws, on the agent's device.

    Raises:
        ValueError: when ``experts`` is empty or lists one that is not there, or for unknown
            ``identifiers``.
    """
    batch_size, num_experts = _sizes(agent, graph)
    _check_listed("clone", experts, num_experts)
    device = graph.hidden.device
    originals = torch.tensor(experts, device=device)
    origin = torch.cat([torch.arange(num_experts, device=device), originals])
    own = _of(graph.identifier, originals, batch_size)
    if identifiers == "fresh":
        own = _fresh_identifiers(agent, graph, len(experts), generator)
    elif identifiers == "perturbed":
        noise = torch.empty_like(own).normal_(generator=generator)
        own = own + PERTURBATION * noise
    hidden = _of(graph.hidden, origin, batch_size)
    identifier = _beside(graph.identifier, own, batch_size)
    return _changed(agent, graph, hidden, identifier, _links(graph, origin))


@checked()
def remove_experts(agent: BadgerAgent, graph: Batch, experts: Sequence[int]) -> Batch:
    """The agents without some experts and their links; later ones move up.

    Args:
        agent: whose agents these are; its membrane has to do with the rest.
        graph: agents to shrink.
        experts: whom to remove.

    Raises:
        ValueError: when ``experts`` is empty, lists one twice, one that is not there or all of
            them, or the membrane cannot serve the outputs with those left.
    """
    batch_size, num_experts = _sizes(agent, graph)
    _check_listed("remove", experts, num_experts)
    if len(set(experts)) < len(experts):
        raise ValueError(f"experts to remove must be distinct, got {list(experts)}")
    if len(experts) == num_experts:
        raise ValueError(
            f"at least one expert must be left, got all {num_experts} of them to remove"
        )
    stays = torch.ones(num_experts, dtype=torch.bool, device=graph.hidden.device)
    stays[list(experts)] = False
    origin = stays.nonzero().flatten()
    hidden, identifier = (_of(of, origin, batch_size) for of in (graph.hidden, graph.identifier))
    return _changed(agent, graph, hidden, identifier, _links(graph, origin))


@checked()
def rewire(
    agent: BadgerAgent,
    graph: Batch,
    links: Topology | Edges,
    generator: torch.Generator | None = None,
) -> Batch:
    """The agents with other links in place of theirs.

    Args:
        agent: whose agents these are.
        graph: agents to rewire.
        links: a topology to draw them, or the edges of the whole batch, numbered through
            (:meth:`Edges.repeat` makes them of the edges of one agent).
        generator: source of the random draws, on the agent's device.

    Raises:
        ValueError: when the agent's own topology is dynamic, the one given has no graph of so many
            experts, or the edges are not ones of these agents.
    """
    if agent.topology.dynamic:
        raise ValueError(
            "to rewire a living agent its own topology must not be dynamic, which draws the edges "
            f"of every step anew, got {agent.topology}"
        )
    batch_size, num_experts = _sizes(agent, graph)
    if isinstance(links, Edges):
        edges = links
    else:
        edges = links(graph.hidden.view(batch_size, num_experts, -1), generator)
    return _changed(agent, graph, graph.hidden, graph.identifier, edges)


@checked(num_outputs=size(0))
def change_outputs(
    agent: BadgerAgent, graph: Batch, num_outputs: int, generator: torch.Generator | None = None
) -> Batch:
    """The agents with more or fewer outputs; the last ones come and go.

    New outputs did nothing yet, zero, and have addresses by the membrane's rule. The task that the
    agents go on with must have as many.

    Args:
        agent: whose agents these are; its membrane has to serve the outputs.
        graph: agents to change.
        num_outputs: outputs d of each from now on.
        generator: source of the random draws, on the agent's device.

    Raises:
        ValueError: when the membrane cannot serve so many outputs with the experts there are.
    """
    batch_size, num_experts = _sizes(agent, graph)
    agent.membrane.check(num_experts, num_outputs)
    before = graph.action.size(1)
    new = agent._address(batch_size, num_outputs, generator)[:, before:]
    after = copy.copy(graph)
    after.address = torch.cat([graph.address[:, :num_outputs], new], dim=1)
    after.action = F.pad(graph.action, (0, num_outputs - before))  # a negative pad cuts
    return after


def _sizes(agent: BadgerAgent, graph: Batch) -> tuple[int, int]:
    """Agents B of the batch and experts N of each, if they are agents of these experts."""
    wiring = agent.wiring(graph)
    return wiring.batch_size, wiring.num_experts


def _of(
    value: Float[Tensor, "V F"], origin: Int[Tensor, " new"], batch_size: int
) -> Float[Tensor, "W F"]:
    """Those of the listed experts of every agent."""
    return value.unflatten(0, (batch_size, -1))[:, origin].flatten(0, 1)


def _beside(
    old: Float[Tensor, "V F"], new: Float[Tensor, "U F"], batch_size: int
) -> Float[Tensor, "W F"]:
    """In every agent the old experts' and then the new ones'."""
    parts = [part.unflatten(0, (batch_size, -1)) for part in (old, new)]
    return torch.cat(parts, dim=1).flatten(0, 1)


def _fresh_identifiers(
    agent: BadgerAgent, graph: Batch, num: int, generator: torch.Generator | None
) -> Float[Tensor, "U I"]:
    """Identifiers by the agent's rule, in every agent the first that nobody alive has."""
    batch_size, num_experts = graph.wiring.batch_size, graph.wiring.num_experts
    ruled = agent._initial_identifier(batch_size, num_experts + num, generator)
    taken = torch.isin(ruled, graph.identifier).all(dim=-1).view(batch_size, -1)
    order = taken.long().argsort(dim=1, stable=True)[:, :num]
    rows = ruled.unflatten(0, (batch_size, -1))
    return rows.gather(1, order[:, :, None].expand(-1, -1, rows.size(2))).flatten(0, 1)


def _links(graph: Batch, origin: Int[Tensor, " new"]) -> Edges:
    """Links among copies of experts, wherever their originals have one, in the old order."""
    num_experts = graph.wiring.num_experts
    source, target = graph.edge_index % num_experts
    count = origin.bincount(minlength=num_experts)
    by_original = origin.argsort(stable=True)
    first = count.cumsum(dim=0) - count
    copies = count[source] * count[target]  # of each link
    link = torch.arange(len(copies), device=copies.device).repeat_interleave(copies)
    number = torch.arange(len(link), device=link.device) - (copies.cumsum(dim=0) - copies)[link]
    source, target = source[link], target[link]
    ends = (first[source] + number // count[target], first[target] + number % count[target])
    agent = graph.edge_index[0, link] // num_experts
    index = by_original[torch.stack(ends)] + agent * len(origin)
    return Edges(index, graph.edge_weight[link])


def _changed(
    agent: BadgerAgent,
    graph: Batch,
    hidden: Float[Tensor, "W H"],
    identifier: Float[Tensor, "W I"],
    edges: Edges,
) -> Batch:
    """The graph with other experts or edges, wired for the rounds to come."""
    batch_size, num_outputs = graph.action.shape
    num_experts = len(hidden) // batch_size
    agent.membrane.check(num_experts, num_outputs)
    # A copy: whoever edits the graph must not edit what a topology keeps.
    wiring = agent._prepare(edges, batch_size, num_experts).copied()
    after = copy.copy(graph)
    after.hidden, after.identifier = hidden, identifier
    after.wiring = wiring
    after.edge_index, after.edge_weight = wiring.edges
    agents = torch.arange(batch_size, device=hidden.device)
    after.batch = agents.repeat_interleave(num_experts, output_size=len(hidden))
    after.ptr = torch.arange(0, len(hidden) + 1, num_experts, device=hidden.device)
    return after


def _check_listed(verb: str, experts: Sequence[int], num_experts: int) -> None:
    if not len(experts):
        raise ValueError(f"at least one expert to {verb} must be listed, got none")
    absent = [expert for expert in experts if not 0 <= expert < num_experts]
    if absent:
        raise ValueError(f"experts to {verb} must be among 0 to {num_experts - 1}, got {absent[0]}")
