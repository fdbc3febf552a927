"""What every membrane is: the only contact of experts with the world."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from badger_graph.life import Addresses, Life
from badger_graph.typing import Interface, Observation
from topologies.checks import check_sizes


class Membrane(nn.Module, ABC):
    """Brings observations and feedback in, and actions out (the paper's word, section
    "Multi-Agent Reinforcement Learning").

    The number of experts, inputs and outputs may change at every reset of the agent. An agent
    builds its membrane: ``membrane(interface=, identifier_size=, hidden_size=)``.

    Args:
        interface: the channels of the world.
        identifier_size: channels I that tell experts apart.
        hidden_size: size H of an expert's state.
    """

    percept_size: int | tuple[int, ...]
    """What every expert perceives: so many channels, or so many of each kind; the policy is built
    for this number."""

    address_size: int = 0
    """Channels A that tell inputs and outputs apart; 0 where nobody needs to find them."""

    hears_outputs: bool = True
    """Whether experts perceive what single outputs are told."""

    def __init__(self, interface: Interface, identifier_size: int, hidden_size: int) -> None:
        super().__init__()
        self.interface = interface
        self.identifier_size = identifier_size
        self.hidden_size = hidden_size

    def check(self, num_experts: int, num_outputs: int, num_inputs: int = 0) -> None:
        """Raise a ValueError when so many experts cannot serve so many outputs and inputs."""
        check_sizes(
            num_experts=(num_experts, 1), num_outputs=(num_outputs, 1), num_inputs=(num_inputs, 0)
        )

    def usual_experts(self, num_outputs: int, num_inputs: int) -> int:
        """How many experts an agent has, where nobody says it.

        Args:
            num_outputs: outputs d.
            num_inputs: inputs n.

        Raises:
            ValueError: when any number of them may.
        """
        raise ValueError(
            f"num_experts must be given, as a {type(self).__name__} serves any number, got none"
        )

    def open(self, addresses: Addresses, identifier: Float[Tensor, "B N I"]) -> Any:
        """What the membrane makes of addresses and identifiers, once in a life: its contacts."""

    @abstractmethod
    def perceive(self, life: Life, observation: Observation) -> Any:
        """What each expert perceives of an observation and of the agent's own last action.

        Returns:
            ``[V, P]``, or what else a policy of this ``percept_size`` takes.
        """

    @abstractmethod
    def act(self, life: Life, speech: Tensor, observation: Observation) -> Float[Tensor, "B d"]:
        """The score of each output, made of what the policy says to the world.

        Args:
            life: after the communication stage; its score and action are the last ones.
            speech: of a message policy ``[V]``, of each expert one number.
            observation: what was perceived before it.
        """


def refuse_inputs(membrane: Membrane) -> None:
    """Refuse an interface with inputs.

    Raises:
        ValueError: says which membrane cannot show them.
    """
    if membrane.interface.input:
        raise ValueError(
            f"a {type(membrane).__name__} shows no inputs, so the interface must have none, got "
            f"input={membrane.interface.input}"
        )
