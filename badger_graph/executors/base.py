"""What every executor is: a way to carry out the communication rounds of a batch of agents."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar, get_args

from jaxtyping import Float
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from badger_graph.channels import Channel
from badger_graph.policies import ExpertPolicy, MessagePolicy
from badger_graph.policies.aggregation import Aggregation
from badger_graph.policies.base import Neighbours
from badger_graph.typing import Edges
from topologies.wires import Wires

Result = TypeVar("Result")

Send = Callable[[Tensor], Tensor]
"""What happens to messages under way, ``[V, M]`` to ``[V, M]``."""


class Executor(ABC):
    """A way to carry out communication rounds, with the edges of a batch prepared for it.

    Edges are prepared once when they are drawn and used in every round.

    Args:
        edges: those of the whole batch.
        batch_size: agents B.
        num_experts: experts N of each.
    """

    name: ClassVar[str]
    """What :class:`badger_graph.BadgerAgent` and the command line call it."""

    compilable: ClassVar[bool] = False
    """Whether ``torch.compile`` sees through its rounds."""

    def __init__(self, edges: Edges, batch_size: int, num_experts: int) -> None:
        self.edges = edges
        self.links: Edges | Wires = edges
        self.batch_size = batch_size
        self.num_experts = num_experts

    @classmethod
    @abstractmethod
    def obstacle(cls, policy: ExpertPolicy, channel: Channel, edges: Edges) -> str | None:
        """What it would need to serve, in words that follow "needs"; None if it can."""

    def neighbours(self, policy: ExpertPolicy, send: Send | None) -> Neighbours:
        """How experts hear each other, as the policy takes it; none where all hear all."""
        return None

    def round(
        self,
        policy: ExpertPolicy,
        hidden: Float[Tensor, "V H"],
        percept: Any,
        traits: Any,
        send: Send | None = None,
    ) -> tuple[Float[Tensor, "V H"], Tensor]:
        """One communication round: the next states, and what is said to the world after it.

        Args:
            policy: who communicates.
            hidden: the states before.
            percept: what the membrane shows; ``[V, P]`` to a message policy.
            traits: what the policy made of identifiers.
            send: what happens to messages under way; nothing by default.
        """
        return policy.round(hidden, percept, traits, self.neighbours(policy, send))


class TorchExecutor(Executor):
    """An executor made of ordinary PyTorch operations, open to any policy that sends messages."""

    compilable: ClassVar[bool] = True

    @classmethod
    def obstacle(cls, policy: ExpertPolicy, channel: Channel, edges: Edges) -> str | None:
        if policy.attends:
            return f"a policy that sends messages along edges, got {type(policy).__name__}"
        if policy.aggregation not in cls.aggregations:
            return f"the aggregation 'mean', got {policy.aggregation!r}"
        return None

    aggregations: ClassVar[tuple[str, ...]] = get_args(Aggregation)
    """What experts may hear of several messages."""

    @abstractmethod
    def exchange(self, policy: MessagePolicy, sent: Float[Tensor, "V M"]) -> Float[Tensor, "V M"]:
        """Carry messages along the edges: the policy's aggregation over in-neighbours."""

    def neighbours(self, policy: ExpertPolicy, send: Send | None) -> Neighbours:
        def exchange(sent: Tensor) -> Tensor:
            return self.exchange(policy, sent if send is None else send(sent))  # type: ignore[arg-type]  # who has no messages does not call it

        return exchange


def versions(edges: Edges) -> tuple[int, ...]:
    """How often the two tensors were changed in place."""
    # Tensors made in inference mode do not count it.
    return tuple(0 if tensor.is_inference() else tensor._version for tensor in edges)


def once_for_an_index(make: Callable[..., Result]) -> Callable[..., Result]:
    """Keep what a function makes of ``(index, *sizes)`` as long as that index lives unchanged.

    A topology whose weights depend on states gives the same index in every step; so only what
    depends on the weights is prepared again.
    """
    cache: WeakTensorKeyDictionary = WeakTensorKeyDictionary()

    @functools.wraps(make)
    def recall(index: Tensor, *sizes: int) -> Result:
        if index.is_inference():  # nobody could tell whether it changed
            return make(index, *sizes)
        key = (index._version, *sizes)
        entry: tuple[tuple[int, ...], Result] | None = cache.get(index)
        if entry is None or entry[0] != key:
            entry = cache[index] = (key, make(index, *sizes))
        return entry[1]

    return recall
