r"""Growing and shrinking living agents, in mid-life and without retraining.

Every function takes the life of a batch of agents and returns a new one with which
:func:`badger_graph.unroll` goes on; the one before is unchanged, and gradients flow through. All
agents of the batch change alike. Experts that stay keep their states, their identifiers and their
links; new ones come after them. Where experts are removed the later ones move up, so with the
hardwired membrane, where expert j speaks for output j, others speak from then on.

A dynamic topology draws its edges anew in the next step, whatever the links are here.

Source: Rosa et al. 2019, "Scalability and Growing".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from badger_graph.agent import BadgerAgent
from badger_graph.life import Addresses, Experts, Life
from badger_graph.membranes.crossbar import Blocks
from badger_graph.typing import Edges
from topologies import Topology
from topologies.checks import checked, size
from topologies.crossbar import CrossbarLayout

CloneIdentifiers = Literal["same", "fresh", "perturbed"]

PERTURBATION = 0.1
"""Standard deviation of the noise on a perturbed identifier, whose own channels have 1."""


@checked(num=size())
def add_experts(
    agent: BadgerAgent,
    life: Life,
    num: int,
    generator: torch.Generator | None = None,
    topology: Topology | None = None,
) -> Life:
    """The agents with newborn experts.

    All links between the old experts stay. To them come, of the links that the topology draws for
    the larger number of experts, those that start or end at a newborn. So a complete graph stays
    complete, and with ``RandomTopology(k)`` every newborn hears k others.

    Newborn experts have the initial state and identifiers by the agent's rule, with codebooks those
    of the one that their agent was born into. Where they are fixed, they take the first ones that
    no living expert has.

    Args:
        agent: whose agents these are; gives the rules.
        life: agents to grow.
        num: how many experts each of them gets.
        generator: source of the random draws, on the agent's device.
        topology: draws the links of the newborn; the agent's own by default.

    Raises:
        ValueError: when ``num`` is below 1, or the topology has no graph of so many experts.
    """
    batch_size, before = life.batch_size, life.num_experts
    now = before + num
    kind = torch.arange(before, now, device=life.hidden.device) % agent.policy.num_kinds
    newborn = Experts(
        agent.newborn(batch_size * num, generator),
        _fresh_identifiers(agent, life, num, generator),
        kind.repeat(batch_size),
    )
    experts = _beside(life.experts, newborn, batch_size)
    topology = agent.topology if topology is None else topology
    links = topology(experts.hidden.view(batch_size, now, -1), generator)
    new = (links.index % now >= before).any(dim=0)
    index = life.edges.index + life.edges.index // before * num
    edges = Edges(
        torch.cat([index, links.index[:, new]], dim=1),
        torch.cat([life.edges.weight, links.weight[new].to(life.edges.weight)]),
    )
    return _replace(agent, life, experts, edges)


@checked(times=size())
def repeat_agents(agent: BadgerAgent, life: Life, times: int) -> Life:
    """One living agent so many times, as a batch whose agents go apart from here on.

    Args:
        agent: whose life it is.
        life: of a batch of one.
        times: agents B of the new batch.

    Raises:
        ValueError: when there is another number of agents than one, or ``times`` is below 1.
    """
    if life.batch_size != 1:
        raise ValueError(f"one living agent can be repeated, got {life.batch_size}")

    def repeat(value: Tensor) -> Tensor:
        return value.repeat(times, *[1] * (value.dim() - 1))

    return agent.life(
        Experts(*map(repeat, life.experts)),
        Addresses(*map(repeat, life.addresses)),
        repeat(life.action),
        life.links.repeat(times, life.num_experts),
        repeat(life.score),
    )


@checked(num_outputs=size(), num_inputs=size(0))
def grow_crossbar(
    agent: BadgerAgent,
    life: Life,
    num_outputs: int,
    num_inputs: int,
    generator: torch.Generator | None = None,
) -> Life:
    """The agents on a crossbar with more inputs or outputs: newborn experts on the new crossings.

    All others stay as they are, and so do the weights that the membrane reads of them.

    Args:
        agent: whose agents these are; its membrane is a crossbar.
        life: agents to grow.
        num_outputs: outputs d from now on, not fewer than before.
        num_inputs: inputs n from now on, not fewer than before.
        generator: source of the random draws, on the agent's device.

    Raises:
        ValueError: when there would be fewer of them.
    """
    before = (life.num_outputs, life.num_inputs)
    if num_outputs < before[0] or num_inputs < before[1]:
        raise ValueError(
            f"a crossbar that grows must have at least (d, n) = {before}, got "
            f"{(num_outputs, num_inputs)}"
        )
    hidden = CrossbarLayout.of(life.num_experts, *before).hidden
    layout = CrossbarLayout(num_inputs + 1, num_outputs, hidden)
    sizes = (life.batch_size, layout.num_experts, num_outputs)
    newborn = agent.reset(*sizes, generator, num_inputs)
    rows = torch.tensor([*range(life.num_inputs), num_inputs])  # that of the constant is the last

    number = Blocks.of(torch.arange(len(newborn.hidden), device=life.hidden.device), newborn)
    there = Blocks(
        number.direct[:, rows, : life.num_outputs],
        number.before[:, :, rows],
        number.after[:, :, : life.num_outputs],
    ).join()
    more = num_outputs - life.num_outputs
    action, score = (F.pad(value, (0, more)) for value in (life.action, life.score))
    pairs = zip(newborn.experts, life.experts, strict=True)
    experts = Experts(*(new.index_copy(0, there, old) for new, old in pairs))
    grown = agent.life(experts, newborn.addresses, action, newborn.links, score)
    # Where weights begin depends on the number of inputs.
    moved = grown.hidden.clone()
    moved[there, 0] += life.contacts - grown.contacts[there]
    return grown.with_hidden(moved)


@checked()
def clone_experts(
    agent: BadgerAgent,
    life: Life,
    experts: Sequence[int],
    identifiers: CloneIdentifiers = "same",
    generator: torch.Generator | None = None,
) -> Life:
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
        life: agents to grow.
        experts: whom to clone, once for each time they are listed.
        identifiers: those of clones: the ``"same"`` as their originals'; ``"fresh"`` ones, as in
            :func:`add_experts`; or ``"perturbed"``, the same plus a little noise.
        generator: source of the random draws, on the agent's device.

    Raises:
        ValueError: when ``experts`` is empty or lists one that is not there, or for unknown
            ``identifiers``.
    """
    _check_listed("clone", experts, life.num_experts)
    device = life.hidden.device
    originals = torch.tensor(experts, device=device)
    clones = _select(life.experts, originals, life.batch_size)
    if identifiers == "fresh":
        fresh = _fresh_identifiers(agent, life, len(experts), generator)
        clones = clones._replace(identifier=fresh)
    elif identifiers == "perturbed":
        noise = torch.empty_like(clones.identifier).normal_(generator=generator)
        clones = clones._replace(identifier=clones.identifier + PERTURBATION * noise)
    together = _beside(life.experts, clones, life.batch_size)
    origin = torch.cat([torch.arange(life.num_experts, device=device), originals])
    return _replace(agent, life, together, _links(life, origin))


