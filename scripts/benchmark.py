"""How fast an outer step is, and beside whom: python scripts/benchmark.py.

Peers are plain PyG, this library with each of its executors and, where it is installed
(``pip install 'badger-graph[benchmark]'``), JAX. All compute the same rollout with the same
weights, which is checked before anything is timed. Each workload prints its tables and writes them
as ``benchmark_<workload>.md``, beside all it measured as JSON.
"""

from __future__ import annotations

import time
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Literal

from badger_graph.cli import program
from badger_graph.files import require_outputs
from badger_graph.progress import track
from benchmarks.attention_products import AttentionalBadger, AttentionSizes
from benchmarks.fixed_costs import FixedCosts
from benchmarks.large_agent import LargeAgent
from benchmarks.long_life import LongLife
from benchmarks.machine import machine, use_cores
from benchmarks.measuring import Measuring
from benchmarks.micro_badger import MicroBadger
from benchmarks.report import Workload
from benchmarks.sizes import Sizes
from topologies.checks import check, size

W1, W2, W3 = MicroBadger(), AttentionalBadger(), LargeAgent()
LONG, FIXED, MEASURING = LongLife(), FixedCosts(), Measuring()

QUICK = Sizes(batch_size=2, num_experts=5, k=2, num_outputs=2, num_steps=3)
QUICK_ATTENTION = AttentionSizes(2, num_experts=5, num_outputs=2, num_steps=3)


def check_sizes_of(name: str, part: object) -> None:
    """Refuse a size, a number of rounds or of runs below 1, in whatever part of a workload.

    Raises:
        ValueError: says which.
    """
    if isinstance(part, tuple):
        for place, item in enumerate(part):
            check_sizes_of(f"{name}.{place}", item)
    elif is_dataclass(part):
        for field in fields(part):
            check_sizes_of(f"{name}.{field.name}", getattr(part, field.name))
    elif isinstance(part, int) and not isinstance(part, bool):
        check(name, part, *size(most=2**40))


def benchmark(
    workload: Literal["all", "w1", "w2", "w3", "long", "fixed", "measuring"] = "all",
    w1: MicroBadger = W1,
    w2: AttentionalBadger = W2,
    w3: LargeAgent = W3,
    long: LongLife = LONG,
    fixed: FixedCosts = FIXED,
    measuring: Measuring = MEASURING,
    threads: int = 1,
    quick: bool = False,
    out: str = "results",
) -> None:
    """Run one workload or all.

    Args:
        workload: w1: an outer step of Micro-Badger; w2: an outer step of the attentional agent;
            w3: one large agent, time and memory; long: a life of a million steps, and long
            rollouts; fixed: what an outer step costs apart from the maths; measuring: what the
            measures along training cost.
        w1: sizes of Micro-Badger.
        w2: sizes of the attentional agent, and where the authors' code is.
        w3: sizes of the large agent.
        long: sizes of the long life and the long rollouts.
        fixed: sizes for the fixed costs.
        measuring: configs for the measures.
        threads: CPU threads; the process is pinned to as many cores.
        quick: everything once at tiny sizes, in seconds; the figures mean nothing.
        out: folder for the results.
    """
    use_cores(threads)
    require_outputs(Path(out) / "benchmark.json")
    if quick:
        w1 = replace(w1, sizes=(QUICK,), rounds=1)
        w2 = replace(w2, sizes=QUICK_ATTENTION, rounds=1)
        w3 = replace(w3, sizes=(QUICK, replace(QUICK, k=3)), repetitions=1, runs=1)
        long = replace(long, sizes=QUICK, life=100, every=2)
        fixed = replace(fixed, sizes=QUICK, rounds=1, blocks=1)
        measuring = replace(measuring, configs=("smoke",), rounds=1)
    workloads: dict[str, Workload] = {
        "w1": w1,
        "w2": w2,
        "w3": w3,
        "long": long,
        "fixed": fixed,
        "measuring": measuring,
    }
    chosen = [name for name in workloads if workload in (name, "all")]
    for name in chosen:
        check_sizes_of(name, workloads[name])
    for name in track(chosen, "workloads"):
        start = time.perf_counter()
        report = workloads[name].run()
        heading = f"{machine()}; {name} took {time.perf_counter() - start:.0f} s."
        report.write(Path(out) / f"benchmark_{name}.json", heading)
        print(f"{heading}\n\n{report.markdown}\n", flush=True)


if __name__ == "__main__":
    program(benchmark)
