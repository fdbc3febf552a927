"""Colours, axes and words that the figures share; none of it touches pyplot."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import isotonic_regression

from topologies.checks import brief

P = ParamSpec("P")
R = TypeVar("R")

INK = "#22262d"
MUTED = "#737a85"
FAINT = "#e4e6ea"
PAPER = "#fcfcfa"
BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#e69f00",
    "#cc79a7",
    "#56b4e9",
)
"""The colours of Okabe and Ito, which colour-blind readers can tell apart."""

OUTPUT_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILLION)
FREE_EXPERT = "#a9b0ba"

MAX_OUTPUTS = len(OUTPUT_COLOURS)
"""More lines than this cannot be told apart."""

ERROR_FLOOR = 1e-12
"""Smaller errors count as zero."""

DASHED = (0, (3, 1.5))

STYLE: Any = {
    "font.size": 12,
    "axes.titlesize": 14,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "figure.titlesize": 14,
    "figure.titleweight": "bold",
    "axes.facecolor": PAPER,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 11,
    "legend.columnspacing": 1.4,
    "lines.linewidth": 2.0,
    "lines.solid_capstyle": "round",
    "figure.facecolor": PAPER,
    "figure.dpi": 130,
    "savefig.facecolor": PAPER,
}


def styled(draw: Callable[P, R]) -> Callable[P, R]:
    """Draw in the style of this file, and leave Matplotlib's own settings as they were.

    Raises:
        ValueError: from the function, when what is to be drawn is not what it takes.
    """

    @wraps(draw)
    def in_style(*args: P.args, **kwargs: P.kwargs) -> R:
        with rc_context(STYLE):
            try:
                return draw(*args, **kwargs)
            except (KeyError, TypeError, AttributeError, IndexError) as error:
                name = draw.__name__.replace("_", " ")
                raise ValueError(
                    f"{name} must be drawn of a whole result, got {_outline(args)}: "
                    f"{type(error).__name__} {error}"
                ) from error

    return in_style


def _outline(arguments: Sequence[Any]) -> str:
    """What was to be drawn, by the names of its parts."""
    parts = (list(one) if isinstance(one, Mapping) else one for one in arguments)
    return ", ".join(map(brief, parts)) or "nothing"


def output_colours(num_outputs: int) -> list[str]:
    """One colour an output; a colour map takes over where the palette ends."""
    num_shades = max(num_outputs - len(OUTPUT_COLOURS), 0)
    shades = colormaps["viridis"](np.linspace(0.05, 0.92, num_shades))
    return [*OUTPUT_COLOURS[:num_outputs], *(to_hex(shade) for shade in shades)]


def expert_colours(num_experts: int, num_outputs: int, free: str = FREE_EXPERT) -> list[str]:
    """The colour of the output that each expert speaks for, and one for the free experts."""
    return [*output_colours(num_outputs), *[free] * num_experts][:num_experts]


def new_figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def integer_ticks(axes: Axes) -> None:
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def drawable(error: ArrayLike, floor: float = ERROR_FLOOR) -> NDArray[np.float64]:
    """The error as a logarithmic axis can show it: zeros at the floor, gaps where not finite."""
    error = np.asarray(error, dtype=np.float64)
    return np.where(np.isfinite(error), np.maximum(error, floor), np.nan)


def floor_below(errors: Sequence[NDArray[Any]]) -> float:
    """Where zeros are drawn: half a decade below the decade of the smallest error above zero."""
    values = np.concatenate([*(np.ravel(error) for error in errors), [1.0]])
    smallest = values[np.isfinite(values) & (values > ERROR_FLOOR)].min()
    return float(10 ** (np.floor(np.log10(smallest)) - 0.5))


def mark_zero(axes: Axes, floor: float) -> None:
    """A tick in the place of zero, which a logarithmic axis does not have."""
    place = axes.get_yaxis_transform()
    axes.annotate("0", (0, floor), (-7, 0), place, "offset points", ha="right", va="center")


def draw_level(axes: Axes, value: float, name: str) -> None:
    """A dotted line to compare with, named right of the axes."""
    axes.axhline(value, color=MUTED, linewidth=1, linestyle=":", zorder=1, label=name)
    axes.annotate(
        name,
        (1, value),
        xytext=(5, 0),
        xycoords=axes.get_yaxis_transform(),
        textcoords="offset points",
        color=MUTED,
        fontsize=9,
        va="center",
    )


def action_axis(axes: Axes, *values: NDArray[Any]) -> None:
    """Linear within ±1, where targets lie; logarithmic beyond, in the shade, where agents probe."""
    reach = max(1.15, *(1.2 * np.abs(v[np.isfinite(v)]).max(initial=0.0) for v in values))
    powers = np.unique(np.linspace(1, np.log10(max(reach, 10)), 3).astype(int))
    far = [2.0, 5.0] if reach < 10 else [10.0**power for power in powers]
    ticks = [-1.0, -0.5, 0.0, 0.5, 1.0, *(sign * tick for tick in far for sign in (-1, 1))]
    axes.set_yscale("symlog", linthresh=1, linscale=1)
    axes.set_yticks(ticks, [f"{tick:.3g}".replace("-", "\N{MINUS SIGN}") for tick in ticks])
    axes.set_yticks([], minor=True)
    axes.set_ylim(-reach, reach)
    for sign in (-1, 1):
        axes.axhspan(sign, sign * reach, color=FAINT, alpha=0.55, linewidth=0, zorder=0)


def dot(points: NDArray[Any]) -> dict[str, Any]:
    """A single point is no line: mark it."""
    return {"marker": "o", "markersize": 4} if len(points) == 1 else {}


def apart(places: Sequence[float], gap: float) -> NDArray[np.float64]:
    """Increasing places, moved as little as it takes, in squares, to be a gap apart."""
    steps = gap * np.arange(len(places))
    return np.asarray(isotonic_regression(np.asarray(places) - steps).x + steps)


def disc(colour: str, label: str) -> Line2D:
    return Line2D([], [], linestyle="none", marker="o", markersize=9, color=colour, label=label)


def legend_below(figure: Figure, handles: Sequence[Line2D | Patch]) -> None:
    """In as few rows as fit, about equally full."""
    widest = max(0.62 + 0.09 * len(str(handle.get_label())) for handle in handles)
    fitting = max(1, int(figure.get_figwidth() // widest))
    rows = -(-len(handles) // fitting)
    columns = -(-len(handles) // rows)
    figure.legend(handles=handles, loc="outside lower center", ncols=columns)


def count(number: int, name: str) -> str:
    return f"{number} {name}" if number == 1 else f"{number} {name}s"
