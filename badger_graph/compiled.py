"""The inner step of a policy of one's own, compiled once for agents of all sizes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from badger_graph.checks import check_action, check_hidden, check_percept
from badger_graph.communication import communicate
from badger_graph.executors.base import Wiring
from badger_graph.life import Life
from badger_graph.membranes import Membrane
from badger_graph.policies import ExpertPolicy
from badger_graph.typing import Observation

COMPILED_EXECUTORS = ("dense", "sparse")
"""Those that the compiler sees through; the fused one is compiled already."""


def inner_step(
    policy: ExpertPolicy,
    membrane: Membrane,
    rounds: int,
    wiring: Wiring,
    hidden: Float[Tensor, "V H"],
    action: Float[Tensor, "B d"],
    traits: Any,
    ports: Any,
    observation: Observation,
) -> tuple[Float[Tensor, "V H"], Float[Tensor, "B d"]]:
    """Perceive, communicate, act: the next states and the next action."""
    life = Life(hidden, action, traits, ports, wiring)
    percept = membrane.perceive(life, observation)
    check_percept(membrane, percept, hidden, action)
    after, said = communicate(policy, hidden, percept, traits, wiring, rounds)
    check_hidden(policy, after, hidden)
    done = membrane.act(life._replace(hidden=after), said)
    check_action(membrane, done, hidden, action)
    return after, done


def compiled_step(
    policy: ExpertPolicy,
    membrane: Membrane,
    rounds: int,
    wiring: Wiring,
    hidden: Float[Tensor, "V H"],
    action: Float[Tensor, "B d"],
    traits: Any,
    ports: Any,
    observation: Observation,
) -> tuple[Float[Tensor, "V H"], Float[Tensor, "B d"]]:
    """The same by ``torch.compile``: half a minute once, and once more without gradients.

    Any B, N, d and edges are served by what was compiled first; but a size of 1, two of them that
    are the same, or agents of next to nothing take part in it, and others are compiled for anew.
    PyTorch keeps 8 variants a process (for every policy, executor, number of rounds, precision,
    with and without gradients), and runs further ones uncompiled.
    """
    hidden, action = _alike(hidden), _alike(action)
    observation = Observation(*map(_alike, observation))
    for of_policy in (hidden, traits):  # these sizes never change, even if B is the same now
        if isinstance(of_policy, Tensor):
            torch._dynamo.mark_static(of_policy, 1)
    run = _compiled()
    return run(policy, membrane, rounds, wiring, hidden, action, traits, ports, observation)


@functools.cache
def _compiled() -> Callable[..., tuple[Tensor, Tensor]]:
    return torch.compile(inner_step, dynamic=True)


def _alike(value: Tensor) -> Tensor:
    """What the first step of a life is given, as the others are: else it is compiled by itself."""
    value = value.contiguous()
    if torch.is_grad_enabled() and not value.requires_grad:
        return value.detach().requires_grad_()
    return value
