"""A membrane whose outputs are found by their addresses."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from badger_graph.life import Addresses, Life
from badger_graph.membranes.base import Membrane
from badger_graph.policies.base import scale_weights
from badger_graph.typing import Interface, Observation
from topologies.checks import POSITIVE, checked, limited_weights, size


class Contacts(NamedTuple):
    """What is the same in every step of a life.

    Shapes:
        - **key:** ``[B, heads, d + n, K]``, by which experts find outputs and inputs
        - **value:** ``[B, d + n, heads * C]``, the address's share of what experts perceive of them
        - **layer:** ``[B, d, W]``, the address's share of how outputs take what they are told
        - **identifier:** ``[B, N, heads * (K + C)]``, the identifier's share of what an expert
          looks for and tells
    """

    key: Float[Tensor, "B heads ports K"]
    value: Float[Tensor, "B ports values"]
    layer: Float[Tensor, "B d W"]
    identifier: Float[Tensor, "B N maps"]


class AddressedMembrane(Membrane):
    r"""No expert belongs to an output: both find each other by address, in a softmax each way.

    Expert i, in state :math:`h_i` and with identifier :math:`n_i`, and output j of random address
    :math:`a_j` have, in each head, the affinity

    .. math::
        s_{ij} = (W [h_i, n_i] + b) \cdot (U a_j + c) / \sqrt K

    The expert perceives the agent's feedback and, of the outputs, the mean of their values weighted
    by the softmax of its affinities over outputs. An output keeps its action and moves it by what
    the experts tell it, weighted by the softmax of its affinities over experts:

    .. math::
        p_i &= \big(e,\; \textstyle\sum_j \alpha_{ij} V [a_j, x_j, e_j]\big) \\
        x_j' &= x_j + w \cdot \rho\big(R\, [\textstyle\sum_i \beta_{ji} (Z [h_i, n_i]),\, a_j]\big)
                + \textstyle\sum_i \bar\beta_{ji}\, y_i

    with :math:`e` the feedback, :math:`e_j` that on output j, where the task gives one,
    :math:`x_j` its last action, :math:`y_i` what the policy says, :math:`\rho` the rectifier,
    sums in each head, and :math:`\bar\beta` the mean over heads; maps have a bias. One affinity
    serves both ways: an expert hears of the outputs that it moves. Inputs are ports, too, in the
    same softmax of what experts perceive, with the value :math:`V a_i + V' x_i` of what they show;
    nobody moves them. Any number of experts, inputs and outputs may meet.

    Source: after Rosa et al. 2019, "Attentional Architecture", whose experts also push values to
    addresses. Differs in that outputs keep their action, that one affinity is read in both
    directions, and that everyone hears the feedback.

    Args:
        interface: the channels of the world.
        identifier_size: channels I that tell experts apart, at least one.
        hidden_size: size H of an expert's state.
        address_size: channels A of an address.
        heads: number of affinities between an expert and an output.
        key_size: K, channels in which an affinity is taken.
        value_size: C, channels that an expert perceives of the outputs and tells them, in each
            head.
        width: W, of the hidden layer with which an output takes what it is told.
        gain: factor of all weights at the start; larger ones choose more sharply.

    Raises:
        ValueError: when a size is below 1 or ``gain`` not positive.
    """

    @checked(
        identifier_size=size(),
        hidden_size=size(),
        address_size=size(),
        heads=size(most=4096),
        key_size=size(),
        value_size=size(),
        width=size(),
        gain=POSITIVE,
    )
    @limited_weights
    def __init__(
        self,
        interface: Interface,
        identifier_size: int,
        hidden_size: int,
        address_size: int = 16,
        heads: int = 4,
        key_size: int = 16,
        value_size: int = 8,
        width: int = 32,
        gain: float = 1.65,
    ) -> None:
        super().__init__(interface, identifier_size, hidden_size)
        self.address_size = address_size
        self.heads = heads
        self.key_size = key_size
        self.value_size = value_size
        self.width = width
        self.gain = gain
        self.percept_size = interface.feedback + heads * value_size
        channels = heads * value_size
        self.of_hidden = nn.Linear(hidden_size, heads * key_size + channels)
        self.of_identifier = nn.Linear(identifier_size, heads * key_size + channels, bias=False)
        self.of_address = nn.Linear(address_size, heads * key_size + channels + width)
        self.of_output = nn.Linear(1 + interface.output, channels, bias=False)
        self.of_told = nn.Linear(channels, width, bias=False)
        self.move = nn.Linear(width, 1)
        if interface.input:
            self.of_input = nn.Linear(interface.input, channels)
        scale_weights(self, gain)

    def open(self, addresses: Addresses, identifier: Float[Tensor, "B N I"]) -> Contacts:
        sizes = [self.heads * self.key_size, self.heads * self.value_size, self.width]
        address = addresses.outputs
        if self.interface.input:
            address = torch.cat([address, addresses.inputs], dim=1)
        key, value, layer = self.of_address(address).split(sizes, dim=-1)
        key = self._by_head(key / math.sqrt(self.key_size))
        layer = layer[:, : addresses.outputs.size(1)]
        return Contacts(key, value, layer, self.of_identifier(identifier) + self.of_hidden.bias)

    def perceive(self, life: Life, observation: Observation) -> Float[Tensor, "V P"]:
        contacts: Contacts = life.contacts
        affinity, _ = self._affinity(life)
        output = torch.cat([life.action[..., None], observation.outputs], dim=-1)
        value = self.of_output(output)
        if self.interface.input:
            value = torch.cat([value, self.of_input(observation.inputs)], dim=1)
        value = self._by_head(contacts.value + value)
        mean = (affinity.softmax(dim=-1) @ value).transpose(1, 2).flatten(2)
        feedback = observation.feedback[:, None].expand(-1, mean.size(1), -1)
        return torch.cat([feedback, mean], dim=-1).flatten(0, 1)

    def act(
        self, life: Life, speech: Float[Tensor, " V"], observation: Observation
    ) -> Float[Tensor, "B d"]:
        contacts: Contacts = life.contacts
        affinity, value = self._affinity(life)
        if self.interface.input:
            affinity = affinity[..., : life.num_outputs]
        share = affinity.softmax(dim=-2).mT  # [B, heads, d, N]
        value = (share @ value).transpose(1, 2).flatten(2)
        move = self.move((self.of_told(value) + contacts.layer).relu())
        speech = speech.view(-1, life.num_experts, 1)
        return life.score + (move + share.mean(dim=1) @ speech)[..., 0]

    def _affinity(
        self, life: Life
    ) -> tuple[Float[Tensor, "B heads N ports"], Float[Tensor, "B heads N C"]]:
        """Of every expert with every output and input; and what the experts tell."""
        contacts: Contacts = life.contacts
        hidden = life.hidden.view(*contacts.identifier.shape[:2], -1)
        maps = nn.functional.linear(hidden, self.of_hidden.weight) + contacts.identifier
        query, value = maps.split([self.heads * self.key_size, self.heads * self.value_size], -1)
        return self._by_head(query) @ contacts.key.mT, self._by_head(value)

    def _by_head(self, x: Float[Tensor, "B any features"]) -> Float[Tensor, "B heads any each"]:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)
