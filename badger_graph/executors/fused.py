"""The whole communication round of the built-in policy in one operator."""

from __future__ import annotations

import operator
from typing import Any, ClassVar, NamedTuple
from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from badger_graph.channels import Channel, ClearChannel
from badger_graph.executors.adjacency import adjacency
from badger_graph.executors.base import Executor, Send
from badger_graph.executors.native import library
from badger_graph.policies import ExpertPolicy, GRUPolicy
from badger_graph.typing import Edges


class FusedExecutor(Executor):
    """Edges sorted in both directions, for the native operators.

    Messages, their mean, gates and update are one pass over the experts, forward and backward;
    see ``native/gru_stage.cpp`` on a CPU and ``triton_stage.py`` on a GPU. Gradients are first
    derivatives only.
    """

    name: ClassVar[str] = "fused"

    def __init__(self, edges: Edges, batch_size: int, num_experts: int) -> None:
        super().__init__(edges, batch_size, num_experts)
        self.adjacency = adjacency(edges, batch_size * num_experts)

    @classmethod
    def obstacle(cls, policy: ExpertPolicy, channel: Channel, edges: Edges) -> str | None:
        if type(policy) is not GRUPolicy:
            return f"a GRUPolicy, got {type(policy).__name__}"
        if policy.aggregation != "mean":
            return f"the aggregation 'mean', got {policy.aggregation!r}"
        if not isinstance(channel, ClearChannel):
            return f"a ClearChannel, got {type(channel).__name__}"
        return _missing(edges.weight)

    def round(
        self,
        policy: ExpertPolicy,
        hidden: Float[Tensor, "V H"],
        percept: Any,
        traits: Any,
        send: Send | None = None,
    ) -> tuple[Float[Tensor, "V H"], Tensor]:
        assert isinstance(policy, GRUPolicy)
        assert send is None  # refused as an obstacle
        if hidden.is_cuda:
            from badger_graph.executors.triton_stage import gru_stage

            round_weights = policy.weights()[:8]
            hidden = gru_stage(hidden, percept, traits, *self.adjacency, *round_weights)
            return hidden, policy.speak(hidden, traits).squeeze(-1)
        stage = torch.ops.badger_graph.gru_stage
        return stage(hidden, percept, traits, *self.adjacency, *pack(policy))


def _missing(like: Tensor) -> str | None:
    if like.is_cuda:
        try:
            import triton  # noqa: F401
        except ImportError:
            return "triton on a GPU, got none"
        return None if like.dtype == torch.float32 else f"float32 on a GPU, got {like.dtype}"
    if like.device.type != "cpu":
        return f"a CPU or a CUDA device, got {like.device}"
    if like.dtype not in (torch.float32, torch.float64):
        return f"float32 or float64, got {like.dtype}"
    return library.load()


class Layout(NamedTuple):
    """The weights as the native operators read them, see ``struct Packed`` and ``Reversed`` there.

    Shapes:
        - **forward:** one dimension; gradients of the weights flow through it
        - **backward:** one dimension, the weights once more for the products of the backward pass
    """

    forward: Tensor
    backward: Tensor
    message_size: int
    inner_size: int


class _Memo(NamedTuple):
    own: tuple[Tensor, ...]
    copy: Tensor
    mode: tuple[bool, ...]
    layout: Layout


_memos: WeakKeyDictionary[GRUPolicy, _Memo] = WeakKeyDictionary()


def pack(policy: GRUPolicy) -> Layout:
    """Lay out the weights for the native operators: once for all rounds until they change.

    Whether they did is seen by their values: fused optimisers and ``.data`` change a weight
    without counting it. None of the operations keeps anything for its gradient, so one layout may
    serve any number of backward passes.
    """
    own = policy.weights()
    asks = (weight.requires_grad for weight in own)
    mode = (torch.is_grad_enabled(), torch.is_inference_mode_enabled(), *asks)
    memo = _memos.get(policy)
    if (
        memo is None
        or memo.mode != mode
        or not all(map(operator.is_, memo.own, own))
        or not torch.ops.badger_graph.same(own, memo.copy)
    ):
        copy = torch.cat([weight.detach().flatten() for weight in own])
        memo = _memos[policy] = _Memo(own, copy, mode, _pack(policy, *own))
    return memo.layout


def _pack(policy: GRUPolicy, *own: Tensor) -> Layout:
    w1, b1, w2, b2, w_ih, b_ih, w_hh, b_hh, readout, readout_bias = own
    size = policy.hidden_size
    reset_ih, update_ih, new_ih = b_ih.split(size)
    reset_hh, update_hh, new_hh = b_hh.split(size)
    bias = torch.stack([new_hh, reset_ih + reset_hh, update_ih + update_hh, new_ih])
    by_gate = w_hh.t().unflatten(1, (3, size))  # torch orders the gates reset, update, new
    new_first = torch.cat([by_gate[:, 2:], by_gate[:, :2]], dim=1)
    by_input = w_ih.t().unflatten(1, (3, size))
    forward = [w1.t(), b1, w2.t(), b2, new_first, by_input, bias, readout, readout_bias]
    with torch.no_grad():
        parts = w_ih.split([policy.message_size, policy.percept_size, policy.identifier_size], 1)
        to_input = torch.cat([_pad(_pad_gates(part, size)) for part in parts], dim=1)
        reset_update, new = _pad_gates(w_hh, size).tensor_split([2 * _up(size)])
        backward = [w1, w2, torch.cat([new, reset_update]), to_input]
    return Layout(_join(forward), _join(backward), policy.message_size, len(w1))


def _up(size: int) -> int:
    # PADDED_TO in native/tiles.h
    return -(-size // 16) * 16


def _pad(rows: Tensor) -> Tensor:
    return F.pad(rows, (0, _up(rows.size(-1)) - rows.size(-1)))


def _pad_gates(weight: Tensor, size: int) -> Tensor:
    """``[3 H, K]`` with the H rows of every gate filled up with zeros."""
    return F.pad(weight.unflatten(0, (3, size)), (0, 0, 0, _up(size) - size)).flatten(0, 1)


def _join(rows: list[Tensor]) -> Tensor:
    return torch.cat([_pad(part).flatten() for part in rows])
