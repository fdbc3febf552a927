"""The same maths in JAX: what a user who wants speed picks instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, final

import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch
from torch import Tensor

from badger_graph.tasks import GuessingTask
from benchmarks.sizes import Sizes

BLOCKS_UP_TO = 64
"""Experts per agent up to which a matrix for each agent beats a table of in-neighbours."""

Weights = dict[str, Any]
"""The policy's parameters under their names in torch."""


@final
class JaxScan:
    """``jit`` over the whole outer step, sampling and Adam included, ``lax.scan`` over inner steps.

    Written to be fast: messages are computed once for each expert, and what identifiers and roles
    add to the gates once for each rollout. The mean over in-neighbours is a product with one
    matrix for each agent where agents are small, and a gather where they are large. Others were
    measured on two Zen 4 cores: ``segment_sum`` is as fast as the gather to within 8% with 16,
    10,000 and 100,000 experts, a matrix that all agents share, merged weight matrices or an
    unrolled scan gain nothing that can be told from noise.

    Args:
        sizes: of the rollout.
        remat: compute an inner step again in the backward pass (``jax.checkpoint``).
    """

    def __init__(self, sizes: Sizes, remat: bool) -> None:
        policy = sizes.agent().policy
        weights = {name: _array(value) for name, value in policy.named_parameters()}
        loss, optimizer = make_loss(sizes, remat), optax.adam(3e-3)

        def outer_step(state: tuple[Weights, Any, Any]) -> tuple[Weights, Any, Any]:
            weights, moments, key = state
            key, used = jax.random.split(key)
            shape = (sizes.batch_size, sizes.num_outputs)
            gradient = jax.grad(loss)(weights, jax.random.uniform(used, shape, minval=-1.0))
            change, moments = optimizer.update(gradient, moments)
            return optax.apply_updates(weights, change), moments, key

        self._state = (weights, optimizer.init(weights), jax.random.key(0))
        self._loss = jax.jit(loss)
        self._loss_and_gradient = jax.jit(jax.value_and_grad(loss))
        self._outer_step = jax.jit(outer_step)

    def loss(self, task: GuessingTask) -> float:
        return float(self._loss(self._state[0], _array(task.target)))

    def loss_and_gradient(self, task: GuessingTask) -> tuple[float, Tensor]:
        weights, _, _ = self._state
        loss, gradient = self._loss_and_gradient(weights, _array(task.target))
        flat = np.concatenate([np.asarray(gradient[name]).ravel() for name in sorted(gradient)])
        return float(loss), torch.from_numpy(flat)

    def outer_step(self) -> None:
        self._state = jax.block_until_ready(self._outer_step(self._state))


def make_loss(sizes: Sizes, remat: bool) -> Callable[[Weights, Any], Any]:
    """The loss of a rollout as a function of the weights and the targets ``[B, d]``."""
    agents, experts = sizes.batch_size, sizes.num_experts
    outputs, steps = sizes.num_outputs, sizes.num_steps
    message = sizes.message_size
    mean_received = make_mean_received(sizes)
    identifier = _array(sizes.agent().reset(1, experts, outputs).identifier)
    others = (0, experts - outputs)
    role = jnp.pad(jnp.ones(outputs), others)

    def loss(weights: Weights, target: Any) -> Any:
        # Rows of the input matrix: message, feedback, output feedback (none), action, role,
        # identifier.
        into_gates = weights["cell.weight_ih"].T
        static = role[:, None] * into_gates[message + 3] + identifier @ into_gates[message + 4 :]
        static += weights["cell.bias_ih"]
        moving = jnp.concatenate([into_gates[: message + 1], into_gates[message + 2][None]])

        def step(carry: tuple[Any, Any], _: None) -> tuple[tuple[Any, Any], Any]:
            hidden, action = carry
            feedback = ((action - target) ** 2).mean(axis=1, keepdims=True)
            percept = jnp.stack(
                [jnp.broadcast_to(feedback, (agents, experts)), jnp.pad(action, ((0, 0), others))],
                axis=-1,
            )
            received = mean_received(_message(weights, hidden))
            inputs = jnp.concatenate([received, percept], axis=-1) @ moving + static
            hidden = _gru(weights, inputs, hidden)
            spoken = hidden[:, :outputs] @ weights["readout.weight"].T + weights["readout.bias"]
            action = spoken[..., 0]
            return (hidden, action), ((action - target) ** 2).mean()

        newborn = jnp.zeros((agents, experts, sizes.hidden_size)), jnp.zeros((agents, outputs))
        _, losses = jax.lax.scan(
            jax.checkpoint(step) if remat else step, newborn, None, length=steps
        )
        return losses[steps // 2 :].mean()

    return loss


def make_mean_received(sizes: Sizes) -> Callable[[Any], Any]:
    """The mean over in-neighbours of messages ``[B, N, M]``, every expert having k of them."""
    born = sizes.agent().reset(1, sizes.num_experts, sizes.num_outputs)
    heard = born.edges.index[0].view(-1, sizes.k).numpy()  # edges are ordered by target
    if sizes.num_experts <= BLOCKS_UP_TO:
        block = np.zeros((sizes.num_experts, sizes.num_experts), np.float32)
        np.put_along_axis(block, heard, 1 / sizes.k, axis=1)
        blocks = jnp.asarray(np.tile(block, (sizes.batch_size, 1, 1)))
        return lambda messages: blocks @ messages
    offsets = np.arange(sizes.batch_size)[:, None, None] * sizes.num_experts
    table = jnp.asarray((heard + offsets).astype(np.int32))
    return lambda messages: messages.reshape(-1, sizes.message_size)[table].mean(axis=2)


def _message(weights: Weights, hidden: Any) -> Any:
    inner = hidden @ weights["message_mlp.0.weight"].T + weights["message_mlp.0.bias"]
    return jnp.tanh(inner) @ weights["message_mlp.2.weight"].T + weights["message_mlp.2.bias"]


def _gru(weights: Weights, inputs: Any, hidden: Any) -> Any:
    size = hidden.shape[-1]
    recurrent = hidden @ weights["cell.weight_hh"].T + weights["cell.bias_hh"]
    gates = jax.nn.sigmoid(inputs[..., : 2 * size] + recurrent[..., : 2 * size])
    reset, keep = gates[..., :size], gates[..., size:]
    candidate = jnp.tanh(inputs[..., 2 * size :] + reset * recurrent[..., 2 * size :])
    return candidate + keep * (hidden - candidate)


def _array(tensor: Tensor) -> Any:
    return jnp.asarray(tensor.detach().numpy())
