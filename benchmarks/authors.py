"""The authors' attentional agent, from a clone of https://github.com/GoodAI/badger-2019.

It has no licence, so nothing of it is here but the names that it is reached by.
"""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.attentional import Game, error_of


def authors_agent(clone: str, hidden_size: int, key_size: int, identifier_size: int) -> Any:
    """A ``MultitaskAgent`` from the clone's ``utils.py``, which this runs.

    Raises:
        ValueError: when the folder has no such file, or the file no such class.
    """
    file = Path(clone).expanduser() / "utils.py"
    if not file.is_file():
        raise ValueError(f"authors must be a clone of badger-2019 with utils.py, got {clone}")
    defined = runpy.run_path(str(file))
    if "MultitaskAgent" not in defined:
        raise ValueError(f"utils.py of the authors must define MultitaskAgent, got {file}")
    return defined["MultitaskAgent"](
        HIDDEN=hidden_size, KEY=key_size, ID=identifier_size, INPUT_CHUNK=key_size, N_INPUTS=0
    )


def authors_rollout(agent: Any, game: Game, num_steps: int) -> Tensor:
    """The loss of their experiment: T forwards, and the error when the last of them begins."""
    batch_size, num_outputs = game.target.shape
    num_experts, key_size = len(game.identifier), 2 * game.address.size(-1)
    agent.init_rollout(BS=batch_size, N_EXPERTS=num_experts, N_OUTPUTS=num_outputs)
    agent.agent.static_id = game.identifier.t().expand(batch_size, -1, -1)
    no_input = game.target.new_zeros(batch_size, key_size, 0)
    action = torch.zeros_like(game.target)
    for _ in range(num_steps):
        error = error_of(action, game)
        action, *_ = agent(no_input, error[:, None], output_addr=game.address[:, None])
    return error.mean()
