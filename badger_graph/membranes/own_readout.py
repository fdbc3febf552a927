"""A membrane that reads every output with weights of its own."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from badger_graph.life import Life
from badger_graph.membranes.base import Membrane
from badger_graph.membranes.hardwired import HardwiredMembrane
from badger_graph.typing import Interface, Observation
from topologies.checks import checked, limited_weights, size


class OwnReadoutMembrane(Membrane):
    r"""The hardwired membrane, where each speaker is read with its own weights too.

    .. math::
        x_j = y_j + u_j \cdot h_j

    with :math:`y_j` what the shared policy says and :math:`u_j` a weight vector of output j.
    Experts that speak are told apart from the first step on, and no longer interchangeable: a
    control for experiments on symmetry.

    Source: Šimánek (blog), "Mutual Information": different weights of each expert in the output
    remove the first plateau, but break an important invariant.

    Args:
        interface: the channels of the world.
        identifier_size: of the agent; not needed here.
        hidden_size: size H of an expert's state.
        max_outputs: so many outputs have weights.

    Raises:
        ValueError: when a size is below 1; when there are more outputs than weights.
    """

    @checked(max_outputs=size())
    @limited_weights
    def __init__(
        self,
        interface: Interface,
        identifier_size: int,
        hidden_size: int,
        max_outputs: int = 20,
    ) -> None:
        super().__init__(interface, identifier_size, hidden_size)
        self.max_outputs = max_outputs
        self.shared = HardwiredMembrane(interface, identifier_size, hidden_size)
        self.percept_size = self.shared.percept_size
        self.weight = nn.Parameter(
            (2 * torch.rand(max_outputs, hidden_size) - 1) / hidden_size**0.5
        )

    def check(self, num_experts: int, num_outputs: int, num_inputs: int = 0) -> None:
        self.shared.check(num_experts, num_outputs, num_inputs)
        if num_outputs > self.max_outputs:
            raise ValueError(
                "every output must have weights of its own, "
                f"got num_outputs={num_outputs} and max_outputs={self.max_outputs}"
            )

    def perceive(self, life: Life, observation: Observation) -> Float[Tensor, "V P"]:
        return self.shared.perceive(life, observation)

    def act(
        self, life: Life, speech: Float[Tensor, " V"], observation: Observation
    ) -> Float[Tensor, "B d"]:
        num_outputs = life.num_outputs
        hidden = life.hidden.unflatten(0, (-1, life.num_experts))[:, :num_outputs]
        own = (hidden * self.weight[:num_outputs]).sum(dim=-1)
        return self.shared.act(life, speech, observation) + own
