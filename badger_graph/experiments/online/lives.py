"""The answers of a frozen policy to many orders of one table."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from badger_graph.agent import BadgerAgent
from badger_graph.datasets import Dataset
from badger_graph.progress import track
from badger_graph.rollout import live
from badger_graph.scaling import scale_online
from badger_graph.tasks import Classification

EXPERTS_AT_ONCE = 60_000
"""Experts of all agents of a batch: what a step of them needs stays in the caches."""


def draw_orders(
    table: Dataset, num_orders: int, num_examples: int, seed: int
) -> tuple[Float[Tensor, "T B n"], Int[Tensor, "T B"]]:
    """Examples of a table in random orders, without repetition, scaled by what was seen so far.

    Args:
        table: with classes.
        num_orders: lives B.
        num_examples: T, or as many as there are.
        seed: of the orders.
    """
    rng = np.random.default_rng(seed)
    num_examples = min(num_examples, len(table.target))
    rows = np.stack([rng.permutation(len(table.target))[:num_examples] for _ in range(num_orders)])
    inputs = torch.from_numpy(table.inputs[rows.T])
    return scale_online(inputs), torch.from_numpy(table.target[rows.T])


@torch.no_grad()
def answers(
    agent: BadgerAgent,
    inputs: Float[Tensor, "T B n"],
    label: Int[Tensor, "T B"],
    num_classes: int,
    num_experts: int | None = None,
    name: str = "lives",
    seed: int = 0,
) -> Float[Tensor, "T B d"]:
    """How probable the agent finds each class of each example, before it is told.

    Args:
        agent: trained, frozen.
        inputs: T examples of B lives.
        label: the class of each.
        num_classes: classes d.
        num_experts: none for as many as the membrane usually needs.
        name: of what is done, for the bar.
        seed: of what newborn agents are given; those of a batch of lives draw from one generator.
    """
    truth = torch.nn.functional.one_hot(label, num_classes).to(inputs)
    count = num_experts or agent.membrane.usual_experts(num_classes, inputs.size(2))
    at_once = max(1, EXPERTS_AT_ONCE // count)
    batches = range(0, inputs.size(1), at_once)
    said = []
    for first in track(batches, name, len(batches)):
        lives = slice(first, first + at_once)
        task = Classification(inputs[:, lives], truth[:, lives])
        generator = torch.Generator().manual_seed(seed + first)
        steps = zip(range(len(inputs)), live(agent, task, num_experts, generator), strict=False)
        said.append(torch.stack([moment.life.action for _, moment in steps]))
    return torch.cat(said, dim=1)


def right_answers(
    agent: BadgerAgent,
    inputs: Float[Tensor, "T B n"],
    label: Int[Tensor, "T B"],
    num_classes: int,
    **options: str,
) -> Bool[Tensor, "T B"]:
    """Which answers were right, the most probable class being the answer.

    Args:
        agent: trained, frozen.
        inputs: T examples of B lives.
        label: the class of each.
        num_classes: classes d.
        options: of :func:`answers`.
    """
    said = answers(agent, inputs, label, num_classes, **options)  # type: ignore[arg-type]
    return said.argmax(dim=-1) == label
