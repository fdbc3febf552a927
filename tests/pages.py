"""The pages that a user reads, as files in Markdown."""

from __future__ import annotations

import re

from command_line import ROOT

INCLUDED = ("index", "CONTRIBUTING", "CHANGELOG")
"""Pages of the site that are made of other files."""

PAGES = [
    "README.md",
    *sorted(f"docs/{f.name}" for f in (ROOT / "docs").glob("*.md") if f.stem not in INCLUDED),
]


def read(page: str) -> str:
    return (ROOT / page).read_text()


def code(language: str, *pages: str) -> dict[str, str]:
    """All blocks of code in a language, each once, and the page where it stands."""
    fence = re.compile(rf"^```{language}\n(.*?)^```", re.DOTALL | re.MULTILINE)
    return {block: page for page in pages for block in fence.findall(read(page))}


def anchors(page: str) -> set[str]:
    """What a link to a place in a page may name: its headings, as GitHub and the site call them."""
    text = re.sub(r"^```.*?^```", "", read(page), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
