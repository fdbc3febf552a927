"""Learning over the outer steps, and its plateaus."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import ArrayLike

from badger_graph.analysis import find_plateaus
from badger_graph.plots.style import (
    BLUE,
    ERROR_FLOOR,
    ORANGE,
    PAPER,
    VERMILLION,
    draw_level,
    drawable,
    legend_below,
    new_figure,
    styled,
)

SHORTEST = 0.1
"""Of the run: shorter plateaus are not shaded."""

LEAST = 20
"""Points of a plateau."""


@styled
def learning_curve(
    history: Mapping[str, ArrayLike], chance: float, threshold: float | None = None
) -> Figure:
    """The error of the last inner step over the outer steps, with its plateaus shaded.

    Args:
        history: ``step`` and ``train`` of equal length, ``val_step`` and ``val`` of equal length.
        chance: error of always answering zero.
        threshold: error at which the task counts as solved.

    Raises:
        ValueError: when the lengths differ or no training error is finite.
    """
    step, train, val_step, val = (
        np.asarray(history[name], dtype=np.float64) for name in ("step", "train", "val_step", "val")
    )
    _check(step, train, val_step, val)
    smoothed = smooth(train, window=max(len(train) // 50, 5))
    figure, axes = new_figure(9.0, 5.0)
    flat = shaded(step, train)
    for first, last in flat:
        axes.axvspan(first, last, color=ORANGE, alpha=0.13, linewidth=0, gid="plateau")
    axes.plot(step, drawable(train), color=BLUE, alpha=0.35, linewidth=0.9, label="one batch")
    axes.plot(step, drawable(smoothed), color=BLUE, label="training, smoothed")
    dots: Any = {"linestyle": "none", "marker": "o", "markersize": 6, "markeredgecolor": PAPER}
    axes.plot(val_step, drawable(val), color=VERMILLION, label="validation", zorder=3, **dots)
    handles = list(axes.get_lines())
    draw_level(axes, chance, f"chance {chance:.3g}")
    if threshold is not None:
        draw_level(axes, threshold, f"solved {threshold:.3g}")
    axes.set(yscale="log", xlabel="outer step", ylabel="error at the last inner step")
    axes.set_title("Learning curve")
    shade = [Patch(color=ORANGE, alpha=0.25, linewidth=0, label="plateau")] if flat else []
    legend_below(figure, [*handles, *shade])
    return figure


def _check(step: np.ndarray, train: np.ndarray, val_step: np.ndarray, val: np.ndarray) -> None:
    if step.shape != train.shape or val_step.shape != val.shape:
        raise ValueError(
            "a history needs one error a step, got "
            f"{step.size} steps and {train.size} training errors, "
            f"{val_step.size} steps and {val.size} validation errors"
        )
    if not np.isfinite(train).any():
        raise ValueError(f"a learning curve needs a finite training error, got {train.size}, none")


def smooth(error: Float[np.ndarray, " n"], window: int) -> Float[np.ndarray, " n"]:
    """Moving geometric mean over about ``window`` points; what is not finite is left out."""
    log_error = np.log10(np.maximum(error, ERROR_FLOOR))
    valid = np.isfinite(log_error)
    half = window // 2
    middle = slice(half, half + len(error))
    kernel = np.ones(2 * half + 1)
    total = np.convolve(np.where(valid, log_error, 0.0), kernel)[middle]
    number = np.convolve(valid.astype(float), kernel)[middle]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.power(10.0, total / number)


def shaded(
    step: Float[np.ndarray, " n"], error: Float[np.ndarray, " n"]
) -> list[tuple[float, float]]:
    """First and last step of each plateau of at least ``SHORTEST`` of the run, in order.

    What is not finite is left out. A curve too short for a plateau has none.
    """
    valid = np.isfinite(error)
    step, error = step[valid], np.maximum(error[valid], ERROR_FLOOR)
    least = max(LEAST, round(SHORTEST * len(error)))
    if len(error) < least:
        return []
    plateaus = find_plateaus(torch.from_numpy(error), least=least)
    return [(float(step[plateau.start]), float(step[plateau.stop])) for plateau in plateaus]
