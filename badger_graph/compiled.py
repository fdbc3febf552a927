"""A function compiled once for agents of all sizes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import torch
from torch import Tensor

from badger_graph.channels import Channel, ClearChannel
from badger_graph.life import Life
from badger_graph.typing import Observation

Result = TypeVar("Result")
Arguments = ParamSpec("Arguments")


def check_compilable(executor: str, channel: Channel) -> None:
    """Refuse what ``torch.compile`` cannot serve.

    Raises:
        ValueError: for an executor that it cannot see through, or a channel that draws.
    """
    if executor not in ("auto", "dense", "sparse"):
        raise ValueError(
            "compiled takes the executor auto, dense or sparse (the fused one is compiled "
            f"already), got executor={executor!r}"
        )
    if not isinstance(channel, ClearChannel):
        raise ValueError(
            f"compiled takes a clear channel, which draws nothing, got a {type(channel).__name__}"
        )


@functools.cache
def compiled(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """The function by ``torch.compile``: half a minute once, and once more without gradients.

    Any B, N, d and edges are served by what was compiled first; but a size of 1, two of them that
    are the same, or agents of next to nothing take part in it, and others are compiled for anew.
    PyTorch keeps 8 variants a process (for every policy, executor, number of rounds, precision,
    with and without gradients), and runs further ones uncompiled.
    """
    return torch.compile(function, dynamic=True)


def uniform(life: Life, observation: Observation) -> tuple[Life, Observation]:
    """The first step of a life as all others are: else it would be compiled by itself."""
    hidden, score, action = map(_alike, (life.hidden, life.score, life.action))
    for of_policy in (hidden, life.traits):  # these sizes never change, even if B is the same now
        if isinstance(of_policy, Tensor):
            torch._dynamo.mark_static(of_policy, 1)
    life = life.with_hidden(hidden)._replace(score=score, action=action)
    return life, Observation(*map(_alike, observation))


def _alike(value: Tensor) -> Tensor:
    value = value.contiguous()
    if torch.is_grad_enabled() and not value.requires_grad:
        return value.detach().requires_grad_()
    return value
