"""Long: the memory of a life of a million steps, and what long rollouts keep for their gradient."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from typing import Any

import torch
from torch import nn

from badger_graph import live, unroll
from benchmarks.memory import peak_growth
from benchmarks.report import Report, table
from benchmarks.sizes import Sizes


@dataclass(frozen=True)
class LongLife:
    """A frozen agent, which was not trained, lives on while its memory is watched, not its error;
    then rollouts are differentiated with and without truncation and checkpoints.

    Args:
        sizes: of the rollouts that are differentiated; the frozen life is that of one such agent.
        life: its steps.
        every: ``detach_every`` and ``checkpoint_every``.
    """

    sizes: Sizes = field(default_factory=lambda: Sizes(num_steps=400))
    life: int = 1_000_000
    every: int = 20

    def run(self) -> Report:
        memory, seconds = self._live()
        kept = {name: self._kept(*every) for name, every in self._ways().items()}
        data = {"workload": asdict(self), "memory": memory, "seconds": seconds, "kept": kept}
        return Report(data, markdown(data))

    def _live(self) -> tuple[dict[int, float], float]:
        """Peak memory above that after the first tenth, at every tenth; and all the seconds."""
        agent, task = self.sizes.agent(), replace(self.sizes, batch_size=1).task()
        life = live(agent, task, self.sizes.num_experts)
        tenth = self.life // 10

        def on() -> None:
            for moment in islice(life, tenth):
                assert moment.loss.isfinite().all()

        start, grown = time.perf_counter(), 0.0
        memory = {}
        with torch.no_grad():
            on()
            for number in range(2, 11):
                grown += max(0.0, peak_growth(on))
                memory[number * tenth] = grown
        return memory, time.perf_counter() - start

    def _ways(self) -> dict[str, tuple[int | None, int | None]]:
        """``detach_every`` and ``checkpoint_every``."""
        return {
            "whole": (None, None),
            f"detach_every={self.every}": (self.every, None),
            f"checkpoint_every={self.every}": (None, self.every),
            "both": (self.every, self.every),
        }

    def _kept(self, detach: int | None, checkpoint: int | None) -> tuple[float, float]:
        agent, task = self.sizes.agent(), self.sizes.task()

        def differentiate() -> None:
            nn.Module.zero_grad(agent)
            sizes = (self.sizes.num_experts, self.sizes.num_steps)
            loss = unroll(
                agent, task, *sizes, detach_every=detach, checkpoint_every=checkpoint
            ).loss
            loss.mean().backward()

        differentiate()
        peak = peak_growth(differentiate)
        start = time.perf_counter()
        differentiate()
        return peak, time.perf_counter() - start


def markdown(data: dict[str, Any]) -> str:
    """Memory along the life, then what is kept for gradients."""
    told = data["workload"]
    memory = data["memory"].items()
    rows = [[f"{int(step):,}", f"{value / 2**20:.1f} MiB"] for step, value in memory]
    each = 1e6 * data["seconds"] / told["life"]
    lived = table([f"frozen steps ({each:.0f} µs each)", "grown by"], rows)
    header = [f"rollout of {told['sizes']['num_steps']} steps, forward+backward", "peak", "time"]
    cells = [
        [name, f"{peak / 2**20:.1f} MiB", f"{1e3 * took:.0f} ms"]
        for name, (peak, took) in data["kept"].items()
    ]
    return f"{lived}\n\n{table(header, cells)}"
