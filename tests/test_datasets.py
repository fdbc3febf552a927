"""Real tables, and a user's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from properties import assert_refused

from badger_graph.datasets import DATASETS, FASHION, load_dataset

SHAPES = {
    "iris": (150, 4, 3),
    "wine": (178, 13, 3),
    "breast_cancer": (569, 30, 2),
    "digits": (1797, 64, 10),
    "diabetes": (442, 10, 0),
    "mnist_7x7": (5000, 49, 10),
    "mnist_28x28": (5000, 784, 10),
    "phishing": (1250, 9, 2),
    "image_segments": (2310, 18, 7),
    "two_moons": (2000, 2, 2),
    "xor": (2000, 2, 2),
    "circles": (2000, 2, 2),
}


@pytest.mark.parametrize("name", SHAPES)
def test_tables_are_what_they_are_known_to_be(name: str) -> None:
    table = load_dataset(name)
    assert (*table.inputs.shape, table.num_classes) == SHAPES[name]
    assert np.isfinite(table.inputs).all()
    if table.num_classes:
        assert set(table.target) == set(range(table.num_classes))


def test_small_images_are_means_of_squares() -> None:
    small, large = (load_dataset(f"mnist_{width}x{width}").inputs for width in (7, 28))
    images = large.reshape(-1, 28, 28)
    np.testing.assert_allclose(small[:, 8], images[:, 4:8, 4:8].mean(axis=(1, 2)))
    assert large.max() == 1


@pytest.mark.skipif(FASHION.is_dir(), reason="Fashion-MNIST is installed")
def test_what_is_not_installed_says_how_to_get_it() -> None:
    assert_refused("Debian's package dataset-fashion-mnist", lambda: load_dataset("fashion_7x7"))


def test_a_csv_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "own.csv"
    file.write_text("age,colour,weight,ill\n30,red,,yes\n41,blue,2.5,no\n28,red,3,no\n")
    table = load_dataset(file)
    expected = [[30, 0, 1, np.nan], [41, 1, 0, 2.5], [28, 0, 1, 3]]
    np.testing.assert_array_equal(table.inputs, expected)  # blue, red: an input a word
    assert table.target.tolist() == [1, 0, 0]
    assert table.num_classes == 2


@pytest.mark.parametrize(("last", "num_classes"), [("0.5,1.5,2.5", 0), ("3,5,3", 2)])
def test_numbers_to_say_and_numbers_of_classes(tmp_path: Path, last: str, num_classes: int) -> None:
    file = tmp_path / "own.csv"
    file.write_text("x,y\n" + "".join(f"{k},{y}\n" for k, y in enumerate(last.split(","))))
    assert load_dataset(file).num_classes == num_classes


def test_arrays_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "own.npz"
    np.savez(file, X=np.arange(6).reshape(3, 2), y=np.array(["b", "a", "b"]))
    assert load_dataset(file).target.tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n", "a header and rows"),
        ("a,b\n1,2\n3\n", "as many cells"),
        ("a,b\n1,\n2,3\n", "every row must have a target"),
    ],
)
def test_files_that_are_no_tables(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "bad.csv"
    file.write_text(text)
    assert_refused(message, lambda: load_dataset(file))
    assert_refused("readable file", lambda: load_dataset(tmp_path / "none.csv"))
    np.savez(tmp_path / "bad.npz", X=np.zeros((2, 2)))
    assert_refused("arrays X and y", lambda: load_dataset(tmp_path / "bad.npz"))


def test_names_that_are_none() -> None:
    assert_refused("did you mean 'iris'", lambda: load_dataset("irsi"))
    assert set(SHAPES) <= set(DATASETS)
