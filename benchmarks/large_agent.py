"""W3: one large agent, time and memory."""

from __future__ import annotations

import multiprocessing
import random
import statistics
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import torch

from benchmarks.memory import peak_growth
from benchmarks.peers import PEERS, PLAIN, runnable
from benchmarks.report import SPEEDS, Report, speeds, table
from benchmarks.sizes import LARGE_AGENT, Sizes
from benchmarks.timing import seconds_of, speed_of_medians, speed_of_minima

Pass = Literal["forward", "forward+backward"]


class Job(NamedTuple):
    """What one process measures."""

    sizes: Sizes
    peer: str
    part: Pass


class Measurement(NamedTuple):
    """What it found; only a backward pass has a gradient."""

    seconds: list[float]
    peak_bytes: float
    later_bytes: float  # by which the second half of the steps raises the peak
    loss: float
    gradient: np.ndarray | None


@dataclass(frozen=True)
class LargeAgent:
    """A rollout of one agent, without gradient and with: each measurement in a new process.

    Takes about 20 minutes, and 6 GB for plain PyG.

    Args:
        sizes: of the rollout; times and memory are shown for those that have as many in-links
            as the first, and for all beside the first.
        repetitions: processes for each measurement.
        runs: timed rollouts in each process.
        peers: who is measured; plain PyG always is.
    """

    sizes: tuple[Sizes, ...] = (
        LARGE_AGENT,
        replace(LARGE_AGENT, num_experts=100_000),
        *(replace(LARGE_AGENT, k=k) for k in (4, 16, 32)),
    )
    repetitions: int = 3
    runs: int = 2
    peers: tuple[str, ...] = tuple(PEERS)

    def run(self) -> Report:
        results = [self._run(sizes) for sizes in self.sizes]
        data = {"workload": asdict(self), "results": results}
        return Report(data, markdown(results))

    def _run(self, sizes: Sizes) -> dict[str, Any]:
        names = runnable(sizes, self.peers)
        jobs = [Job(sizes, name, part) for name in names for part in get_args(Pass)]
        print(f"{len(jobs) * self.repetitions} processes for {sizes}", flush=True)
        found: dict[Job, list[Measurement]] = {job: [] for job in jobs}
        order, threads = random.Random(0), torch.get_num_threads()
        with fresh_processes() as pool:
            for _ in range(self.repetitions):
                for job in order.sample(jobs, len(jobs)):
                    found[job].append(pool.submit(measure, job, self.runs, threads).result())
        plain = found[Job(sizes, PLAIN, "forward+backward")][0]
        return {
            "sizes": asdict(sizes),
            "rows": [summary(job, found[job], plain) for job in jobs],
        }


