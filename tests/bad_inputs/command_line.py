"""Bad inputs of the command line: which there are, and whether an answer to one is clear."""

from __future__ import annotations

import importlib
import shlex
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import yaml

from badger_graph.cli import program

from .files import FAST

LIST = Path(__file__).with_name("command_line.yaml")
MOST_LINES = 12


class BadInput(NamedTuple):
    """What is typed, and what the answer must say; ``a|b`` is either."""

    script: str
    typed: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.script}.py {self.typed}"

    @property
    def arguments(self) -> list[str]:
        typed = shlex.split(self.typed)
        return [*FAST, *typed] if self.script == "fit" and typed[:1] != ["test"] else typed


def bad_inputs() -> list[BadInput]:
    """All of them, in the order of the list."""
    of_script = yaml.safe_load(LIST.read_text())
    return [
        BadInput(script, typed, tuple(words))
        for script, entries in of_script.items()
        for typed, *words in entries
    ]


def fault(words: Sequence[str], code: int, err: str) -> str | None:
    """What is wrong with an answer: ``accepted``, ``traceback`` or ``unclear``; None if nothing."""
    if code == 0:
        return "accepted"
    if "Traceback" in err:
        return "traceback"
    lines = err.strip().splitlines()
    said = [line for line in lines if line.startswith("error:")]
    clear = code == 2 and len(said) == 1 and len(lines) <= MOST_LINES
    named = all(any(one.lower() in err.lower() for one in word.split("|")) for word in words)
    return None if clear and named else "unclear"


@cache
def main_of(script: str) -> Callable[[list[str]], None]:
    """The program of a script, as a function of its arguments."""
    module = importlib.import_module(f"scripts.{script}")
    for name in ("main", f"{script}_main"):
        if hasattr(module, name):
            return getattr(module, name)
    return partial(program, getattr(module, script))
