"""Expert policies whose messages travel along edges."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from jaxtyping import Float
from torch import Tensor
from torch_geometric.nn import MessagePassing

from badger_graph.checks import check_hidden, fits, refuse
from badger_graph.policies.aggregation import Aggregation, aggregator
from badger_graph.policies.base import ExpertPolicy, Neighbours
from badger_graph.typing import Edges
from topologies.checks import checked, size


class MessagePolicy(MessagePassing, ExpertPolicy, ABC):
    r"""A policy that hears one message, made of those of whom the topology lets it hear.

    One communication round of expert :math:`i` with in-neighbours :math:`\mathcal{N}(i)` is

    .. math::
        h_i' = \mathrm{next}\Big(h_i,\; \frac{1}{|\mathcal{N}(i)|}
            \sum_{j \in \mathcal{N}(i)} w_{ji}\,\mathrm{emit}(h_j),\; p_i\Big)

    where :math:`p_i` is what the membrane lets the expert perceive. In place of the mean it may be
    the largest or smallest of the weighted messages :math:`w_{ji}\,\mathrm{emit}(h_j)` in each
    channel, or their mean weighted by their softmax; so a weight multiplies the message before they
    are compared, and an edge of weight 0 is heard as a zero. An expert without in-neighbours
    receives zeros. A message depends on its sender alone, so it is computed once
    for each expert and not once for each edge. No weight depends on the number of experts.

    A new policy implements :meth:`emit`, :meth:`next_hidden` and :meth:`speak`, nothing else; what
    tells experts apart, ``traits``, is their identifier.

    Args:
        percept_size: channels that the membrane gives an expert.
        identifier_size: channels that tell experts apart; 0 for none.
        hidden_size: size H of an expert's state.
        message_size: size M of a message.
        aggregation: what an expert hears of several messages: their ``"mean"``, or channel by
            channel their ``"max"``, ``"min"`` or ``"softmax"``, the mean weighted by softmax.

    Shapes:
        - **hidden:** ``[V, H]``
        - **percept:** ``[V, P]``, what the membrane shows; **identifier:** ``[V, I]``

    Raises:
        ValueError: when a size is too small, or there is no such aggregation.
    """

    percept_size: int

    @checked(percept_size=size(), identifier_size=size(0), hidden_size=size(), message_size=size())
    def __init__(
        self,
        percept_size: int,
        identifier_size: int,
        hidden_size: int,
        message_size: int,
        aggregation: Aggregation = "mean",
    ) -> None:
        super().__init__(aggr=aggregator(aggregation))
        self.percept_size = percept_size
        self.identifier_size = identifier_size
        self.hidden_size = hidden_size
        self.message_size = message_size
        self.aggregation = aggregation

    @abstractmethod
    def emit(self, hidden: Float[Tensor, "V H"], traits: Any) -> Float[Tensor, "V M"]:
        """What each expert sends to whoever hears it."""

    @abstractmethod
    def next_hidden(
        self,
        hidden: Float[Tensor, "V H"],
        received: Float[Tensor, "V M"],
        percept: Float[Tensor, "V P"],
        traits: Any,
    ) -> Float[Tensor, "V H"]:
        """The next state of each expert."""

    @abstractmethod
    def speak(self, hidden: Float[Tensor, "V H"], traits: Any) -> Float[Tensor, "V 1"]:
        """What each expert would say to the world, were the membrane to listen."""

    def round(
        self,
        hidden: Float[Tensor, "V H"],
        percept: Float[Tensor, "V P"],
        traits: Any,
        neighbours: Neighbours,
    ) -> tuple[Float[Tensor, "V H"], Float[Tensor, " V"]]:
        """One communication round, with the messages carried by an executor."""
        assert callable(neighbours)
        sent = self.emit(hidden, traits)
        if not fits(sent, shape := (hidden.size(0), self.message_size), hidden):
            refuse(f"the messages [V, M] that a {type(self).__name__} emits", sent, shape, hidden)
        after = self.next_hidden(hidden, neighbours(sent), percept, traits)
        check_hidden(self, after, hidden)
        speech = self.speak(after, traits)
        if not fits(speech, shape := (hidden.size(0), 1), hidden):
            refuse(f"what a {type(self).__name__} speaks, [V, 1],", speech, shape, hidden)
        return after, speech.squeeze(-1)

    def messages(self, hidden: Float[Tensor, "V H"], traits: Any) -> Float[Tensor, "V M"]:
        return self.emit(hidden, traits)

    def exchange(self, sent: Float[Tensor, "V M"], edges: Edges) -> Float[Tensor, "V M"]:
        """Carry messages along the edges in PyG: the weighted mean, or the other aggregation."""
        nodes = len(sent)
        return self.propagate(  # type: ignore[operator]  # PyG has no types
            edges.index, sent=sent, weight=edges.weight, size=(nodes, nodes)
        )

    def message(self, sent_j: Tensor, weight: Tensor) -> Tensor:
        return weight[:, None] * sent_j
