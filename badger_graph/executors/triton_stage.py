"""The communication stage of the recurrent policy on a GPU, in Triton.

**Validated in Triton's interpreter, and compiled for devices from Turing to Blackwell, but never
run on one.**

A round of all V experts is two kernels forward and four backward, whatever the degree:

==================  ============================================================================
``_send``           messages of all experts
``_receive``        gather along in-links, gates, next state
``_send``           backward computes the messages again: only states and percepts are kept
``_receive_back``   gather and gates again; gradients of the cell's inputs, state and weights
``_send_back``      gather along out-links, back through the message network and its weights
``sum``             over the weight gradients of the programs
==================  ============================================================================

and one more, ``_coefficient_back``, where the weights of edges learn. A program takes 16 or 32
experts at a time and keeps what it computes for them in registers. Nothing has a row for each
edge, and nothing is added atomically: the same inputs give the same bits.

*Weight gradients.* A program of the backward kernels goes through many blocks of experts, sums in
registers and writes one row of ``partial``, so that this scratch memory grows with the number of
multiprocessors and not with V. Storing the gradients of gates and layers for products by torch
would be simpler, but take 150 MB at V = 100,000 and H = 32, and no fewer launches.

*Sizes.* Any are right; made for H up to 64 and M + P + I up to 64. A program of ``_receive`` and of
the backward kernels serves up to 32 units of the state, other programs (axis 1 of the grid) the
others. Gradients that all units contribute to have a leading axis of so many ``parts``, which is 1
up to H = 32. A program lasts as long as the greatest degree among its experts.

*Precision.* Everything is float32, and products are exact products of float32 (``"ieee"``): no
TF32, whatever torch's global switches say. First derivatives only.

*CUDA graphs.* Nothing here waits for the device or depends on what a tensor holds, but kernels are
compiled at their first call, so that call has to come before the capture. And capture it should
be: Python takes a few tenths of a millisecond for a call, longer than a GPU for a small batch.
"""

# Arguments of kernels are pointers and tiles, which have no type to write down.
# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-decorators

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import triton
import triton.language as tl
from jaxtyping import Float, Int32
from torch import Tensor

# ------------------------------------------------------------------------------ parts of kernels


@triton.jit
def _dot(a, b, total):
    return tl.dot(a, b, total, input_precision="ieee")


@triton.jit
def _tanh(x):
    """Triton has none that its interpreter knows, and exponentials alone lose digits of small x."""
    s = x * x
    near = x * (1 + s * (-1 / 3 + s * (2 / 15 + s * (-17 / 315 + s * (62 / 2835)))))
    decay = tl.exp(-2 * tl.abs(x))
    far = 1 - 2 * decay / (1 + decay)
    return tl.where(s < 0.0625, near, tl.where(x < 0, -far, far))


@triton.jit
def _tile(matrix, rows, rows_ok, cols, cols_ok, width):
    """``matrix[rows, cols]`` of a matrix of some width; 0 where rows or columns are not ok."""
    ok = rows_ok[:, None] & cols_ok[None, :]
    return tl.load(matrix + rows[:, None] * width + cols[None, :], mask=ok, other=0.0)


@triton.jit
def _put(value, matrix, rows, rows_ok, cols, cols_ok, width):
    ok = rows_ok[:, None] & cols_ok[None, :]
    tl.store(matrix + rows[:, None] * width + cols[None, :], value, mask=ok)


@triton.jit
def _nodes(block, nodes, block_nodes: tl.constexpr):
    """The experts of a block, and which of them exist. V * H may not fit into 32 bits."""
    rows = block * block_nodes + tl.arange(0, block_nodes)
    return rows.to(tl.int64), rows < nodes


@triton.jit
def _edges(start, rows, rows_ok):
    """First and last edge of every row, and the greatest number of them."""
    first = tl.load(start + rows, mask=rows_ok, other=0).to(tl.int64)
    last = tl.load(start + rows + 1, mask=rows_ok, other=0).to(tl.int64)
    return first, last, tl.max((last - first).to(tl.int32))