@checked()
def remove_experts(agent: BadgerAgent, life: Life, experts: Sequence[int]) -> Life:
    """The agents without some experts and their links; later ones move up.

    Args:
        agent: whose agents these are; its membrane has to do with the rest.
        life: agents to shrink.
        experts: whom to remove.

    Raises:
        ValueError: when ``experts`` is empty, lists one twice, one that is not there or all of
            them, or the membrane cannot serve the outputs with those left.
    """
    num_experts = life.num_experts
    _check_listed("remove", experts, num_experts)
    if len(set(experts)) < len(experts):
        raise ValueError(f"experts to remove must be distinct, got {list(experts)}")
    if len(experts) == num_experts:
        raise ValueError(
            f"at least one expert must be left, got all {num_experts} of them to remove"
        )
    stays = torch.ones(num_experts, dtype=torch.bool, device=life.hidden.device)
    stays[list(experts)] = False
    origin = stays.nonzero().flatten()
    rest = _select(life.experts, origin, life.batch_size)
    return _replace(agent, life, rest, _links(life, origin))


@checked()
def rewire(
    agent: BadgerAgent,
    life: Life,
    links: Topology | Edges,
    generator: torch.Generator | None = None,
) -> Life:
    """The agents with other links in place of theirs.

    Args:
        agent: whose agents these are.
        life: agents to rewire.
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
    if isinstance(links, Edges):
        edges = links
    else:
        edges = links(life.hidden.view(life.batch_size, life.num_experts, -1), generator)
    return _replace(agent, life, life.experts, edges)


@checked(num_outputs=size(0))
def change_outputs(
    agent: BadgerAgent, life: Life, num_outputs: int, generator: torch.Generator | None = None
) -> Life:
    """The agents with more or fewer outputs; the last ones come and go.

    New outputs did nothing yet, zero, and have addresses by the rule of birth. The task that the
    agents go on with must have as many.

    Args:
        agent: whose agents these are; its membrane has to serve the outputs.
        life: agents to change.
        num_outputs: outputs d of each from now on.
        generator: source of the random draws, on the agent's device.

    Raises:
        ValueError: when the membrane cannot serve so many outputs with the experts there are.
    """
    agent.membrane.check(life.num_experts, num_outputs, life.num_inputs)
    before, address = life.num_outputs, life.addresses.outputs
    shape = (life.batch_size, num_outputs, address.size(2))
    book = _codebook(agent, life, generator)
    new = agent.birth.draw_addresses("output", shape, address, generator, book)[:, before:]
    outputs = torch.cat([address[:, :num_outputs], new], dim=1)
    action, score = (
        F.pad(value, (0, num_outputs - before))  # a negative pad cuts
        for value in (life.action, life.score)
    )
    addresses = life.addresses._replace(outputs=outputs)
    return agent.life(life.experts, addresses, action, life.edges, score, life.codebook)


def _select(experts: Experts, origin: Int[Tensor, " new"], batch_size: int) -> Experts:
    """The listed experts of every agent."""
    return Experts(
        *(value.unflatten(0, (batch_size, -1))[:, origin].flatten(0, 1) for value in experts)
    )


def _beside(old: Experts, new: Experts, batch_size: int) -> Experts:
    """In every agent the old experts and then the new ones."""
    parts = ([value.unflatten(0, (batch_size, -1)) for value in of] for of in (old, new))
    return Experts(*(torch.cat(pair, dim=1).flatten(0, 1) for pair in zip(*parts, strict=True)))


def _fresh_identifiers(
    agent: BadgerAgent, life: Life, num: int, generator: torch.Generator | None
) -> Float[Tensor, "U I"]:
    """Identifiers by the agent's rule, in every agent the first that nobody alive has."""
    batch_size, identifier = life.batch_size, life.identifier
    shape = (batch_size, life.num_experts + num, identifier.size(1))
    book = _codebook(agent, life, generator)
    candidates = agent.birth.draw_identifiers(shape, identifier, generator, book)
    in_use = torch.isin(candidates, identifier).all(dim=-1).view(batch_size, -1)
    order = in_use.long().argsort(dim=1, stable=True)[:, :num]
    rows = candidates.unflatten(0, (batch_size, -1))
    return rows.gather(1, order[:, :, None].expand(-1, -1, rows.size(2))).flatten(0, 1)


