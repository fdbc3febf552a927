"""The attentional policy: experts that find ports and each other by attention."""

from __future__ import annotations

import math
from typing import ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from badger_graph.policies.base import ExpertPolicy, Neighbours, scale_weights
from badger_graph.products import Ports, attend, standardise
from topologies.checks import NOT_NEGATIVE, POSITIVE, checked, limited_weights, size


class Map(NamedTuple):
    """A linear map of states and identifiers, with those of all experts put in.

    Shapes:
        - **weight:** ``[H, F]``, for states; **rest:** ``[V, F]``, of identifiers and the bias
    """

    weight: Float[Tensor, "H F"]
    rest: Float[Tensor, "V F"]

    def __call__(self, hidden: Float[Tensor, "V H"]) -> Float[Tensor, "V F"]:
        return torch.addmm(self.rest, hidden, self.weight)


class Traits(NamedTuple):
    """The maps of each expert's state, and the weights of what else its next state is made of."""

    inner: Map
    value: Map
    query: Map
    receive: Map
    of_received: Tensor
    of_hidden: Tensor
    of_mixture: Tensor


class AttentionPolicy(ExpertPolicy):
    r"""Every expert has several heads that send and several that look for something.

    Receivers are the outputs of the membrane and the Q query heads of every expert; senders are the
    membrane's ports and the S sender heads of every expert, all in one softmax. With
    :math:`z_i = (h_i, \mathrm{id}_i)`, :math:`\rho` the leaky ReLU, :math:`S`
    :func:`~badger_graph.products.standardise` and :math:`y` what
    :func:`~badger_graph.products.attend` gives each receiver, standardised, expert i sends,
    looks for and becomes

    .. math::
        k_{ib} = W^k_b\, \rho(W^s_b z_i), \qquad v_{ib} = W^v_b z_i, \qquad q_{ia} = W^q_a z_i \\
        u_i = \big(S(\rho(W^m \rho(W^r (y_{i1}, \dots, y_{iQ}, z_i)))),\; h_i\big) \\
        h_i' = g_i c_i + (1 - g_i)\, h_i, \qquad g_i = \sigma(W^g u_i), \qquad c_i = W^c u_i

    All linear maps have a bias. The outputs read the states before the update of the same round.

    Where the topology lets every expert hear every other, all attend to all. Elsewhere an expert
    attends to its in-neighbours, itself and the ports; outputs read all experts. Edges must have
    weight one: who is heard how much is for attention to say.

    Source: Rosa et al. 2019, "Attentional Architecture"; what the paper leaves out, from the
    authors' code, https://github.com/GoodAI/badger-2019.

    Args:
        percept_size: sizes K of keys and queries and H of values, as the membrane shows them.
        identifier_size: channels that tell experts apart; 0 for none.
        hidden_size: size H of an expert's state and of what is sent.
        query_heads: heads Q of an expert that receive.
        sender_heads: heads S of an expert that send.
        beta: inverse temperature of attention.
        gain: factor of all weights at the start.

    Shapes:
        - **hidden:** ``[V, H]``
        - **percept:** :class:`~badger_graph.products.Ports`
        - **initial_hidden:** ``[H]``, learned: the state at birth for
          ``initial_state="learned"``

    Raises:
        ValueError: when the membrane shows no ports, a size or ``gain`` is too small, or ``beta``
            negative or infinite.
    """

    attends: ClassVar[bool] = True
    usual_sizes: ClassVar[dict[str, int]] = {"identifier_size": 16, "hidden_size": 64}

    @checked(
        identifier_size=size(0),
        hidden_size=size(2),  # one number alone cannot be standardised
        query_heads=size(most=4096),
        sender_heads=size(most=4096),
        beta=NOT_NEGATIVE,
        gain=POSITIVE,
    )
    @limited_weights
    def __init__(
        self,
        percept_size: int | tuple[int, ...],
        identifier_size: int,
        hidden_size: int,
        query_heads: int = 4,
        sender_heads: int = 2,
        beta: float = 2.5,
        gain: float = 1.65,
    ) -> None:
        super().__init__()
        if not isinstance(percept_size, tuple) or percept_size[1:] != (hidden_size,):
            raise ValueError(
                "an AttentionPolicy must be shown ports whose values have the size of its states, "
                f"as by an AttentionMembrane, got percept_size={percept_size} and "
                f"hidden_size={hidden_size}"
            )
        key_size = percept_size[0]
        self.percept_size = percept_size
        self.hidden_size = hidden_size
        self.identifier_size = identifier_size
        self.key_size = key_size
        self.query_heads = query_heads
        self.sender_heads = sender_heads
        self.beta = beta
        self.gain = gain
        own_size = hidden_size + identifier_size
        received = query_heads * hidden_size
        self.initial_hidden = nn.Parameter(torch.randn(hidden_size))
        self.inner = nn.Linear(own_size, sender_heads * hidden_size)
        self.key = nn.ModuleList(nn.Linear(hidden_size, key_size) for _ in range(sender_heads))
        self.value = nn.Linear(own_size, sender_heads * hidden_size)
        self.query = nn.Linear(own_size, query_heads * key_size)
        self.receive = nn.Linear(received + own_size, hidden_size)
        self.merge = nn.Linear(hidden_size, hidden_size)
        self.update = nn.Linear(2 * hidden_size, 2 * hidden_size)
        scale_weights(self, gain)

    def traits(self, identifier: Float[Tensor, "V I"], kind: Int[Tensor, " V"]) -> Traits:
        """All that identifiers have to do with, once."""
        size = self.hidden_size

        def map_of(weight: Tensor, bias: Tensor) -> Map:
            of_hidden, of_identifier = weight.tensor_split([size], dim=1)
            return Map(of_hidden.t(), F.linear(identifier, of_identifier, bias))

        received = self.query_heads * size
        of_received, receive = self.receive.weight.tensor_split([received], dim=1)
        of_mixture, of_hidden = self.update.weight.split(size, dim=1)
        return Traits(
            inner=map_of(self.inner.weight, self.inner.bias),
            value=map_of(self.value.weight, self.value.bias),
            query=map_of(self.query.weight, self.query.bias),
            receive=map_of(receive, self.receive.bias),
            of_received=of_received.t(),
            of_hidden=of_hidden.t(),
            of_mixture=of_mixture.t(),
        )

    def round(
        self,
        hidden: Float[Tensor, "V H"],
        percept: Ports,
        traits: Traits,
        neighbours: Neighbours,
    ) -> tuple[Float[Tensor, "V H"], Float[Tensor, "B d H"]]:
        """One communication round: the next states, and what each output received."""
        assert neighbours is None or isinstance(neighbours, Tensor)
        if not isinstance(percept, Ports):
            raise ValueError(
                f"an AttentionPolicy must be shown Ports, got a {type(percept).__name__}"
            )
        batch_size = percept.keys.size(0)
        agents = (batch_size, -1)
        keys = [percept.keys, *(key.unflatten(0, agents) for key in self._keys(hidden, traits))]
        values = self.messages(hidden, traits).unflatten(0, agents)
        values = [percept.values, *values.split(self.hidden_size, dim=-1)]
        # Two calls read the same senders: their keys are scaled here once, and not in each.
        key = torch.cat(keys, dim=1) * (self.beta / math.sqrt(self.key_size))
        senders = key, torch.cat(values, dim=1), math.sqrt(self.key_size)
        queries = traits.query(hidden).view(batch_size, -1, self.key_size)
        visible = self._visible(neighbours, percept.keys.size(1))
        # Outputs by themselves: the experts' rows then need not be cut out and copied.
        speech = standardise(attend(percept.queries, *senders))
        received = standardise(attend(queries, *senders, visible))
        return self._next_hidden(hidden, received.view(len(hidden), -1), traits), speech

    def messages(self, hidden: Float[Tensor, "V H"], traits: Traits) -> Float[Tensor, "V M"]:
        """The values of all sender heads."""
        return traits.value(hidden)

    def _keys(self, hidden: Tensor, traits: Traits) -> list[Tensor]:
        inner = _leaky_relu(traits.inner(hidden))
        heads = zip(self.key, inner.split(self.hidden_size, dim=-1), strict=True)
        return [key(own) for key, own in heads]

    def _visible(
        self, experts: Bool[Tensor, "B N N"] | None, num_ports: int
    ) -> Bool[Tensor, "B receivers senders"] | None:
        if experts is None:
            return None
        heads = experts.repeat_interleave(self.query_heads, dim=1).repeat(1, 1, self.sender_heads)
        return F.pad(heads, (num_ports, 0), value=True)

    def _next_hidden(self, hidden: Tensor, received: Tensor, traits: Traits) -> Tensor:
        mixture = _leaky_relu(traits.receive(hidden).addmm(received, traits.of_received))
        mixture = standardise(_leaky_relu(self.merge(mixture)))
        both = torch.addmm(self.update.bias, hidden, traits.of_hidden)
        both = both.addmm(mixture, traits.of_mixture)
        gate, candidate = both.split(self.hidden_size, dim=1)
        return hidden.lerp(candidate, gate.sigmoid())


def _leaky_relu(fresh: Tensor) -> Tensor:
    """In place: of a result that nothing else reads."""
    return F.leaky_relu(fresh, inplace=True)
