"""What W2 computes: games of the authors' experiment, and our agent in them."""

from __future__ import annotations

import math
from typing import NamedTuple

from torch import Tensor

from badger_graph import BadgerAgent, GuessingGame, unroll
from badger_graph.tasks import GuessingTask

FAMILY = GuessingGame()


class Game(NamedTuple):
    """A batch of guessing games, with what is drawn anew for each.

    Shapes:
        - **target:** ``[B, d]``, in [-1, 1]
        - **address:** ``[B, d, K / 2]``, which tells one output from another
        - **identifier:** ``[N, I]``, which tells one expert from another
    """

    target: Tensor
    address: Tensor
    identifier: Tensor


def error_of(action: Tensor, game: Game) -> Tensor:
    """Of each game, ``[B]``; scaled so that chance is 1."""
    return 3 * (action - game.target).square().mean(dim=1)


def attentional_rollout(agent: BadgerAgent, game: Game, num_steps: int) -> Tensor:
    """The mean error of the last action but one: of the last, nobody hears any more.

    The authors' T forwards are then T - 1 of our steps, since their first action is all zeros.
    """
    (batch_size, num_outputs), num_experts = game.target.shape, len(game.identifier)
    born = agent.reset(batch_size, num_experts, num_outputs)
    experts = born.experts._replace(identifier=game.identifier.repeat(batch_size, 1))
    addresses = born.addresses._replace(outputs=game.address)
    life = agent.life(experts, addresses, born.action, born.edges)
    task = GuessingTask(game.target, FAMILY)
    rollout = unroll(agent, task, num_experts, num_steps - 1, life=life)
    return error_of(rollout.action[-1], game).mean()


def materialised(
    queries: Tensor, keys: Tensor, values: Tensor, beta: float, visible: None = None
) -> Tensor:
    """Attention as one writes it first: products of all receivers with all senders, then sums."""
    scores = (queries[:, :, None] * keys[:, None]).sum(dim=-1) / math.sqrt(keys.size(-1))
    weights = (beta * scores).softmax(dim=-1)
    return (weights[..., None] * values[:, None]).sum(dim=2)
