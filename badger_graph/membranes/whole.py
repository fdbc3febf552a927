"""A membrane for an agent of a single expert."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from badger_graph.life import Life
from badger_graph.membranes.base import Membrane
from badger_graph.typing import Observation
from topologies.checks import check_sizes, checked, size


class WholeMembrane(Membrane):
    """One expert is the whole agent: it perceives all there is and speaks for all outputs.

    It perceives the feedback and the last action of every output. Feedback on single outputs is
    not shown. For :class:`badger_graph.LSTMPolicy`, the meta-learner to compare Badger with.

    Args:
        num_outputs: outputs d of the agent, as in its policy.

    Raises:
        ValueError: when ``num_outputs`` is below 1.
    """

    @checked(num_outputs=size())
    def __init__(self, num_outputs: int = 4) -> None:
        super().__init__()
        self.num_outputs = num_outputs
        self.percept_size = (1, num_outputs)  # feedback and last actions

    def check(self, num_experts: int, num_outputs: int) -> None:
        check_sizes(num_experts=(num_experts, 1), num_outputs=(num_outputs, 1))
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

    def open(self, address: Float[Tensor, "B d 0"], identifier: Float[Tensor, "B 1 I"]) -> None:
        """Nothing: there is one expert to contact."""

    def perceive(self, life: Life, observation: Observation) -> Float[Tensor, "B P"]:
        return torch.cat([observation.feedback[:, None], life.action], dim=-1)

    def act(self, life: Life, said: Float[Tensor, "B d"]) -> Float[Tensor, "B d"]:
        return said