@triton.jit
def _gather(
    values, neighbour, start, coefficient, rows, rows_ok, cols, cols_ok,
    width: tl.constexpr, block: tl.constexpr,
):  # fmt: skip
    """Weighted sum of the neighbours' rows of ``values``, in the order of the edges."""
    first, last, degree = _edges(start, rows, rows_ok)
    total = tl.zeros([rows.shape[0], block], tl.float32)
    # Four edges a turn: their loads do not wait for each other.
    for k in range(0, degree, 4):
        for j in tl.static_range(4):
            edge = first + (k + j)
            ok = edge < last
            other = tl.load(neighbour + edge, mask=ok, other=0).to(tl.int64)
            weight = tl.load(coefficient + edge, mask=ok, other=0.0)
            total += weight[:, None] * _tile(values, other, ok, cols, cols_ok, width)
    return total


@triton.jit
def _message_layer(
    hidden, w1, b1, rows, rows_ok, units,
    hidden_size: tl.constexpr, block_units: tl.constexpr,
):  # fmt: skip
    """``tanh(h W1^T + b1)`` for some units of the hidden layer."""
    ok = units < 2 * hidden_size
    total = tl.zeros([rows.shape[0], units.shape[0]], tl.float32)
    total += tl.load(b1 + units, mask=ok, other=0.0)[None, :]
    for k in range(0, hidden_size, block_units):
        cols = k + tl.arange(0, block_units)
        h = _tile(hidden, rows, rows_ok, cols, cols < hidden_size, hidden_size)
        w = _tile(w1, units, ok, cols, cols < hidden_size, hidden_size)
        total = _dot(h, tl.trans(w), total)
    return _tanh(total)


@triton.jit
def _inputs(
    sent, percept, identifier, source, start, coefficient, rows, rows_ok, first,
    message_size: tl.constexpr, percept_size: tl.constexpr, identifier_size: tl.constexpr,
    block: tl.constexpr,
):  # fmt: skip
    """``[mean message | percept | identifier | 0 ...]``: ``block`` columns, from ``first`` on."""
    cols = first + tl.arange(0, block)
    total = tl.zeros([rows.shape[0], block], tl.float32)
    if first < message_size:
        ok = cols < message_size
        total = _gather(
            sent, source, start, coefficient, rows, rows_ok, cols, ok, message_size, block
        )
    cols -= message_size
    ok = (cols >= 0) & (cols < percept_size)
    total += _tile(percept, rows, rows_ok, cols, ok, percept_size)
    cols -= percept_size
    ok = (cols >= 0) & (cols < identifier_size)
    return total + _tile(identifier, rows, rows_ok, cols, ok, identifier_size)


@triton.jit
def _gates(
    hidden, percept, identifier, source, start, coefficient, w_ih, b_ih, w_hh, b_hh, sent, rows,
    rows_ok, units,
    hidden_size: tl.constexpr, message_size: tl.constexpr, percept_size: tl.constexpr,
    identifier_size: tl.constexpr, block_units: tl.constexpr,
):  # fmt: skip
    """Gates r and z, the candidate n and what r lets pass of the old state, for some units."""
    input_size: tl.constexpr = message_size + percept_size + identifier_size
    ok = units < hidden_size
    z_units, n_units = hidden_size + units, 2 * hidden_size + units
    b_r = tl.load(b_ih + units, mask=ok, other=0.0) + tl.load(b_hh + units, mask=ok, other=0.0)
    b_z = tl.load(b_ih + z_units, mask=ok, other=0.0) + tl.load(b_hh + z_units, mask=ok, other=0.0)
    zeros = tl.zeros([rows.shape[0], units.shape[0]], tl.float32)
    r, z = zeros + b_r[None, :], zeros + b_z[None, :]
    n = zeros + tl.load(b_ih + n_units, mask=ok, other=0.0)[None, :]
    old = zeros + tl.load(b_hh + n_units, mask=ok, other=0.0)[None, :]

    for k in range(0, input_size, block_units):
        cols = k + tl.arange(0, block_units)
        cols_ok = cols < input_size
        x = _inputs(
            sent, percept, identifier, source, start, coefficient, rows, rows_ok, k,
            message_size, percept_size, identifier_size, block_units,
        )  # fmt: skip
        r = _dot(x, tl.trans(_tile(w_ih, units, ok, cols, cols_ok, input_size)), r)
        z = _dot(x, tl.trans(_tile(w_ih, z_units, ok, cols, cols_ok, input_size)), z)
        n = _dot(x, tl.trans(_tile(w_ih, n_units, ok, cols, cols_ok, input_size)), n)

    for k in range(0, hidden_size, block_units):
        cols = k + tl.arange(0, block_units)
        cols_ok = cols < hidden_size
        h = _tile(hidden, rows, rows_ok, cols, cols_ok, hidden_size)
        r = _dot(h, tl.trans(_tile(w_hh, units, ok, cols, cols_ok, hidden_size)), r)
        z = _dot(h, tl.trans(_tile(w_hh, z_units, ok, cols, cols_ok, hidden_size)), z)
        old = _dot(h, tl.trans(_tile(w_hh, n_units, ok, cols, cols_ok, hidden_size)), old)

    r, z = tl.sigmoid(r), tl.sigmoid(z)
    return r, z, _tanh(n + r * old), old


