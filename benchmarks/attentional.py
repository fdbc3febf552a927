"""The attentional agent with its published maths, in dense products."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from badger_graph.attention import attend, standardise

QUERY_HEADS, SENDER_HEADS = 4, 2

BETA = 2.5

Attention = Callable[[Tensor, Tensor, Tensor, float], Tensor]
"""What :func:`badger_graph.attention.attend` computes, however."""


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


class AttentionalAgent(nn.Module):
    r"""Experts that find inputs, outputs and each other by attention.

    Receivers are the outputs and the 4 query heads of every expert; senders are the outputs, the
    error and the 2 sender heads of every expert. With :math:`z_i = (h_i, \mathrm{id}_i)`,
    :math:`\rho` the leaky ReLU, :math:`S` :func:`~badger_graph.attention.standardise` and
    :math:`y` what :func:`~badger_graph.attention.attend` gives each receiver, standardised, an
    expert sends, looks for and becomes

    .. math::
        k_{ib} = W^k_b\, \rho(W^s_b z_i), \qquad v_{ib} = W^v_b z_i, \qquad q_{ia} = W^q_a z_i \\
        u_i = \big(S(\rho(W^m \rho(W^r (y_{i1}, \dots, y_{i4}) + W^z z_i))),\; h_i\big) \\
        h_i' = g_i c_i + (1 - g_i)\, h_i, \qquad g_i = \sigma(W^g u_i), \qquad c_i = W^c u_i

    An output, of query (learned stub, address), sends a linear map of this query and acts by one
    of what it receives; the error sends a learned key and a linear map of itself. All linear maps
    but :math:`W^r` have a bias.

    What depends on identifiers or addresses alone is computed once for a rollout. All maps of a
    state are one product, ``of_hidden`` (:math:`W^s, W^v, W^q, W^z`, then :math:`W^g, W^c`), and
    so are those of an identifier and those of an output's query.

    Source: Rosa et al. 2019, "Attentional Architecture"; what the paper leaves out, from the
    authors' code, https://github.com/GoodAI/badger-2019, from which only the place of the 1e-8
    that keeps deviations from zero differs.

    Args:
        hidden_size: of states and values (H).
        key_size: of queries and keys (K).
        identifier_size: of identifiers (I).
        attention: how to exchange.
    """

    def __init__(
        self, hidden_size: int, key_size: int, identifier_size: int, attention: Attention = attend
    ) -> None:
        super().__init__()
        h, k = hidden_size, key_size
        self.parts = [SENDER_HEADS * h, SENDER_HEADS * h, QUERY_HEADS * k, h, 2 * h]
        self.attention = attention
        self.initial_hidden = nn.Parameter(torch.randn(h))
        self.of_hidden = nn.Linear(h, sum(self.parts))
        self.of_identifier = nn.Linear(identifier_size, sum(self.parts[:-1]), bias=False)
        self.key = nn.ModuleList(nn.Linear(h, k) for _ in range(SENDER_HEADS))
        self.of_received = nn.Linear(QUERY_HEADS * h, h, bias=False)
        self.merge = nn.Linear(h, h)
        self.of_merged = nn.Linear(h, 2 * h, bias=False)
        self.output_stub = nn.Parameter(torch.randn(k // 2))
        self.of_output = nn.Linear(k, k + h)
        self.error_key = nn.Parameter(torch.randn(k))
        self.error_value = nn.Linear(1, h)
        self.readout = nn.Linear(h, 1)

    def forward(self, game: Game, num_steps: int) -> Tensor:
        """The mean error of the last action but one: of the last, nobody hears any more.

        A rollout of T steps then has T - 1 forwards, since the first action is all zeros.
        """
        (batch_size, num_outputs), num_experts = game.target.shape, len(game.identifier)
        h, k = self.initial_hidden.numel(), self.error_key.numel()
        stub = self.output_stub.expand(batch_size, num_outputs, -1)
        output_query = torch.cat([stub, game.address], dim=-1)
        output_key, output_value = self.of_output(output_query).split([k, h], dim=-1)
        error_key = self.error_key.expand(batch_size, 1, -1)
        port_key = torch.cat([output_key, error_key], dim=1)
        static = F.pad(self.of_identifier(game.identifier), (0, 2 * h)) + self.of_hidden.bias
        hidden = self.initial_hidden.expand(batch_size, num_experts, -1)
        action = torch.zeros_like(game.target)
        for _ in range(num_steps - 1):
            error = error_of(action, game)
            maps = F.linear(hidden, self.of_hidden.weight) + static
            inner, value, query, merged, gate = maps.split(self.parts, dim=-1)
            heads = zip(self.key, inner.split(h, dim=-1), strict=True)
            keys = torch.cat([port_key, *(key(F.leaky_relu(x)) for key, x in heads)], dim=1)
            error_value = self.error_value(error[:, None, None])
            values = torch.cat([output_value, error_value, *value.split(h, dim=-1)], dim=1)
            queries = torch.cat([output_query, query.reshape(batch_size, -1, k)], dim=1)
            received = standardise(self.attention(queries, keys, values, BETA))
            to_outputs, to_experts = received.split([num_outputs, QUERY_HEADS * num_experts], dim=1)
            action = self.readout(to_outputs).squeeze(-1)
            merged = merged + self.of_received(to_experts.reshape(batch_size, num_experts, -1))
            merged = F.leaky_relu(self.merge(F.leaky_relu(merged)))
            gate, candidate = (gate + self.of_merged(standardise(merged))).chunk(2, dim=-1)
            hidden = hidden.lerp(candidate, gate.sigmoid())
        return error_of(action, game).mean()


def materialised(queries: Tensor, keys: Tensor, values: Tensor, beta: float) -> Tensor:
    """Attention as one writes it first: products of all receivers with all senders, then sums."""
    scores = (queries[:, :, None] * keys[:, None]).sum(dim=-1) / math.sqrt(keys.size(-1))
    weights = (beta * scores).softmax(dim=-1)
    return (weights[..., None] * values[:, None]).sum(dim=2)
