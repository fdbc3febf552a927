"""Results judged again by today's rules, from the numbers that they hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from badger_graph.experiments.why_hard import losses, plateaus, redundancy, topology
from badger_graph.experiments.why_hard.findings import Claim, Panel

Judge = Callable[[Mapping[str, Any], int], tuple[list[Claim], list[Panel]]]
"""From the numbers of a result and its outer steps at most to those claims and panels of it that
need no more than these.
"""

JUDGES: dict[str, Judge] = {
    "plateaus": plateaus.judge,
    "redundancy": redundancy.judge,
    "losses": losses.judge,
    "topology": topology.judge,
}
"""By experiment; the results of all others stay as their trainings made them."""


def rejudge(name: str, result: Mapping[str, Any]) -> dict[str, Any]:
    """A result with what its numbers say today in the place of what they said.

    Args:
        name: of the experiment.
        result: what its JSON holds.

    Raises:
        ValueError: for a claim or a panel that the result does not have.
    """
    if name not in JUDGES or "numbers" not in result:
        return dict(result)
    claims, panels = JUDGES[name](result["numbers"], result["max_steps"])
    return {
        **result,
        "claims": _replace(result["claims"], [claim._asdict() for claim in claims], "says"),
        "panels": _replace(result["panels"], [panel._asdict() for panel in panels], "title"),
    }


def _replace(
    old: list[dict[str, Any]], new: list[dict[str, Any]], key: str
) -> list[dict[str, Any]]:
    """Those of the same name by the new ones, in their places."""
    by_name = {one[key]: one for one in new}
    if missing := by_name.keys() - {one[key] for one in old}:
        raise ValueError(f"only what a result holds is judged again, got {sorted(missing)}")
    return [by_name.get(one[key], one) for one in old]
