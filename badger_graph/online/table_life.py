"""One agent that lives with a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from badger_graph.agent import BadgerAgent
from badger_graph.growth import grow_crossbar, repeat_agents
from badger_graph.life import Life
from badger_graph.online.policy import load_for
from badger_graph.scaling import RunningScale
from badger_graph.typing import Interface, Observation
from topologies.checks import check, size
from topologies.crossbar import CrossbarLayout

EXPERTS_AT_ONCE = 2**18
"""That answer at once, of all the rows that are asked about."""


class TableLife:
    """An agent with a frozen policy that is shown examples one by one, and learns in its states.

    Args:
        policy: a shipped policy, or a checkpoint.
        interface: of the examples; the policy must be for it.
        num_inputs: n.
        num_outputs: d.
        hidden_wires: how many there are; none for as many as the policy was trained with.
        seed: of what tells hidden wires apart.

    Attributes:
        agent: the agent, frozen.
        life: its life so far.

    Raises:
        ValueError: for a policy that is none or for another interface, or a number of hidden wires
            below 0.
    """

    def __init__(
        self,
        policy: str | Path,
        interface: Interface,
        num_inputs: int,
        num_outputs: int,
        hidden_wires: int | None = None,
        seed: int = 0,
    ) -> None:
        self.agent: BadgerAgent = load_for(policy, interface)
        num_experts = None
        if hidden_wires is not None:
            check("hidden_wires", hidden_wires, *size(0), optional=True)
            num_experts = CrossbarLayout(num_inputs + 1, num_outputs, hidden_wires).num_experts
        self._generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            sizes = (1, num_experts, num_outputs, self._generator, num_inputs)
            self.life: Life = self.agent.reset(*sizes)
        self._scale = RunningScale(1, num_inputs)
        self._shown = torch.zeros(1, num_inputs, 2)  # the last example: numbers, and if known
        self._told = torch.zeros(1, num_outputs, 2)  # its truth, and whether it is told

    def learn(self, example: Float64[np.ndarray, " n"], truth: Float[Tensor, " d"]) -> None:
        """Answer an example, and be told the truth; NaN in an example is a missing number."""
        values = torch.tensor(example)[None]  # it may be one that cannot be written to
        self._scale.see(values)
        shown = _with_marks(self._scale.scale(values))
        with torch.no_grad():
            self.life = self.agent.step(self.life, self._observation(shown))
        self._shown = shown
        self._told = torch.stack([truth, torch.ones_like(truth)], dim=-1)[None]

    def answer(self, examples: Float64[np.ndarray, "rows n"]) -> Float[Tensor, "rows d"]:
        """What the agent would say of each of these if it came next; it does not live on."""
        at_once = max(1, EXPERTS_AT_ONCE // self.life.num_experts)
        return torch.cat([self._answer(rows) for rows in torch.from_numpy(examples).split(at_once)])

    def _answer(self, rows: Float[Tensor, "rows n"]) -> Float[Tensor, "rows d"]:
        scale = self._scale.repeat(len(rows))
        scale.see(rows)
        with torch.no_grad():
            lives = repeat_agents(self.agent, self.life, len(rows))
            return self.agent.step(lives, self._observation(_with_marks(scale.scale(rows)))).action

    def _observation(self, following: Float[Tensor, "B n 2"]) -> Observation:
        lives = len(following)
        return Observation(
            following.new_zeros(lives, 0),
            torch.cat([self._shown.expand(lives, -1, -1), following], dim=-1),
            self._told.expand(lives, -1, -1),
        )

    def grow(self, num_inputs: int, num_outputs: int) -> None:
        """Live on with more inputs or outputs; what is new was missing, or untrue, so far."""
        more_inputs = num_inputs - self.life.num_inputs
        more_outputs = num_outputs - self.life.num_outputs
        with torch.no_grad():
            sizes = (num_outputs, num_inputs, self._generator)
            self.life = grow_crossbar(self.agent, self.life, *sizes)
        self._scale.grow(more_inputs)
        self._shown = torch.nn.functional.pad(self._shown, (0, 0, 0, more_inputs))
        untrue = torch.stack([torch.zeros(more_outputs), self._told[0, :1, 1].expand(more_outputs)])
        self._told = torch.cat([self._told, untrue.t()[None]], dim=1)


def _with_marks(values: Float[Tensor, "B n"]) -> Float[Tensor, "B n 2"]:
    return torch.stack([values.nan_to_num(), (~values.isnan()).to(values)], dim=-1)
