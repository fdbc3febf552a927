"""W1: one whole outer step of Micro-Badger."""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass, replace
from typing import Any

from benchmarks.gemm_peak import SIDES, gemm_peak, gemms, outer_step_flops
from benchmarks.peers import PEERS, PLAIN, runnable
from benchmarks.report import Report, milliseconds, table
from benchmarks.sizes import MICRO_BADGER, Sizes
from benchmarks.timing import interleave, speed_of_medians, speed_of_minima


@dataclass(frozen=True)
class MicroBadger:
    """Sample tasks, reset, roll out, go back and let Adam take a step: each peer in turn.

    Before anything is timed, every peer's loss and gradient are computed for the same tasks.

    Args:
        sizes: of the rollout; each is a table of its own.
        rounds: timed outer steps of each peer.
        peers: who is measured; plain PyG always is.
    """

    sizes: tuple[Sizes, ...] = (MICRO_BADGER, replace(MICRO_BADGER, batch_size=256))
    rounds: int = 30
    peers: tuple[str, ...] = tuple(PEERS)

    def run(self) -> Report:
        results = [self._run(sizes) for sizes in self.sizes]
        data = {"workload": asdict(self), "results": results}
        return Report(data, "\n\n".join(map(markdown, results)))

    def _run(self, sizes: Sizes) -> dict[str, Any]:
        peers = {name: PEERS[name](sizes) for name in runnable(sizes, self.peers)}
        task = sizes.task()
        found = {name: peer.loss_and_gradient(task) for name, peer in peers.items()}
        loss, gradient = found[PLAIN]
        steps = gemms() | {name: peer.outer_step for name, peer in peers.items()}
        seconds = interleave(steps, self.rounds)
        peak, flops = gemm_peak(seconds), outer_step_flops(sizes)
        rows = {
            name: {
                "seconds": seconds[name],
                "gemm_share": flops / min(seconds[name]) / peak,
                "loss_difference": abs(own_loss - loss) / loss,
                "gradient_difference": float((own - gradient).norm() / gradient.norm()),
            }
            for name, (own_loss, own) in found.items()
        }
        return {
            "sizes": asdict(sizes),
            "gflop": flops / 1e9,
            "gemm_gflops": peak / 1e9,
            "gemm_seconds": {name: seconds[name] for name in SIDES},
            "rows": rows,
        }


def markdown(result: dict[str, Any]) -> str:
    """What was found at one size."""
    sizes, rows = result["sizes"], result["rows"]
    plain = rows[PLAIN]["seconds"]
    title = (
        f"B={sizes['batch_size']}, N={sizes['num_experts']}, {sizes['k']} in-links, "
        f"H={sizes['hidden_size']}, messages of {sizes['message_size']}, "
        f"d={sizes['num_outputs']}, T={sizes['num_steps']}: {result['gflop']:.2f} GFLOP; "
        f"GEMM peak {result['gemm_gflops']:.0f} GFLOP/s, {len(plain)} rounds"
    )
    header = ["one outer step", "median", "minimum", "speed (medians)", "speed (minima)"]
    header += ["share of GEMM peak", "gradient difference"]
    cells = [
        [
            name,
            milliseconds(statistics.median(row["seconds"])),
            milliseconds(min(row["seconds"])),
            f"{speed_of_medians(row['seconds'], plain):.2f}x",
            f"{speed_of_minima(row['seconds'], plain):.2f}x",
            f"{row['gemm_share']:.0%}",
            f"{row['gradient_difference']:.0e}",
        ]
        for name, row in rows.items()
    ]
    return f"{title}\n\n{table(header, cells)}"
