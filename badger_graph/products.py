"""Attention as two batched products: what an exchange by attention is made of."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F


class Ports(NamedTuple):
    """What a membrane shows to experts that attend: who sends besides them, and who reads.

    Shapes:
        - **keys:** ``[B, P, K]``; **values:** ``[B, P, H]``, of each port that sends
        - **queries:** ``[B, d, K]``, of each output
    """

    keys: Float[Tensor, "B P K"]
    values: Float[Tensor, "B P H"]
    queries: Float[Tensor, "B d K"]


def attend(
    queries: Float[Tensor, "*batch receivers key"],
    keys: Float[Tensor, "*batch senders key"],
    values: Float[Tensor, "*batch senders value"],
    beta: float = 1.0,
    visible: Bool[Tensor, "*batch receivers senders"] | None = None,
) -> Float[Tensor, "*batch receivers value"]:
    r"""What every receiver hears: the mean of all values, weighted by :func:`attention_weights`.

    .. math::
        y_r = \sum_s w_{rs} v_s

    Nothing of size receivers times senders times features is ever made, forward or backward.
    Heads need no dimension of their own: a head of an expert is one more receiver or sender.
    With experts' queries ``[B, N, heads, K]`` and an output's ``[B, d, K]``::

        queries = torch.cat([output_queries, expert_queries.flatten(1, 2)], dim=1)
        received = attend(queries, keys, values, beta)
        of_outputs, of_experts = received.split([d, N * heads], dim=1)
        of_experts = of_experts.reshape(B, N, heads * V)

    Among the senders are likewise the experts' heads, inputs, outputs in their role as inputs, and
    the error; all are in one softmax. Heads that attend each to their own senders go into
    ``batch``, and separate softmaxes are separate calls.

    Source: Vaswani et al. 2017; Rosa et al. 2019, "Attentional Architecture".

    Shapes:
        - **queries:** ``[*batch, receivers, K]``
        - **keys:** ``[*batch, senders, K]``
        - **values:** ``[*batch, senders, V]``
        - **visible:** ``[*batch, receivers, senders]``, see :func:`attention_weights`
        - **returns:** ``[*batch, receivers, V]``

    Raises:
        ValueError: where the three do not fit together, or nobody sends.
    """
    if keys.shape[:-1] != values.shape[:-1]:
        raise ValueError(
            "every sender has one key and one value, "
            f"got keys {list(keys.shape)} and values {list(values.shape)}"
        )
    return _product(attention_weights(queries, keys, beta, visible), values)


def attention_weights(
    queries: Float[Tensor, "*batch receivers key"],
    keys: Float[Tensor, "*batch senders key"],
    beta: float = 1.0,
    visible: Bool[Tensor, "*batch receivers senders"] | None = None,
) -> Float[Tensor, "*batch receivers senders"]:
    r"""How much every receiver hears of every sender; the weights of a receiver sum to one.

    .. math::
        w_{rs} = \frac{\exp(\beta\, q_r \cdot k_s / \sqrt K)}
                      {\sum_{s'} \exp(\beta\, q_r \cdot k_{s'} / \sqrt K)}

    Args:
        queries: what each receiver looks for.
        keys: what each sender has to offer.
        beta: inverse temperature; 0 hears all alike, more comes closer to the best match alone.
        visible: which senders each receiver may hear, at least one; all by default.

    Raises:
        ValueError: when queries and keys differ in batch or size, or nobody sends.
    """
    if queries.shape[:-2] != keys.shape[:-2] or queries.size(-1) != keys.size(-1):
        raise ValueError(
            "queries [..., receivers, K] and keys [..., senders, K] must agree in all but the "
            f"second-last size, got {list(queries.shape)} and {list(keys.shape)}"
        )
    if not keys.size(-2):
        raise ValueError(f"attention needs at least one sender, got keys {list(keys.shape)}")
    scale = beta / math.sqrt(queries.size(-1))
    if scale != 1:
        queries = queries * scale
    scores = _product(queries, keys.mT)
    if visible is not None:
        scores = scores.masked_fill(~visible, -math.inf)
    return scores.softmax(dim=-1)


def _product(left: Tensor, right: Tensor) -> Tensor:
    # One batch dimension needs none of the detours of @: 5% of an outer step of an agent.
    return torch.bmm(left, right) if left.dim() == 3 else left @ right


def standardise(x: Float[Tensor, "*any features"]) -> Float[Tensor, "*any features"]:
    r"""Every row with mean 0 and standard deviation 1 over its features.

    .. math::
        \frac{x - \bar x}{s}, \qquad s^2 = \epsilon + \frac{1}{n - 1} \sum_i (x_i - \bar x)^2

    Raises:
        ValueError: for rows of fewer than two features, which have no deviation.
    """
    size = x.size(-1)
    if size < 2:
        raise ValueError(f"standardising needs at least two features, got {size}")
    weight = x.new_full((size,), math.sqrt((size - 1) / size))
    return F.layer_norm(x, (size,), weight, eps=1e-16)
