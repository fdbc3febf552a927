"""Trained policies that come with the package: weights, no code, and a card.

A policy is two files: ``<name>.safetensors`` holds every weight of the agent, ``<name>.json``, its
card, says how the agent is built, how it was trained and what its errors are.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from badger_graph.files import whole_file, write_json
from badger_graph.library.upgrade import current
from topologies.checks import brief, check_sizes, checked, did_you_mean

SHIPPED = Path(__file__).parent / "shipped"

Card = dict[str, Any]

PARTS = {
    **dict.fromkeys(("name", "sha256"), str),
    **dict.fromkeys(("config", "training", "versions", "errors"), dict),
}
"""What every card holds: the file of weights it belongs to, how they are built into an agent, how
they were trained and with which versions, and what was measured."""

KINDS = {str: "text", dict: "mapping"}


def shipped_policies() -> list[str]:
    """The names of the policies that come with the package; ``load_agent`` takes them."""
    return sorted(path.stem for path in SHIPPED.glob("*.json"))


@checked()
def find_policy(source: str | Path) -> Path | None:
    """The weights of a policy by its name or file; none when a checkpoint file is meant.

    Raises:
        ValueError: for a bare name that no shipped policy has; lists those that exist.
    """
    path = Path(source)
    if path.suffix == ".safetensors":
        return path
    names = shipped_policies()
    if path.is_file() or path.suffix or path.name != str(source):
        return None
    if str(source) in names:
        return SHIPPED / f"{source}.safetensors"
    raise ValueError(
        "a trained agent must be a checkpoint file or one of the shipped policies "
        f"{_listed(names)}, got {str(source)!r}" + did_you_mean(str(source), names)
    )


def _listed(names: list[str]) -> str:
    """Names in words, the seeds of a recipe as one: ``recurrent-0 to -4``."""
    seeds: dict[str, list[str]] = {}
    for name in names:
        recipe, dash, seed = name.rpartition("-")
        seeds.setdefault(recipe + dash, []).append(seed)
    return ", ".join(
        f"{recipe}{of[0]}" + (f" to -{of[-1]}" if len(of) > 1 and recipe else "")
        for recipe, of in seeds.items()
    )


@checked()
def read_card(source: str | Path) -> Card:
    """The card of a policy, by its name or file.

    Raises:
        ValueError: when there is no such policy, or its card is no whole card.
    """
    weights = find_policy(source)
    if weights is None:
        raise ValueError(f"only a shipped policy has a card, got {str(source)!r}")
    file = weights.with_suffix(".json")
    try:
        card = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise ValueError(f"a policy needs its card, cannot read {str(file)!r}: {error}") from error
    missing = [part for part in PARTS if not isinstance(card, dict) or part not in card]
    if missing:
        raise ValueError(f"a card must hold {', '.join(missing)}, {str(file)!r} does not")
    for part, kind in PARTS.items():
        if not isinstance(card[part], kind):
            raise ValueError(
                f"{part} in a card must be a {KINDS[kind]}, got {brief(card[part])} in "
                f"{str(file)!r}"
            )
    check_sizes(outer_steps=(card["training"].get("outer_steps"), 0))
    return {**card, "config": current(card["config"])}


def read_policy(source: str | Path) -> tuple[Card, dict[str, Tensor]]:
    """The card and the weights of a policy, by its name or file.

    Raises:
        ValueError: as :func:`read_card`; or when the weights are missing, damaged, or not those
            that the card was written for.
    """
    card, file = read_card(source), find_policy(source)
    assert file is not None
    try:
        contents = file.read_bytes()
        weights = load(contents)
    except (OSError, SafetensorError) as error:
        raise ValueError(
            f"a policy needs its weights, cannot read {str(file)!r}: {error}"
        ) from error
    digest = hashlib.sha256(contents).hexdigest()
    if digest != card["sha256"]:
        raise ValueError(
            f"the weights of a policy must be those of its card, {card['sha256']}, "
            f"but {str(file)!r} was changed: {digest}"
        )
    return card, weights


def write_policy(file: Path, card: Card, weights: dict[str, Tensor]) -> None:
    """Write the two files of a policy: ``file``, a ``.safetensors``, and the card beside it.

    The card gets the name of the file and the hash of the weights.
    """
    contents = save({name: tensor.contiguous().clone() for name, tensor in weights.items()})
    identity = {"name": file.stem, "sha256": hashlib.sha256(contents).hexdigest()}
    file.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(file) as partial:
        partial.write_bytes(contents)
    write_json(file.with_suffix(".json"), identity | card | identity)
