"""Many configurations, one after the other, and what came of them."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any, NamedTuple

import torch

from fuzzing.checks import Outcome, check
from fuzzing.draw import Config, configuration

CHUNK = 50
"""Configurations that a process takes at once."""


class Tried(NamedTuple):
    """One configuration and what came of it: how it ended, or what is wrong."""

    seed: int
    outcome: Outcome | None
    failure: str | None


def try_one(seed: int) -> Tried:
    """Draw the configuration of a number and check it."""
    config = configuration(seed)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Tried(seed, check(config), None)
    except Exception:  # whatever it is, it is what we look for
        report = traceback.format_exc(limit=-4)
        return Tried(seed, None, f"{report}\n{json.dumps(config)}")


def try_some(seeds: range) -> list[Tried]:
    torch.set_num_threads(1)
    return [try_one(seed) for seed in seeds]


def try_all(seed: int, count: int, jobs: int) -> Iterator[list[Tried]]:
    """Pieces of ``count`` configurations from number ``seed`` on, as they are done.

    Each piece is tried in a process that others outlive, so that a crash of the interpreter is a
    failure like any other.
    """
    pieces = [range(n, min(n + CHUNK, seed + count)) for n in range(seed, seed + count, CHUNK)]
    context = multiprocessing.get_context("spawn")
    while pieces:
        with ProcessPoolExecutor(jobs, mp_context=context) as pool:
            waiting = {pool.submit(try_some, piece): piece for piece in pieces}
            try:
                for done in as_completed(waiting):
                    tried = done.result()
                    pieces.remove(waiting[done])
                    yield tried
            except BrokenProcessPool:
                pass
        if pieces and jobs == 1 and len(pieces[0]) > 1:  # halve it until the culprit is alone
            ...
        if pieces:
            yield from ()
            break


def summary(tried: list[Tried]) -> dict[str, Any]:
    """Counts of how configurations ended."""
    outcomes = [one.outcome for one in tried if one.outcome is not None]
    endings = Counter(outcome.ending for outcome in outcomes)
    ran = [outcome for outcome in outcomes if outcome.ending == "ran"]
    refused = [outcome for outcome in outcomes if outcome.ending == "refused"]
    return {
        "drawn": len(tried),
        "ran": endings["ran"],
        "diverged": endings["diverged"],
        "refused": endings["refused"],
        "failed": len(tried) - len(outcomes),
    }
