"""Living agents as plain tensors, in memory or in a file, to go on with later."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch
from lightning_utilities import apply_to_collection
from torch import Tensor

from badger_graph.agent import BadgerAgent
from badger_graph.files import require_writable, whole_file
from badger_graph.life import Addresses, Experts, Life
from topologies import Edges
from topologies.checks import brief, checked
from topologies.wires import Wires

LINKS: dict[str, type[Edges] | type[Wires]] = {"edges": Edges, "wires": Wires}


def life_parts(life: Life) -> dict[str, Any]:
    """What a life is made of, as tensors that are apart from the graph of their gradients.

    What weights made of them, traits and contacts, is left out, to be made anew by those of then.
    """
    links = {name: life.links for name, kind in LINKS.items() if isinstance(life.links, kind)}
    parts: dict[str, Any] = {
        "experts": life.experts,
        "addresses": life.addresses,
        "action": life.action,
        "score": life.score,
        "codebook": life.codebook,
        **links,
    }
    parts = {name: tuple(v) if isinstance(v, tuple) else v for name, v in parts.items()}
    detached: dict[str, Any] = apply_to_collection(parts, Tensor, Tensor.detach)
    return detached


def life_of_parts(agent: BadgerAgent, parts: dict[str, Any]) -> Life:
    """The life that :func:`life_parts` took apart, on the agent's device.

    Args:
        agent: whose agents these were.
        parts: of the life.

    Raises:
        ValueError: when they are none of such an agent.
    """
    here: dict[str, Any] = apply_to_collection(parts, Tensor, lambda value: value.to(agent.device))
    try:
        experts, addresses = Experts(*here["experts"]), Addresses(*here["addresses"])
        [links] = (kind(*here[name]) for name, kind in LINKS.items() if name in here)
        sizes = (experts.hidden.size(-1), experts.identifier.size(-1), addresses.outputs.size(-1))
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"a life must have the parts that life_parts takes it into, got {brief(parts)}"
        ) from error
    own = (agent.hidden_size, agent.identifier_size, agent.membrane.address_size)
    if sizes != own:
        raise ValueError(
            "a life must be one of this agent, with states, identifiers and addresses of sizes "
            f"{own}, got {sizes}"
        )
    score, codebook = here["score"], here["codebook"]
    return agent.life(experts, addresses, here["action"], links, score, codebook)


@checked()
def save_life(life: Life, file: str | Path) -> None:
    """Write living agents into a file; :func:`load_life` goes on with them, to the same bits.

    Args:
        life: of any agent; its weights are not in the file.
        file: which; its folder is made where there is none.

    Raises:
        OSError: when it cannot be written.
    """
    require_writable(file)
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    with whole_file(file) as partial:
        torch.save(life_parts(life), partial)


@checked()
def load_life(agent: BadgerAgent, file: str | Path) -> Life:
    """Living agents out of a file, on the agent's device; ``live(..., life=life)`` goes on.

    Args:
        agent: with the weights that they lived by, or others for states of these sizes.
        file: that :func:`save_life` wrote.

    Raises:
        OSError: when it cannot be read.
        ValueError: when it holds no life, or one of another agent.
    """
    try:
        parts = torch.load(file, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, EOFError, RuntimeError) as error:
        raise ValueError(f"a life must be a file of save_life, cannot read {file}") from error
    if not isinstance(parts, dict):
        raise ValueError(f"a life must be a file of save_life, {file} holds {brief(parts)}")
    return life_of_parts(agent, parts)
