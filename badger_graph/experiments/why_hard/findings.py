"""What an experiment on training finds: claims with verdicts, a table, a figure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from badger_graph.experiments.tables import table

Whose = Literal["blog", "suggested", "ours"]
"""Claimed in the blog, only suggested there as worth a try, or a question of our own."""

Verdict = Literal["yes", "no", "partly", "undecided"]


class Claim(NamedTuple):
    """What was claimed, what was measured, whether it holds, and whose claim it is."""

    says: str
    measured: str
    holds: Verdict
    of: Whose = "blog"


class Panel(NamedTuple):
    """Curves to draw, or points; see :func:`badger_graph.plots.panels`."""

    title: str
    x: str
    y: str
    curves: dict[str, dict[str, Any]]
    log: bool = False
    lines: Mapping[str, float] = {}
    log_x: bool = False
    never: float | None = None


class Findings(NamedTuple):
    """What came out, all plain data.

    Attributes:
        claims: of the blog and our own, each with its verdict.
        panels: the figure.
        columns: heads of the table.
        rows: the table.
        numbers: what else was measured.
    """

    claims: list[Claim]
    panels: list[Panel]
    columns: list[str]
    rows: list[list[str]]
    numbers: dict[str, Any]


WHOSE = {"blog": "the study", "suggested": "suggested by the study", "ours": "ours"}
"""Whose a claim is, in the words of the tables."""


def claims_of(result: dict[str, Any]) -> list[Claim]:
    """The claims of a result; those of files from before :attr:`Claim.of` are of the blog."""
    return [Claim(**claim) for claim in result["claims"]]


def markdown(result: dict[str, Any]) -> str:
    """The verdicts, then the table."""
    verdicts = table(
        ["claim", "measured", "whose", "holds"],
        (
            [claim.says, claim.measured, WHOSE[claim.of], f"**{claim.holds}**"]
            for claim in claims_of(result)
        ),
    )
    rows = [table(result["columns"], result["rows"])] if result["columns"] else []
    return "\n\n".join([verdicts, *rows])
