"""What the settings of a run may be, and what a library's refusal of them means for a user."""

from __future__ import annotations

import importlib
import math
import os
import re
import sys
import traceback
from argparse import ArgumentError
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from badger_graph.safe_yaml import load_yaml, read_yaml
from topologies.checks import (
    NOT_NEGATIVE,
    POSITIVE,
    Rule,
    Rules,
    brief,
    check,
    check_choice,
    size,
)

METRICS = (
    *("val/error", "train/error", "train/meta_loss", "train/gradient_norm"),
    *("train/stage", "train/num_outputs", "train/num_experts"),
)
"""What a training logs, and so what can be monitored."""

MAX_THREADS = max(64, os.cpu_count() or 1)

MAX_STEPS = 2**53

NOT_NAN: Rules = (Rule("be a number, not NaN", lambda value: not math.isnan(value)),)
WHOLE = Rule("be a whole number of outer steps", lambda value: isinstance(value, int))
FINITE: Rules = (Rule("be finite", math.isfinite),)


def or_minus_one(least: int, meaning: str) -> Rules:
    """A number from a least one on, or -1."""
    words = f"be at least {least}, or -1 for {meaning}"
    return (Rule(words, lambda value: value >= least or value == -1), *size(-1, MAX_STEPS))


RULES: dict[str, Rules] = {
    "threads": size(most=MAX_THREADS),
    "trainer.max_steps": or_minus_one(1, "no end"),
    "trainer.max_epochs": or_minus_one(1, "no end"),
    "trainer.min_steps": size(0, MAX_STEPS),
    "trainer.min_epochs": size(0, MAX_STEPS),
    "trainer.devices": or_minus_one(1, "all"),
    "trainer.num_nodes": size(most=2**16),
    "trainer.val_check_interval": POSITIVE,
    "trainer.check_val_every_n_epoch": size(most=MAX_STEPS),
    "trainer.num_sanity_val_steps": or_minus_one(0, "all"),
    "trainer.accumulate_grad_batches": size(),
    "trainer.gradient_clip_val": NOT_NEGATIVE + FINITE,
    "trainer.log_every_n_steps": size(0, MAX_STEPS),
    "trainer.limit_train_batches": NOT_NEGATIVE,
    "trainer.limit_val_batches": NOT_NEGATIVE,
    "trainer.limit_test_batches": NOT_NEGATIVE,
    "trainer.limit_predict_batches": NOT_NEGATIVE,
    "trainer.overfit_batches": NOT_NEGATIVE,
    "trainer.fast_dev_run": NOT_NEGATIVE,
    "trainer.reload_dataloaders_every_n_epochs": size(0, MAX_STEPS),
    "early_stopping.patience": size(0, MAX_STEPS),
    "early_stopping.min_delta": NOT_NEGATIVE + FINITE,
    "checkpoint.save_top_k": or_minus_one(0, "all"),
    "checkpoint.every_n_train_steps": size(0, MAX_STEPS),
    "checkpoint.every_n_epochs": size(0, MAX_STEPS),
    "model.optimizer.init_args.lr": NOT_NEGATIVE + FINITE,
}
"""Numbers by their place in the settings; libraries take some of those that they cannot work with,
and fail on them in the middle of a training."""


def check_settings(config: Any) -> None:
    """Refuse settings that the libraries below would take and fail on, or take and ignore.

    Raises:
        ValueError: says which, the rule and the value.
    """
    for name, value in _numbers(config):
        check(name, value, *RULES.get(name, ()), *NOT_NAN)
    every = config.trainer.val_check_interval
    if config.trainer.check_val_every_n_epoch is None and isinstance(every, float):
        check("trainer.val_check_interval", every, WHOLE)
    for part in ("early_stopping", "checkpoint"):
        monitor = config[part].monitor
        if monitor is not None:
            check_choice(f"{part}.monitor", monitor, METRICS)


