"""How far a long job is: a bar on a terminal, nothing elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import TypeVar, cast

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Part = TypeVar("Part")

_bars: list[Progress] = []


@contextmanager
def progress(doing: str, total: int) -> Iterator[Callable[[], None]]:
    """Show a bar while a job of so many parts is done; what is yielded says that one more is.

    It goes to standard error, so that results alone are in a pipe, and only if that is a terminal.
    A job within another has no bar of its own.

    Args:
        doing: what is done, in a word or two.
        total: its parts.
    """
    console = Console(stderr=True)
    if _bars or not total or not sys.stderr.isatty():
        yield lambda: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns,
        TimeRemainingColumn(),
        console=console,
        transient=True,
        refresh_per_second=2,
        redirect_stdout=sys.stdout.isatty(),  # what is printed meanwhile goes above the bar
    ) as bar:
        task = bar.add_task(doing, total=total)
        _bars.append(bar)
        try:
            yield lambda: bar.advance(task)
        finally:
            _bars.remove(bar)


def track(parts: Iterable[Part], doing: str, total: int | None = None) -> Iterator[Part]:
    """Go through the parts of a job and show how many are done; see :func:`progress`.

    Args:
        parts: what is done one after the other.
        doing: what is done, in a word or two.
        total: how many there are, where they do not say.
    """
    with progress(doing, len(cast(Sized, parts)) if total is None else total) as advance:
        for part in parts:
            yield part
            advance()
