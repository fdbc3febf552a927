"""A membrane of your own."""

import torch
from torch import Tensor

from badger_graph import Addresses, Interface, Life, Membrane, Observation


class VotingMembrane(Membrane):
    """Output j does the mean of what the experts j, j + d, j + 2 d, ... say."""

    def __init__(self, interface: Interface, identifier_size: int, hidden_size: int) -> None:
        super().__init__(interface, identifier_size, hidden_size)
        self.percept_size = interface.feedback + 1

    def check(self, num_experts: int, num_outputs: int, num_inputs: int = 0) -> None:
        if num_outputs < 1 or num_experts % num_outputs:
            raise ValueError(
                "every output needs equally many voters, got "
                f"num_experts={num_experts} and num_outputs={num_outputs}"
            )

    def open(self, addresses: Addresses, identifier: Tensor) -> None:
        """Nothing: everyone knows its output by its number."""

    def perceive(self, life: Life, observation: Observation) -> Tensor:
        own_action = life.action.repeat(1, life.num_experts // life.num_outputs)
        feedback = observation.feedback[:, None].expand(-1, life.num_experts, -1)
        return torch.cat([feedback, own_action[..., None]], dim=-1).flatten(0, 1)

    def act(self, life: Life, speech: Tensor, observation: Observation) -> Tensor:
        return speech.view(life.batch_size, -1, life.num_outputs).mean(dim=1)
