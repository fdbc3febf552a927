"""A membrane whose contacts are fixed in advance."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from badger_graph.life import Life
from badger_graph.membranes.base import Membrane
from badger_graph.typing import Interface, Observation
from topologies.checks import brief, check_choice, check_sizes, checked


class HardwiredMembrane(Membrane):
    """Expert j speaks for output j, expert d + i sees input i; chosen experts read the feedback.

    An expert perceives the agent's feedback, if it is a reader; what its own output is told; its
    own last action; its role, 1 for an expert that speaks; and its input. Channels that are not
    its own or are switched off are zero, so the same weights serve.

    Source: Rosa et al. 2019, "Hardwired Architecture" (figures 6, 8 and 9: three experts, one
    of which receives the error).

    Args:
        interface: the channels of the world.
        identifier_size: of the agent; not needed here.
        hidden_size: of the agent; not needed here.
        readers: who reads the agent's feedback: ``"all"`` experts, ``"one"`` (expert 0), or a
            list of experts.
        see_action: whether an expert sees its own last action.
        see_role: whether an expert sees if it speaks for an output.

    Raises:
        ValueError: when ``readers`` is empty, repeated or negative.
    """

    _reads: Tensor

    @checked()
    def __init__(
        self,
        interface: Interface,
        identifier_size: int,
        hidden_size: int,
        readers: Literal["all", "one"] | list[int] = "all",
        see_action: bool = True,
        see_role: bool = True,
    ) -> None:
        super().__init__(interface, identifier_size, hidden_size)
        if isinstance(readers, str):
            check_choice("readers", readers, ("all", "one"), ", or a list")
        elif not readers or min(readers) < 0 or len(set(readers)) < len(readers):
            raise ValueError(
                f"readers must be distinct experts, at least one, got {brief(readers)}"
            )
        self.readers = readers
        self.see_action = see_action
        self.see_role = see_role
        own_action_and_role = 2
        self.percept_size = (
            interface.feedback + interface.output + own_action_and_role + interface.input
        )
        reads = torch.tensor(readers if isinstance(readers, list) else [])
        self.register_buffer("_reads", reads, persistent=False)

    def check(self, num_experts: int, num_outputs: int, num_inputs: int = 0) -> None:
        check_sizes(
            num_experts=(num_experts, 1), num_outputs=(num_outputs, 0), num_inputs=(num_inputs, 0)
        )
        if not 1 <= num_outputs <= num_experts - num_inputs:
            ports, inputs = "num_outputs", ""
            if num_inputs:
                ports, inputs = "num_outputs + num_inputs", f", num_inputs={num_inputs}"
            raise ValueError(
                "the hardwired membrane needs an expert for every output and input, "
                f"1 <= {ports} <= num_experts, got num_outputs={num_outputs}{inputs} "
                f"and num_experts={num_experts}"
            )
        if isinstance(self.readers, list) and max(self.readers) >= num_experts:
            raise ValueError(
                f"every reader of the feedback must be one of the {num_experts} experts "
                f"0 to {num_experts - 1}, got readers={self.readers}"
            )

    def perceive(self, life: Life, observation: Observation) -> Float[Tensor, "V P"]:
        action, num_experts = life.action, life.num_experts
        own_action = action if self.see_action else torch.zeros_like(action)
        role = torch.ones_like(action) if self.see_role else torch.zeros_like(action)
        speakers = torch.cat([observation.outputs, own_action[..., None], role[..., None]], dim=-1)
        silent = num_experts - action.size(1)
        channels = [
            self._feedback(observation.feedback, num_experts),
            F.pad(speakers, (0, 0, 0, silent)),
        ]
        if self.interface.input:
            inputs = observation.inputs
            channels.append(F.pad(inputs, (0, 0, action.size(1), silent - inputs.size(1))))
        return torch.cat(channels, dim=-1).flatten(0, 1)

    def act(
        self, life: Life, speech: Float[Tensor, " V"], observation: Observation
    ) -> Float[Tensor, "B d"]:
        return speech.view(-1, life.num_experts)[:, : life.num_outputs]

    def _feedback(self, feedback: Float[Tensor, "B F"], num_experts: int) -> Float[Tensor, "B N F"]:
        if self.readers == "all":
            return feedback[:, None].expand(-1, num_experts, -1)
        if self.readers == "one":
            return F.pad(feedback[:, None], (0, 0, 0, num_experts - 1))
        reads = torch.isin(torch.arange(num_experts, device=feedback.device), self._reads)
        return feedback[:, None] * reads[:, None]
