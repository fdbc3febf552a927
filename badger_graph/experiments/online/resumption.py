"""Going on with a result of which some parts are finished."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def resume(
    result: dict[str, Any], name: str, settings: Mapping[str, Any], parts: Iterable[str]
) -> dict[str, Any]:
    """One entry of a result with what is finished of it; begun if it is not there.

    Args:
        result: by the names of its entries.
        name: of the entry.
        settings: with which it is computed, plain data; what an older result does not say is none.
        parts: the names of what is filled into it.

    Raises:
        ValueError: when it was begun with other settings.
    """
    kept: dict[str, Any] = result.setdefault(name, {**settings, **{part: {} for part in parts}})
    for setting, value in settings.items():
        if kept.get(setting) != value:
            raise ValueError(
                f"a result is resumed with its own {setting}={kept.get(setting)} of {name}, "
                f"got {value}; name another file with --out"
            )
    return kept
