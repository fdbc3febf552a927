"""W1: one whole outer step of Micro-Badger."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from benchmarks.gemm_peak import outer_step_flops
from benchmarks.outer_steps import compare, markdown
from benchmarks.peers import PEERS, runnable
from benchmarks.report import Report
from benchmarks.sizes import MICRO_BADGER, Sizes


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
        return Report(data, "\n\n".join(map(markdown_of, results)))

    def _run(self, sizes: Sizes) -> dict[str, Any]:
        peers = {name: PEERS[name](sizes) for name in runnable(sizes, self.peers)}
        task = sizes.task()
        found = {name: peer.loss_and_gradient(task) for name, peer in peers.items()}
        comparison = compare(peers, found, outer_step_flops(sizes), self.rounds)
        return {"sizes": asdict(sizes), **comparison}


def markdown_of(result: dict[str, Any]) -> str:
    """What was found at one size."""
    sizes = result["sizes"]
    words = (
        f"B={sizes['batch_size']}, N={sizes['num_experts']}, {sizes['k']} in-links, "
        f"H={sizes['hidden_size']}, messages of {sizes['message_size']}, "
        f"d={sizes['num_outputs']}, T={sizes['num_steps']}"
    )
    return markdown(words, result, ("gradient",), note="")
