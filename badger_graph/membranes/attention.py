"""A membrane whose contacts are found by attention."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from badger_graph.life import Addresses, Life
from badger_graph.membranes.base import Membrane, refuse_inputs
from badger_graph.products import Ports
from badger_graph.typing import Interface, Observation
from topologies.checks import checked, limited_weights, size


class AttentionMembrane(Membrane):
    r"""Outputs and feedback are ports with addresses: no expert belongs to any of them.

    .. math::
        q_j = (\mathrm{stub}, \mathrm{address}_j), \qquad
        k_j = W^k q_j, \qquad v_j = W^v q_j, \qquad
        k_e = \mathrm{key}, \qquad v_e = W^e s e, \qquad x_j = W^o y_j

    Output j looks for its action with the query :math:`q_j` of which half is learned and half is
    its address, and shows both to the experts, with key :math:`k_j` and value :math:`v_j`. The
    feedback e is one more sender with a learned key. What the output then receives, :math:`y_j`, is
    read out to its action :math:`x_j`. All linear maps have a bias. Feedback on single outputs is
    not shown, nor are the last actions.

    Source: Rosa et al. 2019, "Attentional Architecture".

    Args:
        interface: the channels of the world; no inputs.
        identifier_size: of the agent; not needed here.
        hidden_size: size H of what is sent, that of the experts' states.
        key_size: size K of queries and keys, an even number.
        feedback_scale: s; the paper's error is 3 times the mean squared error, so that chance
            is 1.

    Raises:
        ValueError: for sizes that cannot be, or when there are inputs.
    """

    hears_outputs = False

    @checked(key_size=size(2), hidden_size=size(2))
    @limited_weights
    def __init__(
        self,
        interface: Interface,
        identifier_size: int,
        hidden_size: int,
        key_size: int = 32,
        feedback_scale: float = 3.0,
    ) -> None:
        super().__init__(interface, identifier_size, hidden_size)
        refuse_inputs(self)
        if key_size % 2:
            raise ValueError(
                f"key_size must be even, half learned and half address, got {key_size}"
            )
        self.key_size = key_size
        self.feedback_scale = feedback_scale
        self.address_size = key_size // 2
        self.percept_size = (key_size, hidden_size)
        self.stub = nn.Parameter(torch.randn(key_size - self.address_size))
        self.output_key = nn.Linear(key_size, key_size)
        self.output_value = nn.Linear(key_size, hidden_size)
        self.feedback_key = nn.Parameter(torch.randn(key_size))
        self.feedback_value = nn.Linear(interface.feedback, hidden_size)
        self.readout = nn.Linear(hidden_size, 1)

    def open(self, addresses: Addresses, identifier: Float[Tensor, "B N I"]) -> Ports:
        """All but the value of the feedback, which changes."""
        address = addresses.outputs
        queries = torch.cat([self.stub.expand(*address.shape[:2], -1), address], dim=-1)
        feedback_key = self.feedback_key.expand(len(address), 1, -1)
        keys = torch.cat([self.output_key(queries), feedback_key], dim=1)
        return Ports(keys, self.output_value(queries), queries)

    def perceive(self, life: Life, observation: Observation) -> Ports:
        """The ports; that of the feedback comes last."""
        ports: Ports = life.contacts
        feedback = self.feedback_scale * observation.feedback[:, None]
        return ports._replace(
            values=torch.cat([ports.values, self.feedback_value(feedback)], dim=1)
        )

    def act(
        self, life: Life, speech: Float[Tensor, "B d H"], observation: Observation
    ) -> Float[Tensor, "B d"]:
        return self.readout(speech).squeeze(-1)
