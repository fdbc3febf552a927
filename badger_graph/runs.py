"""Folders of runs: which checkpoint goes on, and with which settings."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

from badger_graph.files import PARTIAL
from badger_graph.library.load import read_checkpoint
from badger_graph.library.shipping import SHIPPED, find_policy
from badger_graph.library.upgrade import upgrade_settings
from badger_graph.safe_yaml import read_yaml
from badger_graph.trust import Shape, require_trusted

OWN = "# settings of the run that goes on\n"
"""Begins what stands in place of a file after --config when a run goes on with its settings."""

ELSEWHERE = ("run_dir", "ckpt_path", "config")
"""Settings that say where a run was, and not what it is."""

FOLDERS = ("default_root_dir", "dirpath", "save_dir", "root_dir", "log_dir", "dir")
"""Arguments of trainer, loggers, callbacks and profilers that name a folder to write to."""


def note(message: str) -> None:
    """Tell the user what was not asked for; not where results are printed."""
    print(message, file=sys.stderr)


def run_folder(checkpoint: str | Path) -> Path:
    """The folder of the run that wrote a checkpoint, or the one that holds it.

    That of a shipped policy is ``runs/<name>``, not the package.
    """
    policy = find_policy(checkpoint)
    if policy is not None and policy.parent == SHIPPED:
        return Path("runs") / policy.stem
    folder = Path(checkpoint).resolve().parent
    return folder.parent if folder.name == "checkpoints" else folder


def last_checkpoint(run: Path, say: Callable[[str], None] = note) -> Path | None:
    """Where a run goes on: ``last.ckpt``, or the latest whole checkpoint when that is none.

    Args:
        run: the folder of the run.
        say: is told what is passed over, and what is taken in place of ``last.ckpt``.
    """
    last = run / "checkpoints" / "last.ckpt"
    if last.is_file():
        try:
            read_checkpoint(last)
        except ValueError as error:
            say(f"passed over: {error}")
        else:
            return last
    steps: dict[Path, int] = {}
    for path in sorted(set(run.glob("checkpoints/*.ckpt")) - {last}):
        try:
            steps[path] = int(read_checkpoint(path)["global_step"])
        except (ValueError, KeyError, TypeError) as error:
            say(f"passed over: {error}")
    if not steps:
        return None
    checkpoint = max(steps, key=lambda path: (steps[path], path.name == "best.ckpt"))
    say(
        f"no whole last.ckpt: {checkpoint}, of outer step {steps[checkpoint]}, "
        "is the latest checkpoint"
    )
    return checkpoint


def newest_first(runs: Iterable[Path]) -> list[Path]:
    """Runs that have checkpoints, that with the newest one first."""
    times = {
        run: max(path.stat().st_mtime for path in checkpoints)
        for run in runs
        if (checkpoints := list(run.glob("checkpoints/*.ckpt")))
    }
    return sorted(times, key=lambda run: times[run], reverse=True)


def start_afresh(run: Path, say: Callable[[str], None] = note) -> None:
    """Make a folder in which a run was killed before its first checkpoint ready for another start.

    Raises:
        ValueError: when it holds a checkpoint to go on from.
    """
    if not (run / "checkpoints").exists():
        return
    if last_checkpoint(run, lambda _: None) is not None:
        raise ValueError(
            "--run_dir must name a new folder, or go on with its run by --ckpt_path last, "
            f"got {str(run)!r}"
        )
    for partial in run.rglob(f"*{PARTIAL}"):
        partial.unlink(missing_ok=True)
    say(f"{run} holds no whole checkpoint: its run starts afresh")


def own_settings(checkpoint: str | Path, shape: Shape, imports: Sequence[str]) -> str | None:
    """The settings of the run of a checkpoint as text for ``--config``; None where it has none.

    They are those of its ``config.yaml``, but for where it was: whatever it writes, it writes into
    the folder in which it is found.

    Args:
        checkpoint: its file.
        shape: see :func:`badger_graph.trust.require_trusted`.
        imports: modules that the user named, whose classes the settings may name, too.

    Raises:
        ValueError: for settings that cannot be read, or name code or folders that they may not.
    """
    file = run_folder(checkpoint) / "config.yaml"
    if not file.is_file():
        return None
    settings = read_yaml(file)
    if not isinstance(settings, dict):
        raise ValueError(f"settings must be a mapping, got something else in {str(file)!r}")
    settings = upgrade_settings({k: v for k, v in settings.items() if k not in ELSEWHERE})
    require_trusted(settings, shape, imports, file)
    before = (settings.get("trainer") or {}).get("default_root_dir")
    roots = (file.parent, *([Path(before)] if isinstance(before, str) else []))
    try:
        settings = {
            key: value if key == "model" else _relocate(value, key, roots)
            for key, value in settings.items()
        }
    except ValueError as error:
        raise ValueError(f"{error} in {str(file)!r}") from error
    return OWN + yaml.safe_dump(settings, sort_keys=False)


def _relocate(value: Any, key: str, roots: tuple[Path, ...]) -> Any:
    """A setting and all in it with the names of folders as they are now.

    Args:
        value: plain data.
        key: its own name.
        roots: the folder of the run, and where it was before, if that is known.

    Raises:
        ValueError: when it names a file outside.
    """
    if isinstance(value, dict):
        return {name: _relocate(item, str(name), roots) for name, item in value.items()}
    if isinstance(value, list):
        return [_relocate(item, key, roots) for item in value]
    if not isinstance(value, str):
        return value
    path = Path(value)
    if key in FOLDERS and ".." not in path.parts:
        inner = (path.relative_to(root) for root in roots if path.is_relative_to(root))
        return str(roots[0] / next(inner, path.name))
    if path.is_absolute() or ".." in path.parts or os.path.expanduser(value) != value:
        raise ValueError(f"a run must keep its files in its own folder, got {key}: {value!r}")
    return value
