"""Call a command in this process, as its script would, and leave no trace in the process."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch

ROOT = Path(__file__).parents[1]
FIT = ROOT / "scripts" / "fit.py"


class Result(NamedTuple):
    code: int
    out: str
    err: str


def call(main: Callable[[list[str]], None], *arguments: object, cwd: Path) -> Result:
    """What a command prints and returns when it is called in a folder."""
    out, err = io.StringIO(), io.StringIO()
    argv, environment, threads = sys.argv[:], dict(os.environ), torch.get_num_threads()
    interrupt = signal.getsignal(signal.SIGINT)
    code = 0
    sys.argv = ["fit.py"]
    try:
        with (
            contextlib.chdir(cwd),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            warnings.catch_warnings(),
            torch.random.fork_rng(),
        ):
            main([str(argument) for argument in arguments])
    except SystemExit as stop:
        code = int(stop.code or 0)
    finally:
        sys.argv = argv
        os.environ.clear()
        os.environ.update(environment)
        torch.set_num_threads(threads)
        signal.signal(signal.SIGINT, interrupt)
    return Result(code, out.getvalue(), err.getvalue())


def succeed(main: Callable[[list[str]], None], *arguments: object, cwd: Path) -> Result:
    """Call a command that must come to its end."""
    result = call(main, *arguments, cwd=cwd)
    assert result.code == 0, result.err
    return result


def refuse(main: Callable[[list[str]], None], *arguments: object, cwd: Path) -> str:
    """Call a command with something wrong; what it says of it."""
    result = call(main, *arguments, cwd=cwd)
    assert result.code == 2, result.err
    return result.err


def load(path: Path) -> dict:
    return torch.load(path, weights_only=True, map_location="cpu")


def assert_same_bits(given: object, expected: object, where: str = "") -> None:
    """Nested dicts and lists of tensors and plain data are equal to the last bit."""
    if isinstance(expected, dict):
        assert isinstance(given, dict), where
        assert given.keys() == expected.keys(), where
        for key, value in expected.items():
            assert_same_bits(given[key], value, f"{where}/{key}")
    elif isinstance(expected, list | tuple):
        assert isinstance(given, list | tuple), where
        assert len(given) == len(expected), where
        for place, value in enumerate(expected):
            assert_same_bits(given[place], value, f"{where}/{place}")
    elif isinstance(expected, torch.Tensor):
        assert torch.equal(given, expected), where
    else:
        assert given == expected, where
