"""Figures as JSON, and as the Markdown that the documentation shows."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from badger_graph.files import write_json, write_text
from benchmarks.timing import speed_of_medians, speed_of_minima

SPEEDS = ("median", "minimum", "speed (medians)", "speed (minima)")
"""Columns of a table of times, of which :func:`speeds` are the cells."""


class Report(NamedTuple):
    """What a workload found: everything, and what one wants to read."""

    data: dict[str, Any]
    markdown: str

    def write(self, file: Path, heading: str) -> None:
        """As ``file``, JSON, and the Markdown beside it, under where and how long it ran."""
        write_json(file, {"heading": heading, **self.data})
        write_text(file.with_suffix(".md"), f"{heading}\n\n{self.markdown}\n")


class Workload(Protocol):
    """What can be measured: the sizes are its attributes."""

    def run(self) -> Report: ...


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [f"| {' | '.join(cells)} |" for cells in (header, *rows)]
    return "\n".join([lines[0], "|" + "---|" * len(header), *lines[1:]])


def milliseconds(seconds: float) -> str:
    """Three digits or more, in ms."""
    value = 1e3 * seconds
    return f"{value:,.{0 if value >= 100 else 1 if value >= 10 else 2}f} ms"


def speeds(seconds: Sequence[float], peer: Sequence[float]) -> list[str]:
    """How long something takes, and how many times as fast as a peer it is."""
    return [
        milliseconds(statistics.median(seconds)),
        milliseconds(min(seconds)),
        f"{speed_of_medians(seconds, peer):.2f}x",
        f"{speed_of_minima(seconds, peer):.2f}x",
    ]