# --------------------------------------------------------------------------------------- kernels


@triton.jit(do_not_specialize=["nodes"])
def _send(
    hidden, w1, b1, w2, b2, sent, nodes,
    hidden_size: tl.constexpr, message_size: tl.constexpr, block_nodes: tl.constexpr,
    block_units: tl.constexpr, block_messages: tl.constexpr,
):  # fmt: skip
    """The message of every expert."""
    rows, rows_ok = _nodes(tl.program_id(0), nodes, block_nodes)
    cols = tl.arange(0, block_messages)
    ok = cols < message_size
    total = tl.zeros([block_nodes, block_messages], tl.float32)
    total += tl.load(b2 + cols, mask=ok, other=0.0)[None, :]
    for k in range(0, 2 * hidden_size, block_units):
        units = k + tl.arange(0, block_units)
        u = _message_layer(hidden, w1, b1, rows, rows_ok, units, hidden_size, block_units)
        w = _tile(w2, cols, ok, units, units < 2 * hidden_size, 2 * hidden_size)
        total = _dot(u, tl.trans(w), total)
    _put(total, sent, rows, rows_ok, cols, ok, message_size)


@triton.jit(do_not_specialize=["nodes"])
def _receive(
    hidden, percept, identifier, source, start, coefficient, w_ih, b_ih, w_hh, b_hh, sent,
    after, nodes,
    hidden_size: tl.constexpr, message_size: tl.constexpr, percept_size: tl.constexpr,
    identifier_size: tl.constexpr, block_nodes: tl.constexpr, block_units: tl.constexpr,
):  # fmt: skip
    """The next state of every expert: ``block_units`` units of it."""
    rows, rows_ok = _nodes(tl.program_id(0), nodes, block_nodes)
    units = tl.program_id(1) * block_units + tl.arange(0, block_units)
    ok = units < hidden_size
    _, z, n, _ = _gates(
        hidden, percept, identifier, source, start, coefficient, w_ih, b_ih, w_hh, b_hh, sent,
        rows, rows_ok, units,
        hidden_size, message_size, percept_size, identifier_size, block_units,
    )  # fmt: skip
    h = _tile(hidden, rows, rows_ok, units, ok, hidden_size)
    _put(n + z * (h - n), after, rows, rows_ok, units, ok, hidden_size)


