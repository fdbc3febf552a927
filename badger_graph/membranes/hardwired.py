"""A membrane whose contacts are fixed in advance."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from badger_graph.life import Life
from badger_graph.membranes.base import Membrane
from badger_graph.typing import Observation
from topologies.checks import check_choice, check_sizes, checked, shown


class HardwiredMembrane(Membrane):
    """Expert j speaks for output j; chosen experts read the feedback.

    An expert perceives four channels: the agent's feedback, if it is a reader; the feedback on
    its own output, where the task gives one; its own last action; and its role, 1 for an
    expert that speaks. A channel that is switched off is zero, so the same weights serve.

    Source: Rosa et al. 2019, "Hardwired Architecture" (figures 6, 8 and 9: three experts, one
    of which receives the error).

    Args:
        readers: who reads the agent's feedback: ``"all"`` experts, ``"one"`` (expert 0), or a
            list of experts.
        see_action: whether an expert sees its own last action.
        see_role: whether an expert sees if it speaks for an output.

    Raises:
        ValueError: when ``readers`` is empty, repeated or negative.
    """

    percept_size: int = 4
    _reads: Tensor

    @checked()
    def __init__(
        self,
        readers: Literal["all", "one"] | list[int] = "all",
        see_action: bool = True,
        see_role: bool = True,
    ) -> None:
        super().__init__()
        if isinstance(readers, str):
            check_choice("readers", readers, ("all", "one"), ", or a list")
        elif not readers or min(readers) < 0 or len(set(readers)) < len(readers):
            raise ValueError(
                f"readers must be distinct experts, at least one, got {shown(readers)}"
            )
        self.readers = readers
        self.see_action = see_action
        self.see_role = see_role
        reads = torch.tensor(readers if isinstance(readers, list) else [])
        self.register_buffer("_reads", reads, persistent=False)

    def check(self, num_experts: int, num_outputs: int) -> None:
        check_sizes(num_experts=(num_experts, 1), num_outputs=(num_outputs, 0))
        if not 1 <= num_outputs <= num_experts:
            raise ValueError(
                "the hardwired membrane needs an expert for every output, "
                f"1 <= num_outputs <= num_experts, got num_outputs={num_outputs} "
                f"and num_experts={num_experts}"
            )
        if isinstance(self.readers, list) and max(self.readers) >= num_experts:
            raise ValueError(
                f"every reader of the feedback must be one of the {num_experts} experts "
                f"0 to {num_experts - 1}, got readers={self.readers}"
            )

    def open(self, address: Float[Tensor, "B d 0"], identifier: Float[Tensor, "B N I"]) -> None:
        """Nothing: contacts are fixed in advance."""

    def perceive(self, life: Life, observation: Observation) -> Float[Tensor, "V P"]:
        action, num_experts = life.action, life.wiring.num_experts
        own_action = action if self.see_action else torch.zeros_like(action)
        role = torch.ones_like(action) if self.see_role else torch.zeros_like(action)
        speakers = torch.stack([observation.output_feedback, own_action, role], dim=-1)
        others = F.pad(speakers, (0, 0, 0, num_experts - action.size(1)))
        feedback = self._feedback(observation.feedback, num_experts)
        return torch.cat([feedback[:, :, None], others], dim=-1).flatten(0, 1)

    def act(self, life: Life, said: Float[Tensor, " V"]) -> Float[Tensor, "B d"]:
        return said.view(-1, life.wiring.num_experts)[:, : life.action.size(1)]

    def _feedback(self, feedback: Float[Tensor, " B"], num_experts: int) -> Float[Tensor, "B N"]:
        if self.readers == "all":
            return feedback[:, None].expand(-1, num_experts)
        if self.readers == "one":
            return F.pad(feedback[:, None], (0, num_experts - 1))
        reads = torch.isin(torch.arange(num_experts, device=feedback.device), self._reads)
        return feedback[:, None] * reads
