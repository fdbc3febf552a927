"""YAML from anywhere: plain data in bounded time and memory, or an error that says why not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

MAX_BYTES = 64 * 2**20
MAX_DEPTH = 100
MAX_EXPANDED = 100_000
"""Values that a file with aliases may stand for; one without has as many as it writes."""

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(file: str | Path) -> Any:
    """What a YAML file holds: plain data, no objects.

    Raises:
        ValueError: when the file is too large, no YAML, nested too deeply, names Python objects, or
            repeats itself by aliases without bound; names the file.
        OSError: when it cannot be read.
    """
    path = Path(file)
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(
            f"a YAML file must have at most {MAX_BYTES} bytes, got {path.stat().st_size} "
            f"in {str(file)!r}"
        )
    try:
        return load_yaml(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise ValueError(f"a YAML file must be text, got {str(file)!r}: {error}") from error
    except ValueError as error:
        raise ValueError(f"{error} in {str(file)!r}") from error


def load_yaml(text: str) -> Any:
    """What YAML says: plain data, no objects.

    Raises:
        ValueError: as :func:`read_yaml`, without the file.
    """
    try:
        _require_bounded(text)
        return yaml.load(text, Loader=LOADER)
    except yaml.YAMLError as error:
        message = " ".join(str(error).split())
        raise ValueError(f"YAML must be well-formed plain data, got: {message}") from error


def _require_bounded(text: str) -> None:
    """Count what the text stands for without building it: its parts come one after another."""
    sizes: dict[str, int] = {}
    open_nodes: list[tuple[str | None, int]] = []
    size, aliases = 0, False
    for event in yaml.parse(text, Loader=LOADER):
        if isinstance(event, yaml.AliasEvent):
            aliases = True
            if event.anchor in sizes:
                size += sizes[event.anchor]
            elif any(anchor == event.anchor for anchor, _ in open_nodes):
                raise ValueError(f"a YAML alias must not hold itself, got *{event.anchor}")
        elif isinstance(event, yaml.ScalarEvent):
            size += 1
            if event.anchor:
                sizes[event.anchor] = 1
        elif isinstance(event, yaml.CollectionStartEvent):
            size += 1
            open_nodes.append((event.anchor, size))
            if len(open_nodes) > MAX_DEPTH:
                raise ValueError(f"YAML must be nested at most {MAX_DEPTH} deep, got deeper")
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, start = open_nodes.pop()
            if anchor:
                sizes[anchor] = size - start + 1
        if aliases and size > MAX_EXPANDED:
            raise ValueError(
                f"YAML with aliases must stand for at most {MAX_EXPANDED} values, got more"
            )
