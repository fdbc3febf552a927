"""What the parts of an agent hand to each other, and what a user hands to it: checked by shape."""

from __future__ import annotations

from typing import Any, NoReturn, TypeGuard

import torch
from torch import Tensor
from torch_geometric.data import Batch

from badger_graph.products import Ports
from badger_graph.typing import Interface, Observation
from topologies.checks import brief


def fits(
    value: Any, shape: tuple[int, ...], like: Tensor, lower_precision: bool = False
) -> TypeGuard[Tensor]:
    """Whether it is a tensor of that shape, and of the type and on the device of another one.

    Args:
        lower_precision: also accept types that become that of ``like`` beside it.
    """
    return (
        isinstance(value, Tensor)
        and value.shape == shape
        and value.device == like.device
        and (
            value.dtype == like.dtype
            or torch.is_autocast_enabled(like.device.type)
            or (lower_precision and torch.promote_types(value.dtype, like.dtype) == like.dtype)
        )
    )


def refuse(name: str, value: Any, shape: tuple[int, ...], like: Tensor) -> NoReturn:
    """Say what was expected in its place.

    Raises:
        ValueError: always.
    """
    description = type(value).__name__
    if isinstance(value, Tensor):
        description = f"{list(value.shape)} of {value.dtype} on {value.device}"
    raise ValueError(
        f"{name} must be {list(shape)} of {like.dtype} on {like.device}, got {description}"
    )


_ATTRIBUTES = (
    *("hidden", "identifier", "kind", "edge_index", "edge_weight"),
    *("address", "input_address", "score", "action"),
)


def check_graph(
    graph: Batch,
    identifier_size: int,
    hidden_size: int,
    address_size: int,
    num_kinds: int,
    like: Tensor,
) -> None:
    """Refuse living agents that are not an agent's: of other sizes, kinds, precision or device.

    Args:
        like: a weight of the agent.

    Raises:
        ValueError: naming the attribute of the graph.
    """
    missing = [name for name in _ATTRIBUTES if getattr(graph, name, None) is None]
    if missing:
        raise ValueError(
            f"living agents must be a graph with {', '.join(_ATTRIBUTES)}, as to_pyg makes it of "
            f"a life, got a {type(graph).__name__} without {', '.join(missing)}"
        )
    kind = graph.kind
    whole = isinstance(kind, Tensor) and kind.dim() == 1 and kind.dtype == torch.int64
    if not whole or not ((kind >= 0) & (kind < num_kinds)).all():
        raise ValueError(
            f"kind [V] of living agents must be whole numbers from 0 to {num_kinds - 1} of "
            f"torch.int64, got {kind.unique().tolist() if whole else brief(kind)}"
        )
    batch_size, nodes = graph.num_graphs, len(kind)
    outputs, inputs = _number(graph.action), _number(graph.input_address)
    if batch_size < 1 or nodes % batch_size:
        raise ValueError(
            f"all of {batch_size} living agents must have as many experts, got {nodes} together"
        )
    for name, letters, shape in (
        ("action", "B, d", (batch_size, outputs)),
        ("score", "B, d", (batch_size, outputs)),
        ("hidden", "V, H", (nodes, hidden_size)),
        ("identifier", "V, I", (nodes, identifier_size)),
        ("address", "B, d, A", (batch_size, outputs, address_size)),
        ("input_address", "B, n, A", (batch_size, inputs, address_size)),
    ):
        if not fits(value := getattr(graph, name), shape, like):
            refuse(f"{name} [{letters}] of living agents", value, shape, like)


def check_observation(
    observation: Observation, interface: Interface, counts: tuple[int, int, int], like: Tensor
) -> Observation:
    """Refuse what a task shows if it is not of this interface and these agents.

    Args:
        counts: of agents B, of outputs d and inputs n of each.
        like: the agents' states.

    Returns:
        It, in the agents' precision where it comes in a lower one.

    Raises:
        ValueError: naming the field.
    """
    if not isinstance(observation, Observation):
        raise ValueError(f"a task must show an Observation, got a {type(observation).__name__}")
    batch_size, num_outputs, num_inputs = counts
    for name, value, shape in (
        ("feedback [B, F]", observation.feedback, (batch_size, interface.feedback)),
        ("inputs [B, n, X]", observation.inputs, (batch_size, num_inputs, interface.input)),
        ("outputs [B, d, Y]", observation.outputs, (batch_size, num_outputs, interface.output)),
    ):
        if not fits(value, shape, like, lower_precision=True):
            refuse(f"the {name} of an observation", value, shape, like)
    return Observation(*(widen(value, like) for value in observation))


def widen(value: Tensor, like: Tensor) -> Tensor:
    """A tensor in the precision of another one, if that is the higher."""
    if value.dtype == like.dtype or torch.promote_types(value.dtype, like.dtype) != like.dtype:
        return value
    return value.to(like.dtype)


def check_percept(
    membrane: object,
    size: int | tuple[int, ...],
    percept: Any,
    hidden: Tensor,
    action: Tensor,
) -> None:
    """Refuse what a membrane shows if it is not of the ``percept_size`` that it says.

    Raises:
        ValueError: naming the membrane. Containers that only a user's own policy knows pass.
    """
    if isinstance(percept, Ports) and isinstance(size, tuple):
        (batch_size, num_outputs), (key, value) = action.shape, size
        senders = percept.keys.shape[-2:-1]
        for name, part, shape in (
            ("keys [B, P, K]", percept.keys, (batch_size, *senders, key)),
            ("values [B, P, H]", percept.values, (batch_size, *senders, value)),
            ("queries [B, d, K]", percept.queries, (batch_size, num_outputs, key)),
        ):
            if not fits(part, shape, hidden):
                what = f"the {name} that a {type(membrane).__name__} shows"
                refuse(f"{what} by its percept_size={size}", part, shape, hidden)
    elif isinstance(percept, Tensor) or isinstance(size, int):
        shape = (hidden.size(0), size if isinstance(size, int) else sum(size))
        if not fits(percept, shape, hidden):
            what = f"the percept [V, P] that a {type(membrane).__name__} shows"
            refuse(f"{what} by its percept_size={size}", percept, shape, hidden)


def check_hidden(policy: object, after: Any, before: Tensor) -> None:
    """Refuse next states that cannot be states of the same experts.

    Raises:
        ValueError: naming the policy.
    """
    if not fits(after, before.shape, before):
        refuse(f"the next states [V, H] of a {type(policy).__name__}", after, before.shape, before)


def check_action(membrane: object, action: Any, hidden: Tensor, before: Tensor) -> None:
    """Refuse what is not one number for each output of every agent.

    Raises:
        ValueError: naming the membrane.
    """
    if not fits(action, before.shape, hidden):
        what = f"the action [B, d] that a {type(membrane).__name__} makes of what experts say"
        refuse(what, action, before.shape, hidden)


def _number(value: Any) -> int:
    """How many ports there are; any number will do, of a tensor that has one."""
    return value.size(1) if isinstance(value, Tensor) and value.dim() > 1 else 1
