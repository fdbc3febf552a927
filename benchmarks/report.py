"""Figures as JSON, and as the Markdown that the documentation shows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol


class Report(NamedTuple):
    """What a workload found: everything, and what one wants to read."""

    data: dict[str, Any]
    markdown: str

    def write(self, file: Path, heading: str) -> None:
        """As ``file``, JSON, and the Markdown beside it, under where and how long it ran."""
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"heading": heading, **self.data}, indent=1) + "\n")
        file.with_suffix(".md").write_text(f"{heading}\n\n{self.markdown}\n")


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