def _numbers(config: Any, prefix: str = "") -> Iterator[tuple[str, float]]:
    if isinstance(config, list | tuple):
        items: Any = enumerate(config)
    elif isinstance(config, Mapping):
        items = config.items()
    else:
        items = vars(config).items() if hasattr(config, "__dict__") else ()
    for key, value in items:
        if isinstance(value, str) and NUMBER.fullmatch(value):
            value = (
                float(value) if "." in value else int(value)
            )  # a parser may leave it as text where text is allowed
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield f"{prefix}{key}", value
        elif not isinstance(value, str | bool | None):
            yield from _numbers(value, f"{prefix}{key}.")


NUMBER = re.compile(r"-?\d+(\.\d+)?")


def check_config(file: str, defaults: str) -> None:
    """Refuse a configuration file that is none, before a parser builds what it stands for.

    Raises:
        ValueError: when it is no YAML in bounds, or no mapping.
        OSError: when it cannot be read.
    """
    settings = read_yaml(file)
    if settings is not None:
        _check_sections(settings, read_yaml(defaults), file, "a config")


def _check_sections(settings: Any, defaults: dict[str, Any], file: str, name: str) -> None:
    """Refuse what is no mapping where the defaults have one: a parser would pass over it."""
    if not isinstance(settings, dict):
        raise ValueError(
            f"{name} must be a mapping of settings to values, "
            f"got a {type(settings).__name__} in {file!r}: {brief(settings)}"
        )
    for key, value in settings.items():
        section = defaults.get(key)
        if isinstance(section, dict) and "class_path" not in section:
            _check_sections(value, section, file, str(key))


def check_texts(arguments: Sequence[str]) -> None:
    """Refuse an argument whose YAML stands for more than memory holds; the parsers read them all.

    Raises:
        ValueError: says why.
    """
    for argument in arguments:
        if re.search(r"\*\w", argument) and "&" in argument:
            load_yaml(argument.partition("=")[2] if argument.startswith("--") else argument)


def import_module(flag: str, name: str) -> None:
    """Import a module of the user's.

    Raises:
        ValueError: when there is none of this name, or whatever it raises.
    """
    try:
        importlib.import_module(name)
    except (Exception, SystemExit) as error:  # code of the user's may raise anything
        raise ValueError(
            f"{flag} must name a module that can be imported, got {name!r}: "
            f"{type(error).__name__}: {error}"
        ) from error


@contextmanager
def refusals_of_libraries() -> Iterator[None]:
    """While objects are made of settings: what a library refuses is wrong in the settings.

    What goes wrong in a line of our own is a bug, and stays as it is.

    Raises:
        ValueError: in the place of whatever a library raised.
    """
    try:
        yield
    except (ValueError, ArgumentError):
        raise
    except Exception as error:
        if _is_own(error) and not isinstance(error, ImportError):
            raise
        raise ValueError(
            f"settings must be ones that can be used, got: {type(error).__name__}: {error}"
            + _arguments_in(str(error))
        ) from error


def _arguments_in(message: str) -> str:
    """The arguments that a message is about: those whose flag ends in a word of it."""
    words = set(re.findall(r"\w+", message.lower()))
    flags = [
        (one, sys.argv[place + 1 : place + 2])
        for place, one in enumerate(sys.argv)
        if one[:2] == "--"
    ]
    about = [
        one if "=" in one else " ".join([one, *value])
        for one, value in flags
        if one.partition("=")[0].rpartition(".")[2].lstrip("-") in words
    ]
    return f"; typed: {', '.join(about)}" if about else ""


OWN = re.compile(r"[\\/](badger_graph|topologies|scripts|benchmarks)[\\/]")
FULL = re.compile(r"can't allocate memory|out of memory|not enough memory|calculation overflowed")


def too_large(error: BaseException) -> str | None:
    """What to say where sizes are more than this machine can hold, or a number can be."""
    if isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and FULL.search(str(error))
    ):
        lines = str(error).strip().splitlines()
        return f"sizes must fit in memory, got: {lines[0] if lines else type(error).__name__}"
    if isinstance(error, OverflowError):
        return f"numbers must fit in 64 bits, got: {error}"
    return None


def _is_own(error: BaseException) -> bool:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return bool(OWN.search(last.filename)) and "site-packages" not in last.filename
