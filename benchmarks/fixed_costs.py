"""What an outer step costs apart from the maths: sampling, batching, topology, Lightning."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, get_args

import torch
from torch_geometric.data import Batch, Data

from benchmarks.clock import FILE, PARTS, STEPS, Clock, written_by
from benchmarks.report import Report, milliseconds, table
from benchmarks.sizes import MICRO_BADGER, Sizes
from benchmarks.timing import interleave
from topologies import RandomTopology
from topologies.base import Redraw

FLAGS = {"k": "topology.k", "message_size": "policy.message_size"}
"""What sets sizes in ``fit.py``, where it is called otherwise."""

LIGHTNING = "Lightning with the callbacks and loggers of fit.py"
WHOLE = "the outer step itself: rollout, backward, clipping, Adam"


@dataclass(frozen=True)
class FixedCosts:
    """Each cost in CPU time, which neighbours change least, per outer step.

    That of Lightning is measured inside a training by ``fit.py`` as ``configs/fit.yaml``
    configures it, see :class:`~benchmarks.clock.Clock`: what a small step takes beyond the same
    step in a plain loop. Takes about a minute.

    Args:
        sizes: of the rollout.
        rounds: times that each of the short costs is measured.
        blocks: blocks of ten outer steps under Lightning.
    """

    sizes: Sizes = MICRO_BADGER
    rounds: int = 300
    blocks: int = 30

    def run(self) -> Report:
        seconds = interleave(short_costs(self.sizes), self.rounds, clock=time.process_time)
        blocks = train(self.sizes, self.blocks)
        data = {"workload": asdict(self), "seconds": seconds, "blocks": blocks}
        return Report(data, markdown(data))


def markdown(data: dict[str, Any]) -> str:
    """Each cost, then that of Lightning and of the outer step itself."""
    blocks = data["blocks"]
    rows = {name: (statistics.median(own), min(own)) for name, own in data["seconds"].items()}
    part = {name: [block[name] for block in blocks] for name in PARTS}
    rows[LIGHTNING] = (
        statistics.median(block["lightning"] - block["small"] for block in blocks),
        min(part["lightning"]) - min(part["small"]),
    )
    rows[WHOLE] = (statistics.median(part["whole"]), min(part["whole"]))
    header = ["CPU time per outer step", "median", "minimum"]
    return table(header, [[name, *map(milliseconds, row)] for name, row in rows.items()])


def short_costs(sizes: Sizes) -> dict[str, Callable[[], object]]:
    """Task sampling, ``reset`` for every way to redraw the graph, and PyG's batching beside it."""
    generator = torch.Generator().manual_seed(0)
    born = sizes.agent().reset(1, sizes.num_experts, sizes.num_outputs)
    costs: dict[str, Callable[[], object]] = {"task sampling": partial(sizes.task, generator)}
    for redraw in get_args(Redraw):
        fresh = sizes.agent(topology=RandomTopology(sizes.k, redraw=redraw))
        reset = partial(
            fresh.reset, sizes.batch_size, sizes.num_experts, sizes.num_outputs, generator
        )
        costs[f"agent.reset: batching and topology, redraw={redraw}"] = reset

    def from_data_list() -> Batch:
        graph = {"identifier": born.identifier, "edge_index": born.edges.index}
        return Batch.from_data_list([Data(x=born.hidden, **graph) for _ in range(sizes.batch_size)])

    return costs | {"the same in plain PyG: Batch.from_data_list": from_data_list}


def train(sizes: Sizes, blocks: int) -> list[dict[str, float]]:
    """What the clock found in a training of so many blocks of outer steps."""
    arguments = ["--max_steps", str((blocks + 1) * STEPS + 1)]
    for name, value in asdict(sizes).items():
        arguments += [f"--{FLAGS.get(name, name)}", str(value)]
    return written_by(Clock, FILE, arguments)
