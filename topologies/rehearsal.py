"""A call that may take all time and memory, tried in a process of its own first."""

from __future__ import annotations

import os
import resource
import signal
import warnings
from collections.abc import Callable

SECONDS = 2
"""For a small call; pure Python joins a hundred thousand nodes in that time."""

MEGABYTES = 1024

ENDED, TOO_LARGE = 0, 1


def rehearse(call: Callable[[], object], num_experts: int) -> str | None:
    """Whether a call ends, within bounds that grow with the number of experts.

    How large the graph of a generator becomes cannot be asked beforehand: 40 is a number of nodes
    to one, an exponent to another, and a third draws until it succeeds. So the operating system
    sets the bounds, on a copy of this process that nothing else depends on. It costs some ten
    milliseconds and the time of the call. Where processes cannot be copied, nothing is tried.

    Args:
        call: what it returns or raises does not matter.
        num_experts: N that it is called for.

    Returns:
        What it would have taken too much of, or None.
    """
    if not hasattr(os, "fork"):
        return None
    seconds = SECONDS + num_experts // 1000
    megabytes = MEGABYTES + num_experts // 50
    with warnings.catch_warnings():
        # A copy of a process with threads may lock up where it takes their locks: this one runs
        # plain Python, and ends without clearing up.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        os._exit(_try(call, seconds, megabytes))
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return f"{seconds} seconds"
    return f"{megabytes:,} MB" if os.WEXITSTATUS(status) == TOO_LARGE else None


def _try(call: Callable[[], object], seconds: int, megabytes: int) -> int:
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)  # ends this process
        signal.alarm(seconds)
        resource.setrlimit(resource.RLIMIT_AS, (_address_space() + megabytes * 2**20,) * 2)
        call()
    except MemoryError:
        return TOO_LARGE
    except BaseException:
        return ENDED  # the call itself will say why
    return ENDED


def _address_space() -> int:
    """Bytes of address space of this process; where nobody tells, as many as a large one has."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 2**40
