"""The page of results: what was claimed, what was measured, and whether it holds."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from string import Template
from typing import Any

from badger_graph.analysis.subject import COMPONENTS
from badger_graph.experiments.runner import write
from badger_graph.experiments.tables import table
from badger_graph.experiments.why_hard import EXPERIMENTS
from badger_graph.experiments.why_hard.base import CHANCE, LEFT
from badger_graph.experiments.why_hard.binding import SWINGS
from badger_graph.experiments.why_hard.experiment import TrainingExperiment
from badger_graph.experiments.why_hard.findings import WHOSE, claims_of, markdown
from badger_graph.experiments.why_hard.frequencies import WEAK
from badger_graph.experiments.why_hard.losses import MARGIN as GAIN
from badger_graph.experiments.why_hard.mutual_information import COPIES
from badger_graph.experiments.why_hard.plateaus import CLOSE
from badger_graph.experiments.why_hard.rejudged import rejudge
from badger_graph.experiments.why_hard.standstill import LEAST, SHARE
from badger_graph.files import write_text

TEMPLATE = Path(__file__).with_name("page.md")
"""The text of the page, with the numbers by which claims are judged left open."""

NUMBERS = {
    "weak": WEAK,
    "gain": f"{GAIN:.0%}",
    "swings": f"{SWINGS:.0%}",
    "close": CLOSE,
    "least": LEAST,
    "share": f"{SHARE:.0%}",
    "left": f"{LEFT / CHANCE:.0%}",
    "components": COMPONENTS,
    "copies": f"{COPIES:.1f}",
}


def page(results: Path, file: Path) -> None:
    """Write the page of all results there are, and table and figure of each beside its JSON again.

    All is made of what the JSON files hold, without any training; verdicts and panels that their
    numbers suffice for are judged and drawn by today's rules, and so kept in the files.

    Raises:
        ValueError: when there is no result.
    """
    entries = [
        (path, rejudge(path.stem, json.loads(path.read_text())))
        for path in sorted(results.glob("*.json"), key=_place)
    ]
    if not entries:
        raise ValueError(f"the page needs results, got none in {str(results)!r}")
    for path, result in entries:
        write(TrainingExperiment, result, path)
    sections = "\n\n".join(_section(path, result, file.parent) for path, result in entries)
    text = Template(TEMPLATE.read_text())
    file.parent.mkdir(parents=True, exist_ok=True)
    write_text(file, text.substitute(NUMBERS, overview=_overview(entries), sections=sections))


def _place(path: Path) -> tuple[int, str]:
    """In the order of the experiments, any others after them."""
    names = [*EXPERIMENTS, path.stem]
    return names.index(path.stem), path.stem


def _overview(entries: list[tuple[Path, dict[str, Any]]]) -> str:
    rows = [
        [
            f"[{path.stem.replace('_', ' ')}](#{_anchor(result['title'])})",
            claim.says,
            WHOSE[claim.of],
            f"**{claim.holds}**",
        ]
        for path, result in entries
        for claim in claims_of(result)
    ]
    return "## All claims\n\n" + table(["experiment", "claim", "whose", "holds"], rows)


def _anchor(title: str) -> str:
    """What GitHub calls the place of a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def _section(path: Path, result: dict[str, Any], beside: Path) -> str:
    picture = os.path.relpath(path.with_suffix(".png"), beside)
    effort = (
        f"{result['trainings']} trainings of at most {result['max_steps']:,} outer steps, "
        f"{result['seeds']} seed{'s' * (result['seeds'] > 1)}; "
        f"{result['cpu_seconds'] / 60:.0f} minutes of CPU time ({result['machine']})."
    )
    return "\n\n".join(
        [
            f"## {result['title']}",
            result["question"],
            f"```bash\n{result['command']}\n```",
            effort,
            markdown(result),
            f"![{result['title']}]({picture})",
        ]
    )
