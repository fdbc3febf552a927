"""What the figures of an agent are drawn from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

Record = Mapping[str, NDArray[Any]]
"""What ``rollouts.npz`` holds: R rollouts of one agent of N experts over T inner steps.

==============  ================  ==================================================
``action``      ``[T, R, d]``     what the agent answered after each inner step
``target``      ``[R, d]``        what it should have answered
``loss``        ``[T, R]``        the error of each action
``message``     ``[T, R, N, M]``  what each expert sent
``hidden``      ``[T, R, N, H]``  the state of each expert
``edge_index``  ``[2, E]``        source and target of each edge
``edge_weight`` ``[E]``           its weight
==============  ================  ==================================================

Expert ``j < d`` speaks for output ``j`` and has its colour in every figure.
"""

SHAPES = {
    "action": "T R d",
    "target": "R d",
    "loss": "T R",
    "message": "T R N M",
    "hidden": "T R N H",
    "edge_index": "2 E",
    "edge_weight": "E",
}


def check(record: Record) -> None:
    """Raise a ValueError when the record is not what ``Record`` says."""
    missing = [name for name in SHAPES if name not in record]
    if missing:
        raise ValueError(f"a record needs {list(SHAPES)}, missing {missing}")
    sizes = {"2": 2}
    for name, letters in SHAPES.items():
        _check_shape(name, letters.split(), record[name].shape, sizes)
    for letter in "TRdN":
        if sizes[letter] == 0:
            raise ValueError(f"a record needs {letter} of at least 1, got 0")
    index, num_experts = record["edge_index"], sizes["N"]
    if index.size and not 0 <= index.min() <= index.max() < num_experts:
        raise ValueError(
            f"edges must join the experts 0 to {num_experts - 1} of one agent, "
            f"got {index.min()} to {index.max()}"
        )


def _check_shape(
    name: str, letters: list[str], shape: tuple[int, ...], sizes: dict[str, int]
) -> None:
    """Compare with the sizes that are known, and learn the others."""
    fits = len(shape) == len(letters) and all(
        sizes.setdefault(letter, size) == size for letter, size in zip(letters, shape, strict=True)
    )
    if not fits:
        known_sizes = {letter: sizes[letter] for letter in letters if letter in sizes}
        raise ValueError(
            f"{name} must have the shape [{', '.join(letters)}] with {known_sizes}, got {shape}"
        )


def liveliest_channels(message: Float[np.ndarray, "T R N M"]) -> Int[np.ndarray, " M"]:
    """The channels of the messages, the one that varies most first."""
    spread = finite(message).std(axis=(0, 1, 2))
    return np.argsort(-spread, kind="stable")


def finite(values: NDArray[Any]) -> NDArray[np.float64]:
    """The values with zeros where they are not finite."""
    return np.nan_to_num(values.astype(np.float64), posinf=0.0, neginf=0.0)
