"""Living agents as PyG graphs, to inspect, edit and draw, and back."""

from __future__ import annotations

import torch
from torch_geometric.data import Batch, Data

from badger_graph.agent import BadgerAgent
from badger_graph.checks import check_graph
from badger_graph.life import Addresses, Experts, Life
from badger_graph.typing import Edges
from topologies import Wires
from topologies.checks import checked


@checked()
def to_pyg(life: Life) -> Batch:
    """The graph of living agents: experts are its nodes, who hears whom its edges.

    Edges are copies, which may be changed in place without changing those of the life.

    Shapes of the graph's attributes:
        - **hidden:** ``[V, H]``, **identifier:** ``[V, I]``, **kind:** ``[V]``, of each expert
        - **edge_index**, **edge_weight:** ``[2, E]`` and ``[E]``
        - **wire:** ``[V, K]``, the wires of each expert, where it hears by wires; edges then are
          the pairs on one, and :func:`from_pyg` goes by the wires
        - **address:** ``[B, d, A]``, of each output; **input_address:** ``[B, n, A]``
        - **score**, **action:** ``[B, d]``, what the agent did last
        - **codebook:** ``[B]``, which one each agent was born into, only where there are any
        - **batch**, **ptr:** ``[V]`` and ``[B + 1]``, as in every PyG batch
    """
    nodes, device = len(life.hidden), life.hidden.device
    agents = torch.arange(life.batch_size, device=device)
    graph = Batch(
        **life.experts._asdict(),
        edge_index=life.edges.index.clone(),
        edge_weight=life.edges.weight.clone(),
        address=life.addresses.outputs,
        input_address=life.addresses.inputs,
        score=life.score,
        action=life.action,
        batch=agents.repeat_interleave(life.num_experts, output_size=nodes),
        ptr=torch.arange(0, nodes + 1, life.num_experts, device=device),
    )
    if life.codebook is not None:
        graph.codebook = life.codebook
    if isinstance(life.links, Wires):
        graph.wire = life.links.wire.t().clone()
    graph._num_graphs = life.batch_size
    return graph


@checked()
def from_pyg(agent: BadgerAgent, graph: Batch) -> Life:
    """The life with which an agent goes on from a graph, as it was or edited.

    Raises:
        ValueError: when the experts are of other sizes, precision or device than the agent's, or
            the edges not ones of these agents; says which attribute.
    """
    like = next(agent.policy.parameters())
    sizes = (agent.identifier_size, agent.hidden_size, agent.membrane.address_size)
    check_graph(graph, *sizes, agent.policy.num_kinds, like)
    return agent.life(
        Experts(graph.hidden, graph.identifier, graph.kind),
        Addresses(graph.address, graph.input_address),
        graph.action,
        _links(graph),
        graph.score,
        getattr(graph, "codebook", None),
    )


def _links(graph: Batch) -> Edges | Wires:
    if "wire" not in graph:
        return Edges(graph.edge_index, graph.edge_weight)
    return Wires(graph.wire.t().contiguous(), int(graph.wire.max()) + 1)


@checked()
def split(graph: Batch) -> list[Data]:
    """The agents of a batch, one PyG graph each, with experts numbered from zero."""
    num_experts = len(graph.hidden) // graph.num_graphs
    agent = graph.edge_index[1] // num_experts
    order = agent.argsort(stable=True)  # a rewired graph may list its edges in any order
    counts = agent.bincount(minlength=graph.num_graphs).tolist()
    of_experts = {
        name: graph[name].chunk(graph.num_graphs) for name in ("hidden", "identifier", "kind")
    }
    of_edges = {
        "edge_index": (graph.edge_index[:, order] % num_experts).split(counts, dim=1),
        "edge_weight": graph.edge_weight[order].split(counts),
    }
    of_agents = {
        name: graph[name].split(1) for name in ("address", "input_address", "score", "action")
    }
    parts = {**of_experts, **of_edges, **of_agents}
    return [
        Data(**{name: part[number] for name, part in parts.items()}, num_nodes=num_experts)
        for number in range(graph.num_graphs)
    ]
