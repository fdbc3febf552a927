"""Bad inputs of the Python API: which there are, and whether an error of one is clear."""

from __future__ import annotations

import math
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import networkx as nx
import numpy as np
import torch
import yaml

import badger_graph
import topologies
from badger_graph import analysis, baselines, callbacks, plots, products
from badger_graph.evaluation import evaluate
from badger_graph.membranes import MEMBRANES
from badger_graph.outer import gradients, losses, sizes
from badger_graph.policies import POLICIES

LIST = Path(__file__).with_name("python_api.yaml")


class BadCall(NamedTuple):
    """An expression, and what the error must say; ``a|b`` is either."""

    expression: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return self.expression


def bad_calls() -> list[BadCall]:
    """All of them, in the order of the list."""
    return [
        BadCall(expression, tuple(map(str, words)))
        for expression, *words in yaml.safe_load(LIST.read_text())
    ]


def fault(call: BadCall) -> str | None:
    """What is wrong with an answer: ``accepted``, ``unclear`` or the error; None if nothing."""
    try:
        # The expressions are those of the list beside this file.
        eval(call.expression, names())
    except (ValueError, TypeError, OSError) as error:
        own = not isinstance(error, TypeError) or "unexpected keyword" in str(error)
        said = str(error).lower()
        named = all(any(one.lower() in said for one in word.split("|")) for word in call.words)
        return None if own and named else f"unclear: {type(error).__name__}: {error}"
    except Exception as error:
        return f"traceback: {type(error).__name__}: {error}"
    return "accepted"


@cache
def names() -> dict[str, Any]:
    """What the expressions are made of."""
    game = badger_graph.GuessingGame()
    agent = badger_graph.BadgerAgent(
        game.interface,
        partial(badger_graph.GRUPolicy, message_size=2),
        topologies.RandomTopology(k=2),
        identifier_size=2,
        hidden_size=4,
    )
    of_agent = {"identifier_size": 12, "hidden_size": 32}
    scored = (topologies.AttentionTopology, topologies.TopKTopology)
    usual: dict[Any, dict[str, Any]] = {
        **{policy: {"percept_size": 4, **of_agent} for policy in POLICIES.values()},
        **{made: {"interface": game.interface, **of_agent} for made in MEMBRANES.values()},
        **{topology: {"hidden_size": 32} for topology in scored},
        badger_graph.BadgerAgent: {
            "interface": game.interface,
            "policy": badger_graph.GRUPolicy,
            "topology": topologies.RingTopology(),
        },
    }
    special = {
        "attentional": (badger_graph.AttentionPolicy, badger_graph.AttentionMembrane),
        "recurrent": (badger_graph.LSTMPolicy, badger_graph.WholeMembrane),
    }
    packages = (badger_graph, topologies, analysis)
    parts = (baselines, callbacks, gradients, losses, sizes)
    return {
        **{name: value for part in parts for name, value in vars(part).items()},
        **{name: getattr(package, name) for package in packages for name in package.__all__},
        **{
            name: partial(
                badger_graph.BadgerAgent,
                game.interface,
                policy,
                topology=topologies.RingTopology(),
                membrane=membrane,
            )
            for name, (policy, membrane) in special.items()
        },
        "attend": products.attend,
        "standardise": products.standardise,
        "badger_graph": badger_graph,
        "partial": partial,
        "math": math,
        "np": np,
        "nx": nx,
        "torch": torch,
        "plots": plots,
        "evaluate": evaluate,
        **{made.__name__: partial(made, **arguments) for made, arguments in usual.items()},
        "agent": agent,
        "task": game.sample(2, 2),
        "life": agent.reset(2, 6, 2),
        "x": torch.ones(2, requires_grad=True),
        "symbols": torch.zeros(4, 2, dtype=torch.int64),
        "generator": torch.Generator().manual_seed(0),
        "weighted": weighted,
        "squared": lambda guess, target: float(((guess - target) ** 2).mean()),
    }


def weighted(weight: object) -> nx.Graph:
    graph = nx.Graph()
    graph.add_edge(0, 1, weight=weight)
    return graph
