"""The authors' attentional agent, from a clone of https://github.com/GoodAI/badger-2019.

It has no licence, so nothing of it is here but the names that it is reached by.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.attentional import QUERY_HEADS, SENDER_HEADS, Game, error_of


def authors_agent(clone: str, hidden_size: int, key_size: int, identifier_size: int) -> Any:
    """A ``MultitaskAgent`` from the clone's ``utils.py``, which this runs.

    Raises:
        ValueError: when the folder has no such file, or the file no such class.
    """
    file = Path(clone).expanduser() / "utils.py"
    spec = spec_from_file_location("authors_utils", file)
    if not file.is_file() or spec is None or spec.loader is None:
        raise ValueError(f"authors must be a clone of badger-2019 with utils.py, got {clone}")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    if not hasattr(module, "MultitaskAgent"):
        raise ValueError(f"utils.py of the authors must define MultitaskAgent, got {file}")
    return module.MultitaskAgent(
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


def from_authors(theirs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Their weights under our names, from those of their state dict.

    It only cuts, reshapes and concatenates, so gradients go the same way.
    """

    def weight(*names: str) -> Tensor:
        return torch.cat([theirs[f"{name}.weight"].flatten(1) for name in names])

    def bias(*names: str) -> Tensor:
        return torch.cat([theirs[f"{name}.bias"] for name in names])

    hidden_size = theirs["agent.h0"].numel()
    heads = [f"agent.{kind}.{head}" for kind in ("key1", "value") for head in range(SENDER_HEADS)]
    heads += [f"agent.query.{head}" for head in range(QUERY_HEADS)]
    update = ["agent.htog", "agent.htoh"]
    of_received, merge = weight("agent.valnet1").tensor_split([QUERY_HEADS * hidden_size], dim=1)
    of_hidden, of_identifier = torch.cat([weight(*heads), merge]).tensor_split([hidden_size], dim=1)
    of_merged, update_hidden = weight(*update).split(hidden_size, dim=1)
    linears = {
        "merge": ["agent.valnet2"],
        "of_output": ["input_keys", "input_val"],
        "error_value": ["error_val"],
        "readout": ["output_val"],
        **{f"key.{head}": [f"agent.key2.{head}"] for head in range(SENDER_HEADS)},
    }
    return {
        "initial_hidden": theirs["agent.h0"].flatten(),
        "of_hidden.weight": torch.cat([of_hidden, update_hidden]),
        "of_hidden.bias": bias(*heads, "agent.valnet1", *update),
        "of_identifier.weight": of_identifier,
        "of_received.weight": of_received,
        "of_merged.weight": of_merged,
        "output_stub": theirs["output_stub"].flatten(),
        "error_key": theirs["error_key"],
        **{f"{ours}.weight": weight(*names) for ours, names in linears.items()},
        **{f"{ours}.bias": bias(*names) for ours, names in linears.items()},
    }