@triton.jit(do_not_specialize=["nodes"])
def _receive_back(
    grad, hidden, percept, identifier, source, start, coefficient, w_ih, b_ih, w_hh, b_hh, sent,
    d_kept, d_received, d_shown, d_w_ih, d_b_ih, d_w_hh, d_b_hh, partial_size, nodes,
    hidden_size: tl.constexpr, message_size: tl.constexpr, percept_size: tl.constexpr,
    identifier_size: tl.constexpr, block_nodes: tl.constexpr, block_units: tl.constexpr,
    block_hidden: tl.constexpr, block_inputs: tl.constexpr,
):  # fmt: skip
    """What ``block_units`` units pass back to messages, percepts, states and the cell's weights."""
    shown_size: tl.constexpr = percept_size + identifier_size
    input_size: tl.constexpr = message_size + shown_size
    units = tl.program_id(1) * block_units + tl.arange(0, block_units)
    ok = units < hidden_size
    z_units, n_units = hidden_size + units, 2 * hidden_size + units
    all_h, all_x = tl.arange(0, block_hidden), tl.arange(0, block_inputs)
    h_ok, x_ok = all_h < hidden_size, all_x < input_size
    d_w_ir = tl.zeros([block_units, block_inputs], tl.float32)
    d_w_iz = tl.zeros([block_units, block_inputs], tl.float32)
    d_w_in = tl.zeros([block_units, block_inputs], tl.float32)
    d_w_hr = tl.zeros([block_units, block_hidden], tl.float32)
    d_w_hz = tl.zeros([block_units, block_hidden], tl.float32)
    d_w_hn = tl.zeros([block_units, block_hidden], tl.float32)
    d_b_r = tl.zeros([block_units], tl.float32)
    d_b_z = tl.zeros([block_units], tl.float32)
    d_b_in = tl.zeros([block_units], tl.float32)
    d_b_hn = tl.zeros([block_units], tl.float32)

    for block in range(tl.program_id(0), tl.cdiv(nodes, block_nodes), tl.num_programs(0)):
        rows, rows_ok = _nodes(block, nodes, block_nodes)
        r, z, n, old = _gates(
            hidden, percept, identifier, source, start, coefficient, w_ih, b_ih, w_hh, b_hh, sent,
            rows, rows_ok, units,
            hidden_size, message_size, percept_size, identifier_size, block_units,
        )  # fmt: skip
        g = _tile(grad, rows, rows_ok, units, ok, hidden_size)
        h = _tile(hidden, rows, rows_ok, units, ok, hidden_size)
        # Rows and units that do not exist have g = 0, so everything below is 0 for them.
        d_z = g * (h - n) * z * (1 - z)
        d_n = g * (1 - z) * (1 - n * n)
        d_r = d_n * old * r * (1 - r)
        d_old = d_n * r

        part = rows + tl.program_id(1).to(tl.int64) * nodes
        for k in range(0, input_size, block_units):
            cols = k + tl.arange(0, block_units)
            cols_ok = cols < input_size
            d_x = tl.zeros([block_nodes, block_units], tl.float32)
            d_x = _dot(d_r, _tile(w_ih, units, ok, cols, cols_ok, input_size), d_x)
            d_x = _dot(d_z, _tile(w_ih, z_units, ok, cols, cols_ok, input_size), d_x)
            d_x = _dot(d_n, _tile(w_ih, n_units, ok, cols, cols_ok, input_size), d_x)
            _put(d_x, d_received, part, rows_ok, cols, cols < message_size, message_size)
            shown_ok = cols_ok & (cols >= message_size)
            _put(d_x, d_shown, part, rows_ok, cols - message_size, shown_ok, shown_size)

        for k in range(0, hidden_size, block_units):
            cols = k + tl.arange(0, block_units)
            cols_ok = cols < hidden_size
            d_h = tl.where(cols[None, :] == units[None, :], g * z, 0.0)
            d_h = _dot(d_r, _tile(w_hh, units, ok, cols, cols_ok, hidden_size), d_h)
            d_h = _dot(d_z, _tile(w_hh, z_units, ok, cols, cols_ok, hidden_size), d_h)
            d_h = _dot(d_old, _tile(w_hh, n_units, ok, cols, cols_ok, hidden_size), d_h)
            _put(d_h, d_kept, part, rows_ok, cols, cols_ok, hidden_size)

        x = _inputs(
            sent, percept, identifier, source, start, coefficient, rows, rows_ok, 0,
            message_size, percept_size, identifier_size, block_inputs,
        )  # fmt: skip
        d_w_ir = _dot(tl.trans(d_r), x, d_w_ir)
        d_w_iz = _dot(tl.trans(d_z), x, d_w_iz)
        d_w_in = _dot(tl.trans(d_n), x, d_w_in)
        whole = _tile(hidden, rows, rows_ok, all_h, h_ok, hidden_size)
        d_w_hr = _dot(tl.trans(d_r), whole, d_w_hr)
        d_w_hz = _dot(tl.trans(d_z), whole, d_w_hz)
        d_w_hn = _dot(tl.trans(d_old), whole, d_w_hn)
        d_b_r += tl.sum(d_r, 0)
        d_b_z += tl.sum(d_z, 0)
        d_b_in += tl.sum(d_n, 0)
        d_b_hn += tl.sum(d_old, 0)

    mine = tl.program_id(0).to(tl.int64) * partial_size
    _put(d_w_ir, d_w_ih + mine, units, ok, all_x, x_ok, input_size)
    _put(d_w_iz, d_w_ih + mine, z_units, ok, all_x, x_ok, input_size)
    _put(d_w_in, d_w_ih + mine, n_units, ok, all_x, x_ok, input_size)
    _put(d_w_hr, d_w_hh + mine, units, ok, all_h, h_ok, hidden_size)
    _put(d_w_hz, d_w_hh + mine, z_units, ok, all_h, h_ok, hidden_size)
    _put(d_w_hn, d_w_hh + mine, n_units, ok, all_h, h_ok, hidden_size)
    tl.store(d_b_ih + mine + units, d_b_r, mask=ok)
    tl.store(d_b_hh + mine + units, d_b_r, mask=ok)
    tl.store(d_b_ih + mine + z_units, d_b_z, mask=ok)
    tl.store(d_b_hh + mine + z_units, d_b_z, mask=ok)
    tl.store(d_b_ih + mine + n_units, d_b_in, mask=ok)
    tl.store(d_b_hh + mine + n_units, d_b_hn, mask=ok)