def fresh_processes() -> ProcessPoolExecutor:
    """Runs what is submitted, each in a new process that has imported but computed nothing."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return ProcessPoolExecutor(1, mp_context=context, max_tasks_per_child=1)


def measure(job: Job, runs: int, threads: int) -> Measurement:
    """Roll out once to check the result, once for the peak memory, then to be timed.

    The peak of half as many steps tells what a step costs apart from what a rollout costs once.
    """
    torch.set_num_threads(threads)
    half = replace(job.sizes, num_steps=job.sizes.num_steps // 2)
    half_peer = PEERS[job.peer](half)
    half_peer.loss_and_gradient(half.task())
    half_bytes = peak_growth(partial(half_peer.loss_and_gradient, half.task()))
    peer, task = PEERS[job.peer](job.sizes), job.sizes.task()
    if job.part == "forward":
        loss, gradient = peer.loss(task), None
        rollout: Callable[[], object] = partial(peer.loss, task)
    else:
        loss, tensor = peer.loss_and_gradient(task)
        gradient = tensor.numpy()
        rollout = partial(peer.loss_and_gradient, task)
    peak_bytes = peak_growth(rollout)
    seconds = [seconds_of(rollout) for _ in range(runs)]
    return Measurement(seconds, peak_bytes, peak_bytes - half_bytes, loss, gradient)


def summary(job: Job, found: list[Measurement], plain: Measurement) -> dict[str, Any]:
    """All repetitions of one measurement."""
    expert_steps = job.sizes.batch_size * job.sizes.num_experts * job.sizes.num_steps
    own, expected = found[0].gradient, plain.gradient
    difference = None
    if own is not None and expected is not None:
        difference = float(np.linalg.norm(own - expected) / np.linalg.norm(expected))
    return {
        "peer": job.peer,
        "part": job.part,
        "seconds": [value for one in found for value in one.seconds],
        "bytes_per_expert_step": statistics.median(one.peak_bytes for one in found) / expert_steps,
        "bytes_per_later_step": statistics.median(one.later_bytes for one in found)
        / (expert_steps - expert_steps // 2),
        "loss_difference": abs(found[0].loss - plain.loss) / plain.loss,
        "gradient_difference": difference,
    }


def markdown(results: list[dict[str, Any]]) -> str:
    """Time and memory, then what every other size costs beside the first."""
    k = results[0]["sizes"]["k"]
    full = [markdown_of(result) for result in results if result["sizes"]["k"] == k]
    return "\n\n".join([*full, markdown_of_costs(results), markdown_of_bytes(results)])


def markdown_of(result: dict[str, Any]) -> str:
    """What was found at one size."""
    sizes, rows = result["sizes"], result["rows"]
    plain = {row["part"]: row["seconds"] for row in rows if row["peer"] == PLAIN}
    title = (
        f"{name_of(result)}, H={sizes['hidden_size']}, messages of {sizes['message_size']}, "
        f"T={sizes['num_steps']}"
    )
    header = ["one rollout", "pass", *SPEEDS, "bytes per expert-step", "gradient difference"]
    cells = [
        [
            row["peer"],
            row["part"],
            *speeds(row["seconds"], plain[row["part"]]),
            f"{row['bytes_per_expert_step']:,.0f}",
            "-" if row["gradient_difference"] is None else f"{row['gradient_difference']:.0e}",
        ]
        for row in rows
    ]
    return f"{title}\n\n{table(header, cells)}"


def markdown_of_costs(results: list[dict[str, Any]]) -> str:
    """How many times as long every other size takes as the first."""
    first, *others = results
    header = [f"time against {name_of(first)}: medians (minima)", "pass", *map(name_of, others)]
    cells = [
        [*job, *(cost(row, by_job(other).get(job)) for other in others)]
        for job, row in by_job(first).items()
    ]
    return table(header, cells)


def markdown_of_bytes(results: list[dict[str, Any]]) -> str:
    """What a rollout that is to be differentiated keeps, for every size."""
    cells = [
        [peer, *(bytes_kept(by_job(result).get((peer, part))) for result in results)]
        for peer, part in by_job(results[0])
        if part == "forward+backward"
    ]
    title = "bytes per expert-step, forward+backward (of the second half of the steps alone)"
    return table([title, *map(name_of, results)], cells)


def cost(row: dict[str, Any], other: dict[str, Any] | None) -> str:
    if other is None:
        return "-"
    medians = speed_of_medians(row["seconds"], other["seconds"])
    return f"{medians:.1f}x ({speed_of_minima(row['seconds'], other['seconds']):.1f}x)"


def bytes_kept(row: dict[str, Any] | None) -> str:
    if row is None:
        return "-"
    return f"{row['bytes_per_expert_step']:,.0f} ({row['bytes_per_later_step']:,.0f})"


def by_job(result: dict[str, Any]) -> dict[tuple[str, Pass], dict[str, Any]]:
    """The rows of one size by peer and pass."""
    return {(row["peer"], row["part"]): row for row in result["rows"]}


def name_of(result: dict[str, Any]) -> str:
    return f"N={result['sizes']['num_experts']:,}, k={result['sizes']['k']}"
