"""A membrane for an agent of a single expert."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from badger_graph.life import Life
from badger_graph.membranes.base import Membrane, refuse_inputs
from badger_graph.typing import Interface, Observation
from topologies.checks import checked, size


class WholeMembrane(Membrane):
    """One expert is the whole agent: it perceives all there is and speaks for all outputs.

    It perceives the feedback and the last action of every output. What single outputs are told is
    not shown. For :class:`badger_graph.LSTMPolicy`, the meta-learner to compare Badger with.

    Args:
        interface: the channels of the world; no inputs.
        identifier_size: of the agent; there is nobody to be told apart from.
        hidden_size: of the agent; not needed here.
        num_outputs: outputs d of the agent.

    Raises:
        ValueError: when ``num_outputs`` is below 1, or there are inputs.
    """

    hears_outputs = False

    @checked(num_outputs=size())
    def __init__(
        self, interface: Interface, identifier_size: int, hidden_size: int, num_outputs: int = 4
    ) -> None:
        super().__init__(interface, identifier_size, hidden_size)
        refuse_inputs(self)
        self.num_outputs = num_outputs
        self.percept_size = (interface.feedback, num_outputs)

    def check(self, num_experts: int, num_outputs: int, num_inputs: int = 0) -> None:
        super().check(num_experts, num_outputs, num_inputs)
        if num_experts != 1:
            raise ValueError(
                "one expert is the whole agent, so num_experts must be 1, "
                f"got num_experts={num_experts}"
            )
        if num_outputs != self.num_outputs:
            raise ValueError(
                "a whole membrane serves the number of outputs that it and its policy were built "
                f"for, {self.num_outputs}, got num_outputs={num_outputs}"
            )

    def perceive(self, life: Life, observation: Observation) -> Float[Tensor, "B P"]:
        return torch.cat([observation.feedback, life.action], dim=-1)

    def act(
        self, life: Life, speech: Float[Tensor, "B d"], observation: Observation
    ) -> Float[Tensor, "B d"]:
        return speech
