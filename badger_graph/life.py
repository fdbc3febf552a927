"""What the inner loop carries from step to step."""

from __future__ import annotations

from typing import Any, NamedTuple

from jaxtyping import Float, Int
from torch import Tensor

from badger_graph.executors.base import Executor
from badger_graph.typing import Edges
from topologies.wires import Wires


class Experts(NamedTuple):
    """What is of each expert, agent after agent.

    Shapes:
        - **hidden:** ``[V, H]``, its state
        - **identifier:** ``[V, I]``, what tells it from others
        - **kind:** ``[V]``, which of the policies it runs, where there are several
    """

    hidden: Float[Tensor, "V H"]
    identifier: Float[Tensor, "V I"]
    kind: Int[Tensor, " V"]


class Addresses(NamedTuple):
    """What tells inputs and outputs apart, for membranes that find them by it.

    Shapes:
        - **outputs:** ``[B, d, A]``; **inputs:** ``[B, n, A]``
    """

    outputs: Float[Tensor, "B d A"]
    inputs: Float[Tensor, "B n A"]


class Life(NamedTuple):
    """The living agents of a batch, in plain tensors; :func:`badger_graph.to_pyg` gives the graph.

    ``traits`` and ``contacts`` are what the policy makes of identifiers and the membrane of
    addresses, once in a life; ``executor`` holds the edges, prepared for the rounds to come.

    Shapes:
        - **score:** ``[B, d]``, of each output; **action:** ``[B, d]``, what they did last
        - **codebook:** ``[B]``, which one each agent was born into, if there are any
    """

    experts: Experts
    score: Float[Tensor, "B d"]
    action: Float[Tensor, "B d"]
    addresses: Addresses
    traits: Any
    contacts: Any
    executor: Executor
    codebook: Int[Tensor, " B"] | None = None

    @property
    def hidden(self) -> Float[Tensor, "V H"]:
        return self.experts.hidden

    @property
    def identifier(self) -> Float[Tensor, "V I"]:
        return self.experts.identifier

    @property
    def edges(self) -> Edges:
        return self.executor.edges

    @property
    def links(self) -> Edges | Wires:
        """Who hears whom, as the topology said it."""
        return self.executor.links

    @property
    def batch_size(self) -> int:
        return self.executor.batch_size

    @property
    def num_experts(self) -> int:
        return self.executor.num_experts

    @property
    def num_outputs(self) -> int:
        return self.action.size(1)

    @property
    def num_inputs(self) -> int:
        return self.addresses.inputs.size(1)

    def with_hidden(self, hidden: Float[Tensor, "V H"]) -> Life:
        """The same agents in other states."""
        return self._replace(experts=self.experts._replace(hidden=hidden))
