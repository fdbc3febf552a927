"""The page of results: what was claimed, what was measured, and whether it holds."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from badger_graph.experiments.why_hard.run import markdown

INTRODUCTION = """# Why is Badger hard to train?

Petr Šimánek's study of that name (GoodAI blog) looks at Micro-Badger, an agent of a dozen experts
that all run the same small recurrent network and talk along the edges of a random graph. They learn
to guess numbers: all they are told is how wrong the last guess was, in one number. In training
the error stands still for long, on plateaus, and then falls all at once; the study explains the
plateaus by symmetry (nothing tells one expert, or one number, from another), and looks for what
goes with leaving them. Its runs are single ones, and its formulas are lost.

Here each of its claims is an experiment with several seeds. ± is half of a 95% interval over seeds
(Student's t); a claim about a sign *holds* where the interval lies on its side of zero, does not
where it lies on the other, and is *undecided* otherwise. This page is written by
`python scripts/why_hard.py page` from the JSON files in `results/why_hard`."""


def page(results: Path, file: Path) -> None:
    """Write the page of all results there are.

    Raises:
        ValueError: when there is no result.
    """
    found = [(path, json.loads(path.read_text())) for path in sorted(results.glob("*.json"))]
    if not found:
        raise ValueError(f"the page needs results, got none in {str(results)!r}")
    sections = [_section(path, result, file.parent) for path, result in found]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n\n".join([INTRODUCTION, _overview(found), *sections]) + "\n")


def _overview(found: list[tuple[Path, dict[str, Any]]]) -> str:
    lines = ["| claim | holds |", "|---|---|"]
    for _, result in found:
        lines += [f"| {claim['says']} | **{claim['holds']}** |" for claim in result["claims"]]
    return "\n".join(lines)


def _section(path: Path, result: dict[str, Any], beside: Path) -> str:
    picture = os.path.relpath(path.with_suffix(".png"), beside)
    made = (
        f"{result['trainings']} trainings of at most {result['max_steps']:,} outer steps, "
        f"{result['seeds']} seed{'s' * (result['seeds'] > 1)}; "
        f"{result['cpu_seconds'] / 60:.0f} minutes of CPU time ({result['machine']})."
    )
    return "\n\n".join(
        [
            f"## {result['title']}",
            result["question"],
            f"```bash\n{result['command']}\n```",
            made,
            markdown(result),
            f"![{result['title']}]({picture})",
        ]
    )
