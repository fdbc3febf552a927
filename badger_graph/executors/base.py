"""What every executor prepares from the edges of a batch of agents."""

from __future__ import annotations

import copy
import functools
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from badger_graph.checks import fits, refuse
from badger_graph.typing import Edges

Kept = TypeVar("Kept")


class Wiring(ABC):
    """Edges, prepared once when they are drawn and used in every round.

    Args:
        edges: those of the whole batch.
        batch_size: agents B.
        num_experts: experts N of each.
    """

    executor: ClassVar[str]
    """Its name, as :class:`BadgerAgent` and the command line take it."""

    def __init__(self, edges: Edges, batch_size: int, num_experts: int) -> None:
        self.edges = edges
        self.batch_size = batch_size
        self.num_experts = num_experts
        self.versions = versions(edges)

    @abstractmethod
    def round(
        self,
        policy: Any,
        hidden: Float[Tensor, "V H"],
        percept: Float[Tensor, "V P"],
        identifier: Float[Tensor, "V I"],
    ) -> tuple[Float[Tensor, "V H"], Float[Tensor, " V"]]:
        """One communication round of a message policy, and what every expert says after it."""

    def describes(self, edge_index: Tensor, edge_weight: Tensor) -> bool:
        """Whether this was prepared from these very tensors, as they are now.

        A graph that was rewired, by assignment or in place, is noticed.
        """
        same = self.edges.index is edge_index and self.edges.weight is edge_weight
        return same and self.versions == versions(self.edges)

    def copied(self) -> Wiring:
        """The same for edges of its own, which may be changed without changing these."""
        other = copy.copy(self)
        other.edges = Edges(self.edges.index.clone(), self.edges.weight.clone())
        other.versions = versions(other.edges)
        return other


class TorchWiring(Wiring):
    """Edges for an executor made of ordinary PyTorch operations, open to any expert policy."""

    @abstractmethod
    def exchange(self, policy: Any, sent: Float[Tensor, "V M"]) -> Float[Tensor, "V M"]:
        """Carry messages along the edges: the policy's aggregation over in-neighbours."""

    def round(
        self,
        policy: Any,
        hidden: Float[Tensor, "V H"],
        percept: Float[Tensor, "V P"],
        identifier: Float[Tensor, "V I"],
    ) -> tuple[Float[Tensor, "V H"], Float[Tensor, " V"]]:
        sent = policy.emit(hidden)
        if not fits(sent, shape := (hidden.size(0), policy.message_size), hidden):
            refuse(f"the messages [V, M] that a {type(policy).__name__} emits", sent, shape, hidden)
        received = self.exchange(policy, sent)
        told = torch.cat([percept, identifier], dim=-1)
        after = policy.next_hidden(hidden, received, told)
        if not fits(after, hidden.shape, hidden):
            what = f"the next states [V, H] of a {type(policy).__name__}"
            refuse(what, after, hidden.shape, hidden)
        said = policy.speak(after)
        if not fits(said, shape := (hidden.size(0), 1), hidden):
            refuse(f"what a {type(policy).__name__} speaks, [V, 1],", said, shape, hidden)
        return after, said.squeeze(-1)


def hears_the_mean(policy: Any) -> bool:
    """Whether experts hear the mean message, which is linear: a product, or sums."""
    return getattr(policy, "aggregation", "mean") == "mean"


def versions(edges: Edges) -> tuple[int, int]:
    """How often the two tensors were changed in place."""
    # Tensors made in inference mode do not count it.
    return tuple(0 if tensor.is_inference() else tensor._version for tensor in edges)  # type: ignore[return-value]


def once_for_an_index(make: Callable[..., Kept]) -> Callable[..., Kept]:
    """Keep what a function makes of ``(index, *sizes)`` as long as that index lives unchanged.

    A topology whose weights depend on states gives the same index in every step; so only what
    depends on the weights is prepared again.
    """
    kept: WeakTensorKeyDictionary = WeakTensorKeyDictionary()

    @functools.wraps(make)
    def known(index: Tensor, *sizes: int) -> Kept:
        if index.is_inference():  # nobody could tell whether it changed
            return make(index, *sizes)
        key = (index._version, *sizes)
        found: tuple[tuple[int, ...], Kept] | None = kept.get(index)
        if found is None or found[0] != key:
            found = kept[index] = (key, make(index, *sizes))
        return found[1]

    return known
