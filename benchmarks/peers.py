"""Who is measured: several ways to compute the same rollout."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from typing import Protocol, get_args

from torch import Tensor

from badger_graph.executors.prepare import ExecutorName
from badger_graph.tasks import GuessingTask
from benchmarks.plain_pyg import plain_pyg
from benchmarks.sizes import Sizes
from benchmarks.torch_peer import badger

PLAIN = "plain PyG"
"""The peer that every other is compared with."""

MESSAGES = [name for name in get_args(ExecutorName) if name != "attention"]
"""The executors of policies whose messages travel along edges."""

DENSE_UP_TO = 2**28
"""Bytes of adjacency blocks up to which the dense executor is measured."""


class Peer(Protocol):
    """One way to compute a rollout of given sizes, its gradient and a whole outer step.

    The loss is the mean error over the second half of the inner steps.
    """

    def loss(self, task: GuessingTask) -> float:
        """The loss of a rollout; nothing is kept for a gradient."""

    def loss_and_gradient(self, task: GuessingTask) -> tuple[float, Tensor]:
        """The loss and its gradient, flattened in the order of the parameters' names."""

    def outer_step(self) -> None:
        """Sample tasks, reset, roll out, go back and let Adam take one step."""


def jax_scan(sizes: Sizes, remat: bool) -> Peer:
    from benchmarks.jax_scan import JaxScan  # JAX is an extra, and slow to import

    return JaxScan(sizes, remat)


PEERS: dict[str, Callable[[Sizes], Peer]] = {
    PLAIN: plain_pyg,
    **{f"badger-graph, {name}": partial(badger, executor=name) for name in MESSAGES},
    "JAX scan": partial(jax_scan, remat=False),
    "JAX scan, remat": partial(jax_scan, remat=True),
}


def runnable(sizes: Sizes, names: Iterable[str]) -> list[str]:
    """Plain PyG and those named that can run here; says in one line who cannot, and why.

    Raises:
        ValueError: for a name that no peer has.
    """
    if unknown := set(names) - set(PEERS):
        raise ValueError(f"peers must be among {list(PEERS)}, got {sorted(unknown)}")
    reasons = {name: _why_not(name, sizes) for name in PEERS if name in {PLAIN, *names}}
    for reason in dict.fromkeys(filter(None, reasons.values())):
        skipped = [name for name in reasons if reasons[name] == reason]
        print(f"skipped: {' and '.join(skipped)} ({reason})", flush=True)
    return [name for name, reason in reasons.items() if reason is None]


def _why_not(name: str, sizes: Sizes) -> str | None:
    if name.startswith("JAX") and not (find_spec("jax") and find_spec("optax")):
        return "an extra: pip install 'badger-graph[benchmark]'"
    if name == "badger-graph, dense":
        size = 4 * sizes.batch_size * sizes.num_experts**2
        if size > DENSE_UP_TO:
            return f"{size / 1e9:.1f} GB of blocks for {sizes.num_experts:,} experts"
    if name.startswith("badger-graph"):
        tiny = replace(sizes, batch_size=1, num_experts=5, k=2, num_outputs=2, num_steps=2)
        try:
            PEERS[name](tiny).loss_and_gradient(tiny.task())
        except (ImportError, RuntimeError, ValueError) as error:
            return str(error).splitlines()[0]
    return None
