"""Many configurations one after the other, and what came of them."""

from __future__ import annotations

import gc
import json
import multiprocessing
import re
import signal
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any, NamedTuple

import torch

from fuzzing.checks import Outcome, check
from fuzzing.draw import configuration

SPAWN = multiprocessing.get_context("spawn")

LIMIT = 300
"""Seconds that a configuration may take, on a machine that does much else: most take 0.06."""


class Tried(NamedTuple):
    """A configuration and what came of it: how it ended, or what is wrong."""

    seed: int
    outcome: Outcome | None
    failure: str = ""


def try_one(seed: int) -> Tried:
    """Draw the configuration of a number and check it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Tried(seed, check(configuration(seed)))
    except Exception:  # whatever it is, it is what is looked for
        return Tried(seed, None, traceback.format_exc(limit=-4))


def try_all(seeds: Sequence[int], jobs: int) -> Iterator[Tried]:
    """Try configurations in processes of their own, as many as ``jobs`` at a time.

    A crash of the interpreter and a search without end are failures like any other: another process
    goes on after them.
    """
    lanes = [_Lane(seeds[j::jobs]) for j in range(jobs) if seeds[j::jobs]]
    while lanes:
        ready = wait([lane.connection for lane in lanes])
        yield from (lane.receive() for lane in lanes if lane.connection in ready)
        lanes = [lane for lane in lanes if lane.left]


class _Lane:
    """A process that tries configurations, replaced by another where it is lost."""

    def __init__(self, seeds: Sequence[int]) -> None:
        self.left = list(seeds)
        self._start()

    def receive(self) -> Tried:
        try:
            tried: Tried = self.connection.recv()
            self.left.pop(0)
        except EOFError:
            self.process.join()
            late = self.process.exitcode == -signal.SIGALRM
            why = f"it must be done within {LIMIT} seconds" if late else "the interpreter crashed"
            tried = Tried(self.left.pop(0), None, why)
            if self.left:
                self._start()
        return tried

    def _start(self) -> None:
        self.connection, there = SPAWN.Pipe(duplex=False)
        self.process = SPAWN.Process(target=_try_some, args=(there, self.left), daemon=True)
        self.process.start()
        there.close()  # so that the end of the process is the end of the pipe


def _try_some(connection: Connection, seeds: list[int]) -> None:
    torch.set_num_threads(1)
    gc.freeze()  # what was imported need not be searched again and again
    for seed in seeds:
        signal.alarm(LIMIT)  # ends this process
        connection.send(try_one(seed))


def reason(refusal: str) -> str:
    """The rule that a refusal states, without names and numbers."""
    rule = re.split(r",? got |[,:(]", refusal)[0]
    return re.sub(r"\d+", "#", rule).strip()


def summary(tried: Sequence[Tried]) -> dict[str, Any]:
    """How the configurations ended, what was compared, and everything that is wrong."""
    outcomes = [(one.seed, one.outcome) for one in tried if one.outcome is not None]
    endings = Counter(outcome.ending for _, outcome in outcomes)
    ran = [(seed, outcome) for seed, outcome in outcomes if outcome.ending == "ran"]
    refusals = [outcome.refusals[0] for _, outcome in outcomes if outcome.ending == "refused"]
    of_edits = [text for _, outcome in ran for text in outcome.refusals]
    return {
        "drawn": len(tried),
        **{ending: endings[ending] for ending in ("ran", "diverged", "refused")},
        "failed": len(tried) - len(outcomes),
        "failures": [
            {"seed": one.seed, "report": one.failure, "config": json.dumps(configuration(one.seed))}
            for one in sorted(tried)
            if one.outcome is None
        ],
        "checked": {
            "gradients, same bits again, from its config and by checkpoint_every": len(ran),
            "leaks between agents": sum(outcome.leak for _, outcome in ran),
            "of these to the same bits": sum(outcome.bits for _, outcome in ran),
            "against the reference executor": dict(
                sorted(Counter(name for _, outcome in ran for name in outcome.executors).items())
            ),
            "edits of living agents": sum(outcome.edited for _, outcome in ran),
        },
        "ran_with": _parts([seed for seed, _ in ran]),
        "refused_because": _sorted(map(reason, refusals)),
        "edits_refused_because": _sorted(map(reason, of_edits)),
    }


def _parts(seeds: list[int]) -> dict[str, dict[str, int]]:
    configs = [configuration(seed) for seed in seeds]
    counts = {
        kind: _sorted(config[kind]["name"] if config[kind] else "none" for config in configs)
        for kind in (
            *("policy", "topology", "membrane", "communication", "channel", "task"),
            *("meta_loss", "regulariser", "gradient", "curriculum"),
        )
    }
    executors = _sorted(config["agent"]["arguments"].get("executor", "auto") for config in configs)
    return {**counts, "executor": executors, "dtype": _sorted(c["dtype"] for c in configs)}


def _sorted(names: Any) -> dict[str, int]:
    return dict(sorted(Counter(names).items(), key=lambda item: (-item[1], item[0])))
