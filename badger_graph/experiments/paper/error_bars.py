"""Means over seeds with error bars, as curves and tables, and whether a curve rises beyond them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from badger_graph.analysis.seeds import interval, mean_and_bar
from badger_graph.experiments.paper.jobs import Row
from badger_graph.experiments.paper.relative_error import Measurement
from badger_graph.experiments.tables import table


def curves(rows: Sequence[Row], against: str) -> dict[str, dict[str, Any]]:
    """Mean over the policies of each group, with its standard error, against a column.

    The bar of a group of one policy is that over tasks.
    """
    return {
        group: {
            "policies": len({row["policy"] for row in of_group}),
            "x": [x for x, _ in _by(of_group, against)],
            "error": [_measurement(at).error for _, at in _by(of_group, against)],
            "error_bar": [_measurement(at).standard_error for _, at in _by(of_group, against)],
        }
        for group, of_group in _by(rows, "group")
    }


def largest_rise(rows: Sequence[Row], against: str) -> dict[str, Any]:
    r"""Does the error of a group rise with a column? Where it does so most, beyond its error bar.

    For two sizes :math:`x_1 < x_2` the rise is the mean over policies of
    :math:`e(x_2) - e(x_1)`, and its bar the 95% interval of this mean (Student's t over policies;
    for a single policy the normal one over tasks). All pairs of sizes are compared.

    Returns:
        ``from``, ``to``, ``rise`` and ``bar`` of the pair with the largest rise beyond its bar, and
        ``rises``, whether it is beyond.

    Raises:
        ValueError: for fewer than two sizes.
    """
    sizes = _by(rows, against)
    if len(sizes) < 2:
        raise ValueError(f"a rise needs at least two sizes, got {[x for x, _ in sizes]}")
    rises = [
        {"from": first, "to": last, **_rise(before, after)}
        for i, (first, before) in enumerate(sizes)
        for last, after in sizes[i + 1 :]
    ]
    return max(rises, key=lambda pair: pair["rise"] - pair["bar"])


def heading(result: Mapping[str, Any]) -> str:
    """What the numbers of a table are."""
    return (
        f"3 MSE after T={result['num_steps']} steps, {result['num_tasks']:,} tasks a policy, seed "
        f"{result['seed']}; ± is one standard error over policies, over tasks where there is one."
    )


def curve_table(column: str, places: Sequence[int], curves: Mapping[str, Mapping[str, Any]]) -> str:
    """Curves as Markdown: one row a place; ± is one standard error over policies."""
    heads = [_head(name, curve.get("policies")) for name, curve in curves.items()]
    cells = [_cells(curve) for curve in curves.values()]
    rows = [[str(place), *(at.get(place, "") for at in cells)] for place in places]
    return table([column, *heads], rows)


def _head(name: str, policies: int | None) -> str:
    return name if policies is None else f"{name} ({policies} seed{'s' * (policies > 1)})"


def _cells(curve: Mapping[str, Any]) -> dict[int, str]:
    if "error_bar" not in curve:
        return {int(x): f"{y:.3f}" for x, y in zip(curve["x"], curve["error"], strict=True)}
    triples = zip(curve["x"], curve["error"], curve["error_bar"], strict=True)
    return {int(x): f"{error:.4f} ± {bar:.4f}" for x, error, bar in triples}


def _measurement(rows: Sequence[Row]) -> Measurement:
    """Of several policies over them, of a single one over its tasks."""
    return Measurement(*mean_and_bar([row["error"] for row in rows], rows[0]["standard_error"]))


def _rise(before: Sequence[Row], after: Sequence[Row]) -> dict[str, Any]:
    earlier = {row["policy"]: row for row in before}
    pairs = [(earlier[row["policy"]], row) for row in after if row["policy"] in earlier]
    rises = [last["error"] - first["error"] for first, last in pairs]
    if len(rises) == 1:
        ((first, last),) = pairs
        bar = 1.96 * math.hypot(first["standard_error"], last["standard_error"])
    else:
        bar = interval(rises)[1]
    rise = statistics.mean(rises)
    return {"rise": rise, "bar": bar, "rises": rise > bar}


def _by(rows: Sequence[Row], column: str) -> list[tuple[Any, list[Row]]]:
    """Rows by the value of a column; numbers in order, names in the order of the rows."""
    if column == "group":
        names = dict.fromkeys(row[column] for row in rows)
        return [(name, [row for row in rows if row[column] == name]) for name in names]
    ordered = sorted(rows, key=lambda row: row[column])
    return [(value, list(same)) for value, same in groupby(ordered, lambda row: row[column])]
