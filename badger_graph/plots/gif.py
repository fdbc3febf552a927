"""Figures one after the other, as a file that moves."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

Reveal = Callable[[int], None]
"""Shows the state of things in one frame."""

LAST_MILLISECONDS = 2500
"""How long the last frame stays."""


def frame(figure: Figure) -> Image.Image:
    """A figure as it is now, in 256 colours."""
    canvas: Any = FigureCanvasAgg(figure)  # its methods have no types
    canvas.draw()
    image = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    # The octree keeps thin coloured rims, where a median cut would merge blue and green;
    # without dithering the flat colours stay flat and the file stays small.
    return image.quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)


def write_gif(frames: Iterable[Image.Image], path: str | Path, milliseconds: int) -> Path:
    """Write frames, which come round again and again.

    Args:
        frames: at least one.
        path: the file to write.
        milliseconds: how long each stays but for the last.
    """
    first, *others = frames
    wait = [*[milliseconds] * len(others), LAST_MILLISECONDS]
    first.save(path, format="GIF", save_all=True, append_images=others, duration=wait, loop=0)
    return Path(path)
