"""Tables of results, as Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

from badger_graph.analysis.seeds import mean_and_bar


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table: its heads, then a line a row."""
    head, *body = (f"| {' | '.join(cells)} |" for cells in (heads, *rows))
    return "\n".join([head, "|" + "---|" * len(heads), *body])


def with_bar(values: Sequence[float], form: str) -> str:
    """The mean over seeds with its standard error; of one seed, what it gave.

    Args:
        values: of each seed.
        form: how both are written.
    """
    mean, bar = mean_and_bar(values)
    return f"{mean:{form}} ± {bar:{form}}" if len(values) > 1 else f"{mean:{form}} (one seed)"


def median_steps(steps: Sequence[int | None], form: str = ".0f") -> str:
    """The median number of steps of those seeds that got there, with the range.

    Args:
        steps: of each seed; none where it never got there.
        form: how the median is written.
    """
    arrivals = [step for step in steps if step is not None]
    if not arrivals:
        return f"0 of {len(steps)}"
    span = f" ({min(arrivals)}-{max(arrivals)})" if len(arrivals) > 1 else ""
    share = f", {len(arrivals)} of {len(steps)}" if len(arrivals) < len(steps) else ""
    return f"{statistics.median(arrivals):{form}}{span}{share}"
