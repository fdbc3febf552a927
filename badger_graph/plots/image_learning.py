"""A crossbar as it learns what images show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from badger_graph.plots.gif import Reveal, frame, write_gif
from badger_graph.plots.style import BLUE, ERROR_FLOOR, FREE_EXPERT, INK, MUTED, VERMILLION, styled
from badger_graph.progress import track

MILLISECONDS = 100

WINDOW = 20
"""Examples over which the accuracy is averaged."""


class ImageLife(NamedTuple):
    """What is drawn of the life of an agent that learns images.

    Shapes:
        - **image:** ``[T, h, w]``, what was shown
        - **label:** ``[T]``, its class, from 0 to d - 1
        - **probability:** ``[T, d]``, what was said before the class was told
        - **weight:** ``[T, d, h, w]``, of each pixel for each class, by which that was said
    """

    image: Float[np.ndarray, "T h w"]
    label: Int[np.ndarray, " T"]
    probability: Float[np.ndarray, "T d"]
    weight: Float[np.ndarray, "T d h w"]

    @property
    def right(self) -> np.ndarray:
        """Whether the most probable class was the right one, ``[T]``."""
        answer: np.ndarray = self.probability.argmax(axis=1)
        return answer == self.label


@styled
def animate_image_learning(life: ImageLife, path: str | Path) -> Path:
    """A GIF of one life, a frame for each example.

    The image that is shown; how many of the last 20 answers were right; the probability of each
    class, that of the truth in blue and one that was wrongly taken for it in vermillion; and under
    each class the weights of pixels, without what all classes have in common: where they are purple
    a pixel with more ink than usual speaks for it, where they are orange for others.

    Args:
        life: what was recorded.
        path: the file to write.
    """
    return write_gif(_frames(life), path, MILLISECONDS)


def _frames(life: ImageLife) -> Iterator[Image.Image]:
    figure = Figure(figsize=(8.4, 5.5), dpi=80)
    num_classes = life.probability.shape[1]
    rows = {"height_ratios": [1.7, 1.1, 1], "hspace": 0.48}
    margins = {"left": 0.09, "right": 0.97, "top": 0.89, "bottom": 0.07}
    grid = figure.add_gridspec(3, 1, **rows, **margins)
    above = grid[0].subgridspec(1, 2, width_ratios=[1, 2], wspace=0.25)
    below = grid[2].subgridspec(1, num_classes, wspace=0.1)
    shown, right = above.subplots(squeeze=False)[0]
    classes = below.subplots(squeeze=False)[0]
    # What all classes have in common makes none of them more probable.
    weight = life.weight - life.weight.mean(axis=1, keepdims=True)
    reach = max(np.quantile(np.abs(weight), 0.998), ERROR_FLOOR)
    reveals = (
        _images([shown], life.image[:, None], "gray_r", life.image.min(), life.image.max()),
        _accuracy(right, life.right),
        _probabilities(figure.add_subplot(grid[1]), life),
        _images(classes, weight, "PuOr", -reach, reach),
    )
    note = "weights of pixels   purple: darker ones speak for this class   orange: for others"
    figure.text(0.53, 0.02, note, color=MUTED, fontsize=10, ha="center")
    title = figure.suptitle("", x=0.02, ha="left")
    for t, label in enumerate(track(life.label, "drawing")):
        answer = life.probability[t].argmax()
        title.set_text(f"example {t + 1} of {len(life.label)}: class {label}, taken for {answer}")
        for reveal in reveals:
            reveal(t)
        yield frame(figure)


def _images(
    panels: Sequence[Axes], images: Float[np.ndarray, "T k h w"], colours: str, low: Any, high: Any
) -> Reveal:
    """The images of an example, one a panel."""
    limits = {"cmap": colours, "vmin": low, "vmax": high}
    drawn = [axes.imshow(own, **limits) for axes, own in zip(panels, images[0], strict=True)]
    for axes in panels:
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set(visible=True, color=MUTED, linewidth=0.8)

    def reveal(t: int) -> None:
        for image, own in zip(drawn, images[t], strict=True):
            image.set_data(own)

    return reveal


def _accuracy(axes: Axes, right: np.ndarray) -> Reveal:
    """Each answer, right above and wrong below, and the share of right ones among the last."""
    example, answer = np.arange(1, len(right) + 1), right.astype(float)
    share = [answer[max(0, t - WINDOW) : t].mean() for t in example]
    (line,) = axes.plot([], [], color=INK)
    marks = [axes.plot([], [], "|", color=colour)[0] for colour in (VERMILLION, BLUE)]
    axes.set(xlim=(0, len(right) + 1), ylim=(-0.06, 1.06), xlabel="example")
    axes.set_ylabel(f"right of\nthe last {WINDOW}")

    def reveal(t: int) -> None:
        line.set_data(example[: t + 1], share[: t + 1])
        for value, mark in enumerate(marks):
            own = example[: t + 1][answer[: t + 1] == value]
            mark.set_data(own, np.full(len(own), float(value)))

    return reveal


def _probabilities(axes: Axes, life: ImageLife) -> Reveal:
    """A bar a class: that of the truth in blue, one that was taken for it in vermillion."""
    classes = range(life.probability.shape[1])
    bars = axes.bar(classes, life.probability[0], width=0.7)
    axes.set(xlim=(-0.5, len(classes) - 0.5), ylim=(0, 1), ylabel="probability")
    axes.set_xticks(classes, [str(one) for one in classes])
    axes.grid(visible=False, axis="x")

    def reveal(t: int) -> None:
        colours = [FREE_EXPERT] * len(classes)
        colours[life.probability[t].argmax()] = VERMILLION
        colours[life.label[t]] = BLUE
        for bar, share, colour in zip(bars, life.probability[t], colours, strict=True):
            bar.set(height=share, color=colour)

    return reveal
