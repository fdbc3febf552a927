"""Outer steps of several, in turn: times, shares of the peak, and how far results differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from benchmarks.gemm_peak import SIDES, gemm_peak, gemms
from benchmarks.peers import Peer
from benchmarks.report import SPEEDS, speeds, table
from benchmarks.timing import interleave


def compare(
    peers: Mapping[str, Peer],
    results: Mapping[str, tuple[float, Tensor]],
    flops: int,
    rounds: int,
) -> dict[str, Any]:
    """Time outer steps among products of matrices, and hold all results against the first.

    Args:
        peers: whose outer steps are timed, by name.
        results: the loss and gradient of each.
        flops: operations of an outer step.
        rounds: timed runs of each.
    """
    loss, gradient = next(iter(results.values()))
    steps = {name: peer.outer_step for name, peer in peers.items()}
    seconds = interleave(gemms() | steps, rounds)
    peak = gemm_peak(seconds)
    rows = {
        name: {
            "seconds": seconds[name],
            "gemm_share": flops / min(seconds[name]) / peak,
            "loss_difference": abs(own_loss - loss) / loss,
            "gradient_difference": float((own - gradient).norm() / gradient.norm()),
        }
        for name, (own_loss, own) in results.items()
    }
    return {
        "gflop": flops / 1e9,
        "gemm_gflops": peak / 1e9,
        "gemm_seconds": {name: seconds[name] for name in SIDES},
        "rows": rows,
    }


def markdown(sizes: str, result: Mapping[str, Any], differences: Sequence[str], note: str) -> str:
    """A comparison as a table.

    Args:
        sizes: what the outer step is of.
        result: what :func:`compare` gave.
        differences: those to show, of ``loss`` and ``gradient``.
        note: ends the title.
    """
    rows = result["rows"]
    first = next(iter(rows.values()))["seconds"]
    title = (
        f"{sizes}: {result['gflop']:.2f} GFLOP; "
        f"GEMM peak {result['gemm_gflops']:.0f} GFLOP/s, {len(first)} rounds{note}"
    )
    header = ["one outer step", *SPEEDS, "share of GEMM peak"]
    header += [f"{what} difference" for what in differences]
    cells = [
        [
            name,
            *speeds(row["seconds"], first),
            f"{row['gemm_share']:.0%}",
            *(f"{row[f'{what}_difference']:.0e}" for what in differences),
        ]
        for name, row in rows.items()
    ]
    return f"{title}\n\n{table(header, cells)}"
