"""Try random configurations of everything that can be combined: python scripts/fuzz_configs.py.

Each is refused with a clear message, or takes an outer step that is held to what must always be
true: gradients reach every parameter, no agent of a batch notices another, all executors agree, and
the same seed, config and weights give the same bits. Configuration n is a function of n alone: a
failure is found again by ``--seed n --count 1``.
"""

from __future__ import annotations

import shlex
import sys
import time

import torch

from badger_graph.cli import program
from badger_graph.files import write_json
from badger_graph.machine import machine
from badger_graph.progress import track
from fuzzing.run import summary, try_all
from topologies.checks import check_sizes


def fuzz_configs(
    seed: int = 0, count: int = 10_000, jobs: int = 1, out: str = "results/reliability/fuzz.json"
) -> None:
    """Try configurations and write what came of them.

    Args:
        seed: number of the first configuration.
        count: how many.
        jobs: processes, of one thread each.
        out: the file to write.
    """
    check_sizes(seed=(seed, 0), count=(count, 1), jobs=(jobs, 1))
    start, tried = time.monotonic(), []
    for one in track(try_all(range(seed, seed + count), jobs), "configurations", count):
        tried.append(one)
        if one.failure:
            print(f"--seed {one.seed} --count 1: {one.failure}", flush=True)
    torch.set_num_threads(1)
    result = {
        "command": shlex.join(["python", *sys.orig_argv[1:]]),
        "machine": machine(torch.device("cpu")),
        "seconds": round(time.monotonic() - start, 1),
        **summary(tried),
    }
    write_json(out, result)
    print(
        ", ".join(f"{result[name]:,} {name}" for name in ("ran", "diverged", "refused", "failed"))
    )
    if result["failed"]:
        raise SystemExit(f"{result['failed']} of {count} configurations failed, see {out}")


if __name__ == "__main__":
    program(fuzz_configs)
