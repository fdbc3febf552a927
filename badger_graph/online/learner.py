"""What classifier and regressor share: one agent that lives with a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from jaxtyping import Float
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from badger_graph.agent import BadgerAgent
from badger_graph.growth import repeat_agents
from badger_graph.library.load import load_agent
from badger_graph.life import Life
from badger_graph.scaling import RunningScale
from badger_graph.typing import Observation

ROWS_AT_ONCE = 2**18
"""Experts that answer at once, of all the rows that are to be predicted."""


class Told(NamedTuple):
    """An example and what was told about it.

    Shapes:
        - **inputs:** ``[1, n, 2]``, each number and whether it is known
        - **outputs:** ``[1, d, 2]``, the truth and whether it is told
    """

    inputs: Tensor
    outputs: Tensor


class OnlineLearner(BaseEstimator):
    """One agent that lives with a table: it is shown examples one by one, and learns in its states.

    The policy is frozen. What is learned of the data is in the states of experts, one on every
    crossing of an input and an output, and on those with hidden wires between. Subclasses say what
    the truth about an example is, and what an answer means.

    Attributes:
        policy: a shipped policy, or a checkpoint.
        hidden_wires: how many there are; none for as many as the policy was trained with.
        allow_missing: take NaN for a number that is missing.
        random_state: seed of what tells hidden wires apart.
    """

    policy: str | Path
    hidden_wires: int | None
    allow_missing: bool
    random_state: int

    def _begin(self, num_inputs: int, num_outputs: int) -> None:
        """A newborn agent for so many inputs and outputs."""
        self.agent_: BadgerAgent = load_agent(self.policy)
        num_experts = None
        if self.hidden_wires is not None:
            unit = num_inputs + 1 + num_outputs
            num_experts = (num_inputs + 1) * num_outputs + self.hidden_wires * unit
        generator = torch.Generator().manual_seed(self.random_state)
        with torch.no_grad():
            self.life_: Life = self.agent_.reset(1, num_experts, num_outputs, generator, num_inputs)
        self.scale_ = RunningScale(1, num_inputs)
        self._last = Told(torch.zeros(1, num_inputs, 2), torch.zeros(1, num_outputs, 2))

    def _examples(self, X: Any, reset: bool) -> np.ndarray:
        finite = "allow-nan" if self.allow_missing else True
        examples: np.ndarray = validate_data(
            self, X, reset=reset, dtype=np.float64, ensure_all_finite=finite
        )
        return examples

    def _learn(self, example: np.ndarray, truth: Float[Tensor, "1 d"]) -> None:
        """Answer an example, and be told the truth."""
        values = torch.from_numpy(example)[None]
        self.scale_.see(values)
        shown = _with_marks(self.scale_.scale(values))
        with torch.no_grad():
            self.life_ = self.agent_.step(self.life_, self._observation(shown))
        self._last = Told(shown, torch.stack([truth, torch.ones_like(truth)], dim=-1))

    def _answers(self, examples: np.ndarray) -> Float[Tensor, "rows d"]:
        """What the agent would answer to each of these if it came next; it does not live on."""
        at_once = max(1, ROWS_AT_ONCE // self.life_.num_experts)
        return torch.cat([self._answer(rows) for rows in torch.from_numpy(examples).split(at_once)])

    def _answer(self, rows: Float[Tensor, "rows n"]) -> Float[Tensor, "rows d"]:
        scale = self.scale_.repeat(len(rows))
        scale.see(rows)
        with torch.no_grad():
            lives = repeat_agents(self.agent_, self.life_, len(rows))
            observation = self._observation(_with_marks(scale.scale(rows)))
            return self.agent_.step(lives, observation).action

    def _observation(self, following: Float[Tensor, "B n 2"]) -> Observation:
        batch_size = len(following)
        last = self._last.inputs.expand(batch_size, -1, -1)
        return Observation(
            following.new_zeros(batch_size, 0),
            torch.cat([last, following], dim=-1),
            self._last.outputs.expand(batch_size, -1, -1),
        )

    def _check_living(self) -> None:
        check_is_fitted(self, "life_")

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "life_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.allow_missing
        return tags

    def _forget(self) -> Self:
        """As before anything was learned."""
        for name in ("life_", "classes_", "scale_"):
            self.__dict__.pop(name, None)
        return self


def _with_marks(values: Float[Tensor, "B n"]) -> Float[Tensor, "B n 2"]:
    return torch.stack([values.nan_to_num(), (~values.isnan()).to(values)], dim=-1)