@triton.jit(do_not_specialize=["nodes"])
def _send_back(
    hidden, hearer, hearer_start, hearer_coefficient, w1, b1, w2, d_received, d_kept, d_hidden,
    d_w1, d_b1, d_w2, d_b2, partial_size, nodes,
    hidden_size: tl.constexpr, message_size: tl.constexpr, block_nodes: tl.constexpr,
    block_units: tl.constexpr, block_hidden: tl.constexpr, block_messages: tl.constexpr,
):  # fmt: skip
    """What ``2 * block_units`` units of the message network pass back to states and weights.

    The gradient of the states comes on top of ``d_kept``, what reached them through the cell.
    """
    units = tl.program_id(1) * 2 * block_units + tl.arange(0, 2 * block_units)
    ok = units < 2 * hidden_size
    messages, all_h = tl.arange(0, block_messages), tl.arange(0, block_hidden)
    m_ok, h_ok = messages < message_size, all_h < hidden_size
    total_w1 = tl.zeros([2 * block_units, block_hidden], tl.float32)
    total_b1 = tl.zeros([2 * block_units], tl.float32)
    total_w2 = tl.zeros([block_messages, 2 * block_units], tl.float32)
    total_b2 = tl.zeros([block_messages], tl.float32)

    for block in range(tl.program_id(0), tl.cdiv(nodes, block_nodes), tl.num_programs(0)):
        rows, rows_ok = _nodes(block, nodes, block_nodes)
        d_m = _gather(
            d_received, hearer, hearer_start, hearer_coefficient, rows, rows_ok,
            messages, m_ok, message_size, block_messages,
        )  # fmt: skip
        u = _message_layer(hidden, w1, b1, rows, rows_ok, units, hidden_size, block_units)
        d_u = tl.zeros([block_nodes, 2 * block_units], tl.float32)
        d_u = _dot(d_m, _tile(w2, messages, m_ok, units, ok, 2 * hidden_size), d_u)
        d_u *= 1 - u * u

        part = rows + tl.program_id(1).to(tl.int64) * nodes
        for k in range(0, hidden_size, block_units):
            cols = k + tl.arange(0, block_units)
            cols_ok = cols < hidden_size
            d_h = _tile(d_kept, part, rows_ok, cols, cols_ok, hidden_size)
            d_h = _dot(d_u, _tile(w1, units, ok, cols, cols_ok, hidden_size), d_h)
            _put(d_h, d_hidden, part, rows_ok, cols, cols_ok, hidden_size)

        h = _tile(hidden, rows, rows_ok, all_h, h_ok, hidden_size)
        total_w1 = _dot(tl.trans(d_u), h, total_w1)
        total_w2 = _dot(tl.trans(d_m), u, total_w2)
        total_b1 += tl.sum(d_u, 0)
        total_b2 += tl.sum(d_m, 0)

    mine = tl.program_id(0).to(tl.int64) * partial_size
    _put(total_w1, d_w1 + mine, units, ok, all_h, h_ok, hidden_size)
    _put(total_w2, d_w2 + mine, messages, m_ok, units, ok, 2 * hidden_size)
    tl.store(d_b1 + mine + units, total_b1, mask=ok)
    if tl.program_id(1) == 0:
        tl.store(d_b2 + mine + messages, total_b2, mask=m_ok)


