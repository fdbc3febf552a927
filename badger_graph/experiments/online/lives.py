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
from badger_graph.tasks import Classification, Examples
from topologies.crossbar import CrossbarLayout

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
    task: type[Examples],
    inputs: Float[Tensor, "T B n"],
    truth: Float[Tensor, "T B d"],
    name: str = "lives",
    hidden_wires: int | None = None,
) -> Float[Tensor, "T B d"]:
    """What the agent says of each example, before it is told the truth.

    Args:
        agent: trained, frozen.
        task: of the examples, ``Classification`` or ``Regression``.
        inputs: T examples of B lives.
        truth: what is told about them.
        name: of what is done, for the bar.
        hidden_wires: how many there are; none for as many as the policy was trained with.
    """
    if hidden_wires is None:
        count = agent.membrane.usual_experts(truth.size(2), inputs.size(2))
    else:
        count = CrossbarLayout(inputs.size(2) + 1, truth.size(2), hidden_wires).num_experts
    at_once = max(1, EXPERTS_AT_ONCE // count)
    batches = range(0, inputs.size(1), at_once)
    said = []
    for first in track(batches, name, len(batches)):
        lives = slice(first, first + at_once)
        generator = torch.Generator().manual_seed(first)
        world = task(inputs[:, lives], truth[:, lives])
        steps = zip(range(len(inputs)), live(agent, world, count, generator), strict=False)
        said.append(torch.stack([moment.life.action for _, moment in steps]))
    return torch.cat(said, dim=1)


def right_answers(
    agent: BadgerAgent,
    inputs: Float[Tensor, "T B n"],
    label: Int[Tensor, "T B"],
    num_classes: int,
    name: str = "lives",
    hidden_wires: int | None = None,
) -> Bool[Tensor, "T B"]:
    """Which answers were right, the most probable class being the answer.

    Args:
        agent: trained, frozen.
        inputs: T examples of B lives.
        label: the class of each.
        num_classes: classes d.
        name: of what is done, for the bar.
        hidden_wires: as of :func:`answers`.
    """
    truth = torch.nn.functional.one_hot(label, num_classes).to(inputs)
    said = answers(agent, Classification, inputs, truth, name, hidden_wires)
    return said.argmax(dim=-1) == label