def _codebook(
    agent: BadgerAgent, life: Life, generator: torch.Generator | None
) -> Int[Tensor, " B"] | None:
    """Which codebook of the agent's rule each has; those that were born without any get one."""
    if life.codebook is None or agent.birth.codebooks is None:
        return agent.birth.draw_codebook(life.batch_size, life.hidden, generator)
    return life.codebook % agent.birth.codebooks


def _links(life: Life, origin: Int[Tensor, " new"]) -> Edges:
    """Links among copies of experts, wherever their originals have one, in the old order."""
    num_experts = life.num_experts
    source, target = life.edges.index % num_experts
    count = origin.bincount(minlength=num_experts)
    by_original = origin.argsort(stable=True)
    first = count.cumsum(dim=0) - count
    copies = count[source] * count[target]  # of each link
    link = torch.arange(len(copies), device=copies.device).repeat_interleave(copies)
    number = torch.arange(len(link), device=link.device) - (copies.cumsum(dim=0) - copies)[link]
    source, target = source[link], target[link]
    ends = (first[source] + number // count[target], first[target] + number % count[target])
    agent = life.edges.index[0, link] // num_experts
    index = by_original[torch.stack(ends)] + agent * len(origin)
    return Edges(index, life.edges.weight[link])


def _replace(agent: BadgerAgent, life: Life, experts: Experts, edges: Edges) -> Life:
    """The agents with other experts or edges, prepared for the rounds to come."""
    num_experts = len(experts.hidden) // life.batch_size
    agent.membrane.check(num_experts, life.num_outputs, life.num_inputs)
    return agent.life(experts, life.addresses, life.action, edges, life.score, life.codebook)


def _check_listed(verb: str, experts: Sequence[int], num_experts: int) -> None:
    if not len(experts):
        raise ValueError(f"at least one expert to {verb} must be listed, got none")
    absent = [expert for expert in experts if not 0 <= expert < num_experts]
    if absent:
        raise ValueError(f"experts to {verb} must be among 0 to {num_experts - 1}, got {absent[0]}")