@triton.jit(do_not_specialize=["nodes"])
def _coefficient_back(
    source, start, sent, d_received, d_coefficient, nodes,
    message_size: tl.constexpr, block_nodes: tl.constexpr, block_messages: tl.constexpr,
):  # fmt: skip
    """For every edge, the product of its message and the gradient of what its target received."""
    rows, rows_ok = _nodes(tl.program_id(0), nodes, block_nodes)
    cols = tl.arange(0, block_messages)
    cols_ok = cols < message_size
    d_a = _tile(d_received, rows, rows_ok, cols, cols_ok, message_size)
    first, last, degree = _edges(start, rows, rows_ok)
    for k in range(degree):
        edge = first + k
        ok = edge < last
        other = tl.load(source + edge, mask=ok, other=0).to(tl.int64)
        message = _tile(sent, other, ok, cols, cols_ok, message_size)
        tl.store(d_coefficient + edge, tl.sum(message * d_a, 1), mask=ok)


# --------------------------------------------------------------------------------------- launches


class Inputs(NamedTuple):
    """The arguments of :func:`gru_stage`.

    Attributes:
        source: who is heard, edge by edge, ordered by who hears.
        start: where the edges of every expert that hears begin in ``source``, and their end.
        coefficient: weight of an edge over the number of its target's edges.
        hearer: who hears, edge by edge, ordered by who is heard.
        hearer_start: where the edges of every expert that is heard begin in ``hearer``.
        hearer_coefficient: the coefficients in the order of ``hearer``; their gradient is
            ``coefficient``'s.
    """

    hidden: Float[Tensor, "V H"]
    percept: Float[Tensor, "V P"]
    identifier: Float[Tensor, "V I"]
    source: Int32[Tensor, " E"]
    start: Int32[Tensor, " V+1"]
    coefficient: Float[Tensor, " E"]
    hearer: Int32[Tensor, " E"]
    hearer_start: Int32[Tensor, " V+1"]
    hearer_coefficient: Float[Tensor, " E"]
    w1: Float[Tensor, "2*H H"]
    b1: Float[Tensor, " 2*H"]
    w2: Float[Tensor, "M 2*H"]
    b2: Float[Tensor, " M"]
    w_ih: Float[Tensor, "3*H M+P+I"]
    b_ih: Float[Tensor, " 3*H"]
    w_hh: Float[Tensor, "3*H H"]
    b_hh: Float[Tensor, " 3*H"]

    @property
    def weights(self) -> tuple[Tensor, ...]:
        return self[9:]

    @property
    def shown_size(self) -> int:
        return self.percept.size(1) + self.identifier.size(1)

    def dense(self) -> Inputs:
        return Inputs(*(tensor.contiguous() for tensor in self))


