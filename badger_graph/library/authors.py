"""Weights of the authors' attentional agent, https://github.com/GoodAI/badger-2019.

Their code has no licence, so nothing of it is here but the names of the weights that it saves.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from badger_graph.agent import BadgerAgent
from badger_graph.birth import Birth
from badger_graph.library.load import read_tensors
from badger_graph.membranes import AttentionMembrane
from badger_graph.policies import AttentionPolicy
from badger_graph.tasks import GuessingGame
from topologies import CompleteTopology
from topologies.checks import checked


class Sizes(NamedTuple):
    """Those of an attentional agent; the defaults are the authors'."""

    hidden: int = 64
    key: int = 32
    identifier: int = 16
    query_heads: int = 4
    sender_heads: int = 2


@checked()
def load_authors(source: str | Path | Mapping[str, Tensor]) -> BadgerAgent:
    """The authors' trained agent as ours, frozen; it lives with any number of experts and outputs.

    Their experiment starts with an action of zeros, and its loss is the error when the last of T
    forwards begins: T - 1 of our steps.

    Args:
        source: a file that their root experiment saved, or the state dict in it.

    Raises:
        ValueError: for a bad file, or entries that are missing, too many or of other shapes:
            names them all.
    """
    theirs = source if isinstance(source, Mapping) else read_tensors(source)
    if not isinstance(theirs, Mapping):
        raise ValueError(
            f"the authors' weights must be a state dict, got a {type(theirs).__name__}"
        )
    sizes = sizes_of(theirs)
    agent = attentional_agent(sizes)
    check_entries(theirs, expected_shapes(agent, sizes))
    agent.to(theirs["agent.h0"].dtype).load_state_dict(from_authors(theirs))
    return agent.eval().requires_grad_(False)


def attentional_agent(sizes: Sizes) -> BadgerAgent:
    """An agent like theirs, with weights drawn as theirs are."""
    heads = {"query_heads": sizes.query_heads, "sender_heads": sizes.sender_heads}
    return BadgerAgent(
        GuessingGame.interface,
        partial(AttentionPolicy, **heads),
        CompleteTopology(),
        partial(AttentionMembrane, key_size=sizes.key),
        birth=Birth(identifiers="random", initial_state="learned"),
        identifier_size=sizes.identifier,
        hidden_size=sizes.hidden,
    )


def from_authors(theirs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Their weights, or the gradients of them, under the names of our agent.

    It only reshapes and concatenates, so gradients go the same way.
    """
    queries, senders = _heads(theirs, "query"), _heads(theirs, "key1")
    weights = {
        "policy.initial_hidden": theirs["agent.h0"].flatten(),
        "membrane.stub": theirs["output_stub"].flatten(),
        "membrane.feedback_key": theirs["error_key"],
    }
    for ours, names in linears(len(queries), len(senders)).items():
        rows = [theirs[f"{name}.weight"].flatten(1) for name in names]
        weights[f"{ours}.weight"] = torch.cat(rows)
        weights[f"{ours}.bias"] = torch.cat([theirs[f"{name}.bias"] for name in names])
    return weights


CONVOLUTIONS = ("agent.valnet1", "agent.valnet2", "agent.htog", "agent.htoh")
"""Linear maps of theirs that are convolutions of width one."""


def linears(query_heads: int, sender_heads: int) -> dict[str, list[str]]:
    """Which of their linear maps, one below the other, are each of ours."""
    queries, senders = range(query_heads), range(sender_heads)
    return {
        "policy.inner": [f"agent.key1.{head}" for head in senders],
        **{f"policy.key.{head}": [f"agent.key2.{head}"] for head in senders},
        "policy.value": [f"agent.value.{head}" for head in senders],
        "policy.query": [f"agent.query.{head}" for head in queries],
        "policy.receive": ["agent.valnet1"],
        "policy.merge": ["agent.valnet2"],
        "policy.update": ["agent.htog", "agent.htoh"],
        "membrane.output_key": ["input_keys"],
        "membrane.output_value": ["input_val"],
        "membrane.feedback_value": ["error_val"],
        "membrane.readout": ["output_val"],
    }


def expected_shapes(agent: BadgerAgent, sizes: Sizes) -> dict[str, tuple[int, ...]]:
    """The entries of the state dict of theirs that is like our agent."""
    shapes: dict[str, tuple[int, ...]] = {
        "agent.h0": (1, sizes.hidden, 1),
        "error_key": (sizes.key,),
        "output_stub": (1, sizes.key // 2),
    }
    own = agent.state_dict()
    for ours, names in linears(sizes.query_heads, sizes.sender_heads).items():
        rows, columns = own[f"{ours}.weight"].shape
        for name in names:
            width = (1,) if name in CONVOLUTIONS else ()
            shapes[f"{name}.weight"] = (rows // len(names), columns, *width)
            shapes[f"{name}.bias"] = (rows // len(names),)
    return shapes


def sizes_of(theirs: Mapping[str, Tensor]) -> Sizes:
    """As the entries say it, those that others are then held to; the authors' own without any."""
    usual = Sizes()

    def size(otherwise: int, dimensions: dict[str, int]) -> int:
        for name, dimension in dimensions.items():
            entry = theirs.get(name)
            if isinstance(entry, Tensor) and entry.dim() > dimension:
                return entry.size(dimension)
        return otherwise

    hidden = size(usual.hidden, {"agent.h0": 1, "agent.valnet2.bias": 0})
    dimensions = {"agent.key1.0.weight": 1, "agent.value.0.weight": 1, "agent.query.0.weight": 1}
    known_size = size(hidden + usual.identifier, dimensions)
    return Sizes(
        hidden=hidden,
        key=size(usual.key, {"error_key": 0, "input_keys.bias": 0}),
        identifier=max(0, known_size - hidden),
        query_heads=_number(_heads(theirs, "query"), usual.query_heads),
        sender_heads=_number(_heads(theirs, "key1", "key2", "value"), usual.sender_heads),
    )


def check_entries(theirs: Mapping[str, Tensor], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Refuse a state dict with other entries.

    Raises:
        ValueError: names all that are missing, too many or of other shapes.
    """
    faults = [f"{name} is missing" for name in shapes.keys() - theirs.keys()]
    faults += [f"{name} is not known" for name in theirs.keys() - shapes.keys()]
    for name in shapes.keys() & theirs.keys():
        entry = theirs[name]
        shape = list(entry.shape) if isinstance(entry, Tensor) else type(entry).__name__
        if shape != list(shapes[name]):
            faults.append(f"{name} must be {list(shapes[name])}, got {shape}")
    if faults:
        raise ValueError(
            "the authors' weights must be those that their root experiment saves, but "
            + "; ".join(sorted(faults))
        )


def _heads(theirs: Iterable[str], *kinds: str) -> list[int]:
    """The numbers of the heads of some kinds."""
    matches = (re.match(rf"agent\.({'|'.join(kinds)})\.(\d+)\.", str(name)) for name in theirs)
    return sorted({int(match[2]) for match in matches if match})


def _number(heads: list[int], otherwise: int) -> int:
    # A number that is too high is a stray name, and then all those below it are not missing.
    contiguous = [head for place, head in enumerate(heads) if head <= place + 1]
    return contiguous[-1] + 1 if contiguous else otherwise
