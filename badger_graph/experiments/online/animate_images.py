"""The life of a frozen policy that learns images, as an animation."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch

from badger_graph.datasets import Dataset
from badger_graph.experiments.online.learn_tables import load_classes
from badger_graph.files import require_writable
from badger_graph.membranes import CrossbarMembrane
from badger_graph.online import OnlineClassifier
from badger_graph.plots.image_learning import ImageLife, animate_image_learning
from badger_graph.progress import track
from topologies.checks import SEED, checked, size


@checked(num_examples=size(), hidden_wires=size(0), seed=SEED)
def animate_images(
    policy: str = "tables-0",
    table: str = "digits",
    num_examples: int = 100,
    hidden_wires: int | None = None,
    seed: int = 0,
    out: str = "results/animate_images.gif",
) -> None:
    """Write a GIF of a crossbar that learns images, pixel by pixel and example by example.

    Args:
        policy: a shipped one for tables, or a checkpoint.
        table: of square images: digits, mnist_7x7, fashion_14x14 and the like, or a file.
        num_examples: of the life, or all there are.
        hidden_wires: how many there are; as many as the policy was trained with by default.
        seed: of the order of examples, and of what tells hidden wires apart.
        out: the file to write.

    Raises:
        ValueError: for a number below 1, a policy that is none, or a table without classes or
            whose examples are no square images.
        OSError: when the file cannot be written; before anything is learned.
    """
    torch.set_num_threads(1)
    require_writable(out)
    data = load_classes(table)
    order = np.random.default_rng(seed).permutation(len(data.target))[:num_examples]
    some = Dataset(data.inputs[order], data.target[order])
    classifier = OnlineClassifier(policy, hidden_wires, random_state=seed)
    life = record_images(classifier, some, data.num_classes)
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    print(f"{life.right.sum()} of {len(order)} right: {animate_image_learning(life, out)}")


def record_images(classifier: OnlineClassifier, images: Dataset, num_classes: int) -> ImageLife:
    """A life with images, in their order, and the weights by which each was answered.

    Args:
        classifier: newborn, with a policy for a crossbar.
        images: square ones, row by row, and their classes.
        num_classes: classes d.

    Raises:
        ValueError: for examples that are no square images, or a policy that is none or has another
            membrane.
    """
    num_pixels = images.inputs.shape[1]
    width = math.isqrt(num_pixels)
    if width**2 != num_pixels:
        raise ValueError(
            "examples must be square images, so many numbers that they have a whole root, got "
            f"{num_pixels} inputs"
        )
    probability, weight = [], []
    examples = zip(images.inputs, images.target, strict=True)
    for pixels, label in track(examples, "learning", len(images.target)):
        classifier.partial_fit(pixels[None], [label], classes=range(num_classes))
        membrane, life = classifier.agent_.membrane, classifier.life_
        if not isinstance(membrane, CrossbarMembrane):
            raise ValueError(
                "the weights of a CrossbarMembrane can be watched alone, got a policy with a "
                f"{type(membrane).__name__}"
            )
        probability.append(life.action[0].numpy())
        of_pixels = membrane.weights(life).direct[0, :-1]  # the last is that of the constant
        weight.append(of_pixels.t().unflatten(1, (width, width)).detach().numpy())
    return ImageLife(
        images.inputs.reshape(-1, width, width),
        images.target,
        np.stack(probability),
        np.stack(weight),
    )
