"""The machine that figures come from, and how much of it is used."""

from __future__ import annotations

import os
from importlib.metadata import version
from importlib.util import find_spec

import torch

from badger_graph.machine import processor


def use_cores(threads: int) -> None:
    """Pin this process, and those that it will start, to as many cores as there are threads.

    Pinning is what holds for all peers alike. ``torch.set_num_threads`` says nothing to XLA,
    whose thread pool is as large as the number of cores that the process may use when JAX
    starts; so this comes first. To choose the cores: ``taskset -c 1 python scripts/benchmark.py``.

    Raises:
        ValueError: when there are fewer cores than threads.
    """
    cores = sorted(os.sched_getaffinity(0))
    if not 1 <= threads <= len(cores):
        raise ValueError(
            f"threads must be at least 1 and at most the number of cores, {len(cores)}, "
            f"got {threads}"
        )
    os.sched_setaffinity(0, cores[:threads])
    torch.set_num_threads(threads)


def machine() -> str:
    """Processor, cores, threads, versions and how busy the machine is, in one line."""
    libraries = [name for name in ("torch", "torch_geometric", "jax") if find_spec(name)]
    threads = torch.get_num_threads()
    parts = [
        f"{processor()}, {os.cpu_count()} cores",
        f"{threads} thread{'s' * (threads > 1)}",
        *(f"{name} {version(name)}" for name in libraries),
        f"load average {os.getloadavg()[0]:.1f}",  # one process alone: 1.0 or less
    ]
    return ", ".join(parts)
