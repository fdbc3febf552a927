"""The animation of images that are learned: what is recorded, and what is drawn of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from properties import assert_refused

from badger_graph import Observation, OnlineClassifier
from badger_graph.datasets import Dataset, load_dataset
from badger_graph.experiments.online.animate_images import animate_images, record_images
from badger_graph.plots.image_learning import ImageLife, animate_image_learning

torch.set_num_threads(1)


def digits(number: int) -> Dataset:
    table = load_dataset("digits")
    return Dataset(table.inputs[:number], table.target[:number])


def test_weights_are_those_by_which_the_membrane_acts() -> None:
    """Without hidden wires a score is linear in each pixel: its slope is the weight of that."""
    classifier = OnlineClassifier(hidden_wires=0)
    life = record_images(classifier, digits(8), 10)
    assert life.weight.shape == (8, 10, 8, 8)
    membrane, now = classifier.agent_.membrane, classifier.life_
    nothing = torch.zeros(1, 0), torch.zeros(1, 10, 2)

    def scores(pixels: torch.Tensor) -> torch.Tensor:
        shown = torch.stack([torch.zeros(64), torch.zeros(64), pixels, torch.ones(64)], dim=-1)
        observation = Observation(nothing[0], shown[None], nothing[1])
        return membrane.act(now, torch.zeros(now.num_experts), observation)[0]

    slope = torch.autograd.functional.jacobian(scores, torch.zeros(64))
    expected = 65**0.5 * slope.view(10, 8, 8)
    np.testing.assert_allclose(life.weight[-1], expected, atol=1e-5)
    assert np.abs(life.weight[-1] - life.weight[0]).max() > 0.1


def test_what_was_said_is_what_the_classifier_says_before_it_is_told() -> None:
    images = digits(6)
    life = record_images(OnlineClassifier(), images, 10)
    learner = OnlineClassifier()
    for t, (pixels, label) in enumerate(zip(images.inputs, images.target, strict=True)):
        if t:
            said = learner.predict_proba(pixels[None])[0]
            np.testing.assert_allclose(life.probability[t], said, atol=1e-5)
        np.testing.assert_array_equal(life.image[t].flatten(), pixels)
        learner.partial_fit(pixels[None], [label], classes=range(10))
        assert life.right[t] == (life.probability[t].argmax() == label)


@pytest.mark.parametrize(
    ("num_examples", "num_classes", "width"), [(1, 2, 3), (7, 10, 8), (3, 1, 2)]
)
def test_a_frame_for_every_example(
    tmp_path: Path, num_examples: int, num_classes: int, width: int
) -> None:
    rng = np.random.default_rng(0)
    images = (num_examples, width, width)
    life = ImageLife(
        rng.random(images),
        rng.integers(num_classes, size=num_examples),
        rng.dirichlet(np.ones(num_classes), num_examples),
        rng.normal(size=(num_examples, num_classes, width, width)),
    )
    path = animate_image_learning(life, tmp_path / "images.gif")
    with Image.open(path) as gif:
        assert gif.format == "GIF"
        assert gif.n_frames == num_examples
    assert_refused("a whole result", lambda: animate_image_learning(None, path))


def test_from_a_table_to_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "images.gif"
    animate_images(num_examples=4, out=str(out))
    assert capsys.readouterr().out.endswith(f"of 4 right: {out}\n")
    assert out.stat().st_size < 3e6 / 20  # a life of 100 examples is below 3 MB


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"table": "wine"}, "square images, so many numbers that they have a whole root, got 13"),
        ({"table": "diabetes"}, "must have classes"),
        ({"num_examples": 0}, "num_examples must be at least 1, got 0"),
        ({"hidden_wires": -1}, "hidden_wires must be at least 0.*got -1"),
        ({"policy": "regression-0"}, "must be for a world with"),
    ],
)
def test_what_cannot_be_watched(tmp_path: Path, arguments: dict, message: str) -> None:
    file = tmp_path / "images.gif"
    assert_refused(message, lambda: animate_images(**arguments, out=str(file)))
    assert not file.exists()