class _Plan:
    """Sizes of blocks and grids: what shapes and the device tell, and nothing else.

    Without tensor cores a thread holds all operands of its inner products, so registers decide.
    In the machine code for H = 32, blocks of 32 experts in backward, or 8 warps with longer inner
    products than 32, spill up to 8 kB a thread; with these numbers it is 0 to 216 bytes, and
    forward at most 8. Stages would prefetch weights, which are cached, and take shared memory.
    """

    def __init__(self, x: Inputs) -> None:
        self.nodes, hidden = x.hidden.shape
        message = x.b2.size(0)
        # In the interpreter: few enough for a program to serve several blocks.
        processors = (
            torch.cuda.get_device_properties(x.hidden.device).multi_processor_count
            if x.hidden.is_cuda
            else 2
        )
        units = min(_side(hidden), 32)
        self.parts = -(-hidden // units)
        # Small blocks as long as there are not enough experts to keep all processors busy.
        block, block_back = 16 if self.nodes < 32 * processors else 32, 16
        self.blocks = -(-self.nodes // block)
        self.programs = min(-(-self.nodes // block_back), max(processors // self.parts, 1))
        self.forward: dict[str, Any] = {"block_nodes": block, "num_warps": 8, "num_stages": 1}
        self.backward: dict[str, Any] = {
            "block_nodes": block_back,
            "block_hidden": _side(hidden),
            "num_warps": 16,
            "num_stages": 1,
        }
        self.send = {
            "hidden_size": hidden,
            "message_size": message,
            "block_units": units,
            "block_messages": _side(message),
        }
        self.receive = {
            "hidden_size": hidden,
            "message_size": message,
            "percept_size": x.percept.size(1),
            "identifier_size": x.identifier.size(1),
            "block_units": units,
        }
        self.block_inputs = _side(message + x.shown_size)


def _side(size: int) -> int:
    """Sides of tiles are powers of two, and at least 16 for products."""
    return max(1 << (size - 1).bit_length(), 16)


_INDICES = {"source", "start", "hearer", "hearer_start"}


def _check(inputs: tuple[Tensor, ...]) -> Inputs:
    """What the kernels read, packed; refused where it is not what they index by."""
    x = Inputs(*inputs)
    for name, rank in (("hidden", 2), ("percept", 2), ("identifier", 2), ("source", 1), ("b2", 1)):
        tensor = getattr(x, name)
        if tensor.dim() != rank:
            raise ValueError(f"{name} must have {rank} dimensions, got {tensor.dim()}")
    (nodes, size), (edges,), (message,) = x.hidden.shape, x.source.shape, x.b2.shape
    shapes: tuple[tuple[int, ...], ...] = (
        (nodes, size), (nodes, x.percept.size(1)), (nodes, x.identifier.size(1)),
        (edges,), (nodes + 1,), (edges,), (edges,), (nodes + 1,), (edges,),
        (2 * size, size), (2 * size,), (message, 2 * size), (message,),
        (3 * size, message + x.shown_size), (3 * size,), (3 * size, size), (3 * size,),
    )  # fmt: skip
    for name, tensor, shape in zip(x._fields, x, shapes, strict=True):
        dtype = torch.int32 if name in _INDICES else torch.float32
        if tensor.dtype != dtype:
            raise ValueError(f"{name} must be {dtype} in this stage, got {tensor.dtype}")
        if tensor.shape != shape:
            raise ValueError(f"{name} must have shape {tuple(shape)}, got {tuple(tensor.shape)}")
        if tensor.device != x.hidden.device:
            raise ValueError(
                f"{name} must be on the device of hidden, {x.hidden.device}, got {tensor.device}"
            )
    return x.dense()


def _messages(x: Inputs, plan: _Plan) -> Tensor:
    sent = x.hidden.new_empty(plan.nodes, x.b2.size(0))
    _send[(plan.blocks,)](
        x.hidden, x.w1, x.b1, x.w2, x.b2, sent, plan.nodes, **plan.send, **plan.forward
    )
    return sent


def _after(*inputs: Tensor) -> Tensor:
    """The next states."""
    x = _check(inputs)
    plan = _Plan(x)
    after = torch.empty_like(x.hidden)
    # Triton launches on the current device and in its current stream.
    with torch.cuda.device_of(x.hidden):
        sent = _messages(x, plan)
        _receive[(plan.blocks, plan.parts)](
            x.hidden, x.percept, x.identifier, x.source, x.start, x.coefficient,
            x.w_ih, x.b_ih, x.w_hh, x.b_hh, sent, after, plan.nodes,
            **plan.receive, **plan.forward,
        )  # fmt: skip
    return after


def _gradients(
    grad: Tensor, learns_coefficient: bool, *inputs: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gradients of states, of percept and identifier, of coefficients and of all weights."""
    x, grad = _check(inputs), grad.contiguous()
    if (grad.shape, grad.dtype) != (x.hidden.shape, x.hidden.dtype):
        raise ValueError(
            f"grad must have shape {tuple(x.hidden.shape)} and be {x.hidden.dtype}, "
            f"got {tuple(grad.shape)} and {grad.dtype}"
        )
    plan = _Plan(x)
    nodes, parts = plan.nodes, plan.parts
    d_kept, d_hidden = (grad.new_empty(parts, *grad.shape) for _ in range(2))
    d_received = grad.new_empty(parts, nodes, x.b2.size(0))
    d_shown = grad.new_empty(parts, nodes, x.shown_size)
    d_coefficient = grad.new_empty(x.coefficient.size(0) if learns_coefficient else 0)
    numbers = [weight.numel() for weight in x.weights]
    partial = grad.new_empty(plan.programs, sum(numbers))
    d_w1, d_b1, d_w2, d_b2, *d_cell = partial.split(numbers, dim=1)
    with torch.cuda.device_of(x.hidden):
        sent = _messages(x, plan)
        _receive_back[(plan.programs, parts)](
            grad, x.hidden, x.percept, x.identifier, x.source, x.start, x.coefficient,
            x.w_ih, x.b_ih, x.w_hh, x.b_hh, sent, d_kept, d_received, d_shown,
            *d_cell, partial.size(1), nodes,
            block_inputs=plan.block_inputs, **plan.receive, **plan.backward,
        )  # fmt: skip
        d_received = _sum_parts(d_received)
        _send_back[(plan.programs, parts)](
            x.hidden, x.hearer, x.hearer_start, x.hearer_coefficient, x.w1, x.b1, x.w2,
            d_received, d_kept, d_hidden, d_w1, d_b1, d_w2, d_b2, partial.size(1), nodes,
            **plan.send, **plan.backward,
        )  # fmt: skip
        if learns_coefficient:
            _coefficient_back[(plan.blocks,)](
                x.source, x.start, sent, d_received, d_coefficient, nodes,
                message_size=x.b2.size(0), block_messages=plan.send["block_messages"],
                **plan.forward,
            )  # fmt: skip
        return _sum_parts(d_hidden), _sum_parts(d_shown), d_coefficient, partial.sum(0)


def _sum_parts(parts: Tensor) -> Tensor:
    return parts[0] if len(parts) == 1 else parts.sum(0)


# -------------------------------------------------------------------------------------- operators

_TENSORS = ", ".join(f"Tensor {name}" for name in Inputs._fields)

_stage = torch.library.custom_op(
    "badger_graph::gru_stage_triton", _after, mutates_args=(), schema=f"({_TENSORS}) -> Tensor"
)
_stage_backward = torch.library.custom_op(
    "badger_graph::gru_stage_triton_backward",
    _gradients,
    mutates_args=(),
    schema=f"(Tensor grad, bool learns_coefficient, {_TENSORS}) "
    "-> (Tensor, Tensor, Tensor, Tensor)",
)


@_stage.register_fake
def _(*inputs: Tensor) -> Tensor:
    return torch.empty_like(inputs[0], memory_format=torch.contiguous_format)


@_stage_backward.register_fake
def _(
    grad: Tensor, learns_coefficient: bool, *inputs: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    x = Inputs(*inputs)
    return (
        torch.empty_like(x.hidden, memory_format=torch.contiguous_format),
        grad.new_empty(x.hidden.size(0), x.shown_size),
        grad.new_empty(x.coefficient.size(0) if learns_coefficient else 0),
        grad.new_empty(sum(weight.numel() for weight in x.weights)),
    )


def _keep(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _back(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    x = Inputs(*ctx.saved_tensors)
    learns_coefficient = ctx.needs_input_grad[x._fields.index("coefficient")]
    d_hidden, d_shown, d_coefficient, d_all = _stage_backward(grad, learns_coefficient, *x)
    d_percept, d_identifier = d_shown.split([x.percept.size(1), x.identifier.size(1)], dim=1)
    d_weights = d_all.split([weight.numel() for weight in x.weights])
    return (
        d_hidden, d_percept, d_identifier,
        None, None, d_coefficient if learns_coefficient else None, None, None, None,
        *(gradient.view_as(weight) for gradient, weight in zip(d_weights, x.weights, strict=True)),
    )  # fmt: skip


_stage.register_autograd(_back, setup_context=_keep)


def gru_stage(*inputs: Tensor) -> Float[Tensor, "V H"]:
    r"""One communication round of :class:`~badger_graph.policies.GRUPolicy` for all experts.

    .. math::
        m_j = W_2 \tanh(W_1 h_j + b_1) + b_2, \qquad
        h_i' = \mathrm{GRU}\Big(\big[\textstyle\sum_{j \to i} c_{ji} m_j,\, p_i\big],\, h_i\Big)

    Gradients reach states, percepts, identifiers, weights and ``coefficient``.

    Args:
        inputs: in the order of :class:`Inputs`.

    Raises:
        ValueError: when a tensor has another type, shape or device than it has to have. What
            indices hold is not looked at: that would wait for the device.
    """
    return _stage(*inputs)
