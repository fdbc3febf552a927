"""Numbers in prose and where they come from.

A paragraph, list item or table whose numbers look like results ends with a comment, which no reader
of the page sees:

    <!-- from results/topologies.md "ring": 5 of 5, 0.0007; "grid": 600; said: 1/3, 0.333 -->

It holds the numbers of the text in their order, and before each colon the file that holds them:
JSON, a card, or the table that a command wrote beside its JSON, which is rendered again by another
test. The quoted words choose the lines of a table in which they stand, or the value of a JSON at
``"keys.with.dots"``, its divisor after a slash (``"training.seconds" / 60``); a file is not said
again while it stays the same. A number is right where it is one of those there, or one of them
rounded. What was said before anything was measured has the source ``said``: settings, definitions,
what others published.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any, NamedTuple

SAID = "said"

NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"

UNIT = (
    r"%|x\b|times\b|as fast|ms\b|µs\b|CPU\b|seconds?\b|minutes?\b|hours?\b|MiB\b|bytes\b|nats\b|"
    r"outer steps?\b|steps?\b|of \d"
)
"""What makes a result of a whole number, as a comma or a point does by itself."""

BEFORE = r"\d of|±|outer steps?|a factor of"

GAP = r"\)?(?:(?:,? and|,? or|,? to|,| ±|-)\s*\(?(?:" + NUMBER + r")\)?)*\s?"
"""Between a number of several and the unit of them all: 500 to 700 outer steps."""

NOT_PROSE = (
    re.compile(r"```.*?```", re.DOTALL),
    re.compile(r"`[^`]*`", re.DOTALL),
    re.compile(r"(?<=\])\([^)]*\)"),
    re.compile(r"https?://\S+"),
    re.compile(r"arXiv [\d.]+"),
    re.compile(r"\b(?:19|20)\d\d\b"),
    re.compile(r"[Ff]igures? \d+(?: and \d+)?"),
    re.compile(r"[Pp]ython \d\.\d+|torch \d[\d.]*|Zen \d"),
)
"""Code, targets of links, names of papers and figures, years, versions."""


class Source(NamedTuple):
    """Where some numbers of a text come from."""

    file: str
    place: str
    divisor: int
    numbers: list[str]


class Block(NamedTuple):
    """A paragraph, list item or table and the sources of its numbers."""

    text: str
    sources: list[Source]

    @property
    def tied(self) -> list[str]:
        """The numbers that its sources are said to hold."""
        return [number for source in self.sources for number in source.numbers]


def blocks(page: str) -> Iterator[Block]:
    """All of a page in Markdown that may have a source of its own."""
    page = re.sub(r"^```.*?^```$", "", page, flags=re.DOTALL | re.MULTILINE)
    parts = re.split(r"(<!-- from .*?-->)|\n\s*\n|\n(?=\s*- |#)", page, flags=re.DOTALL)
    text = ""
    for part in parts:
        if part is not None and part.startswith("<!-- from "):
            yield Block(text, sources(part))
            text = ""
            continue
        if text.strip():
            yield Block(text, [])
        text = re.sub(r"<!--.*?-->", "", part or "", flags=re.DOTALL)
    yield Block(text, [])


def sources(comment: str) -> list[Source]:
    """What a comment says.

    Raises:
        ValueError: when it cannot be read.
    """
    found: list[Source] = []
    file = ""
    inner = " ".join(comment.removeprefix("<!-- from ").removesuffix("-->").split())
    for item in inner.split("; "):
        read = re.fullmatch(r'(?:(\S+) ?)??(?:"([^"]*)"(?: / (\d+))?)?: (.+)', item)
        if read is None:
            raise ValueError(f'a source must be file "place": numbers, got {item!r}')
        file = read[1] or file
        numbers = re.findall(NUMBER, read[4])
        found.append(Source(file, read[2] or "", int(read[3] or 1), numbers))
    return found


def results(text: str) -> list[str]:
    """The numbers in a text that look like results, in order."""
    for pattern in NOT_PROSE:
        text = pattern.sub(" _ ", text)
    text = re.sub(r"\s+", " ", text)
    found = []
    for match in re.finditer(rf"(?<![\w.,/^=-])(?:{NUMBER})(?![\w/])(?!-\w*[a-z])", text):
        number, before, after = match[0], text[: match.start()], text[match.end() :]
        measured = re.match(f"{GAP}(?:{UNIT})", after) or re.search(f"(?:{BEFORE}) $", before)
        if measured or not number.isdigit():
            found.append(number)
    return found


def missing(source: Source, root: Path) -> list[str]:
    """The numbers that are said to come from a source and do not."""
    if source.file == SAID:
        return []
    known = [number / source.divisor for number in _held(source, root)]
    return [number for number in source.numbers if not _among(number, known)]


def _among(number: str, known: list[Decimal]) -> bool:
    value = Decimal(number.replace(",", ""))
    unit = Decimal(1).scaleb(value.as_tuple().exponent)  # type: ignore[arg-type]
    return any(value == exact.quantize(unit, ROUND_HALF_EVEN) for exact in known)


def _held(source: Source, root: Path) -> list[Decimal]:
    file = root / source.file
    if file.suffix == ".json":
        return list(_numbers(_at(json.loads(file.read_text()), source.place)))
    lines = "\n".join(line for line in file.read_text().splitlines() if source.place in line)
    return [Decimal(n.replace(",", "")) for n in re.findall(r"\d+(?:,\d{3})*(?:\.\d+)?", lines)]


def _numbers(data: Any) -> Iterator[Decimal]:
    if isinstance(data, int | float) and not isinstance(data, bool):
        yield Decimal(repr(data))
    elif isinstance(data, dict | list):
        for part in data.values() if isinstance(data, dict) else data:
            yield from _numbers(part)


def _at(data: Any, place: str) -> Any:
    for key in filter(None, place.split(".")):
        data = data[int(key)] if isinstance(data, list) else data[key]
    return data
