"""Peak memory of one call."""

from __future__ import annotations

import ctypes
import gc
import math
from collections.abc import Callable
from pathlib import Path

PROCESS = Path("/proc/self")


def peak_growth(run: Callable[[], object]) -> float:
    """Bytes by which the resident memory of this process rises at most while ``run`` runs.

    The kernel keeps the highest mark (``VmHWM``) and resets it on demand. Freed memory that the
    allocator holds back is returned first, so that it cannot be used again unseen. Call ``run``
    once before, so that what it keeps, compiles and loads is not counted. NaN where the
    kernel is not Linux.
    """
    if not (PROCESS / "clear_refs").exists():
        return math.nan
    gc.collect()
    if hasattr(libc := ctypes.CDLL(None), "malloc_trim"):  # glibc
        libc.malloc_trim(0)
    (PROCESS / "clear_refs").write_text("5")
    before = _status("VmRSS")
    run()
    return float(_status("VmHWM") - before)


def _status(field: str) -> int:
    lines = (PROCESS / "status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith(f"{field}:"))
    return 1024 * int(line.split()[1])
