"""What README.md and the pages of docs say comes from what the commands wrote."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import ROOT
from pages import PAGES as WITH_TABLES
from pages import read
from sources import Block, Source, blocks, missing, results, sources

from badger_graph.experiments.lasting import EXPERIMENTS as LASTING
from badger_graph.experiments.online import EXPERIMENTS as ONLINE
from badger_graph.experiments.paper import EXPERIMENTS
from badger_graph.experiments.why_hard.findings import markdown as why_hard
from badger_graph.library.shipping import read_card
from benchmarks import (
    attention_products,
    fixed_costs,
    large_agent,
    long_life,
    measuring,
    micro_badger,
)

PAGES = [page for page in WITH_TABLES if page != "docs/why_hard.md"]  # a command writes that one

TABLES = sorted((ROOT / "results").rglob("*.md"))


def by_workload(table: Callable[[Any], str]) -> Callable[[Any], str]:
    return lambda data: f"{data['heading']}\n\n{table(data)}"


WRITERS: dict[str, Callable[[Any], str]] = {
    **{experiment.name: experiment.markdown for experiment in EXPERIMENTS.values()},
    **{experiment.name: experiment.markdown for experiment in ONLINE.values()},
    **{experiment.name: experiment.markdown for experiment in LASTING.values()},
    "long_lives_lasting": EXPERIMENTS["long_lives"].markdown,
    "growth_addressed": EXPERIMENTS["growth"].markdown,
    "growth_recurrent": EXPERIMENTS["growth"].markdown,
    "authors_checkpoints": EXPERIMENTS["error_against_outputs"].markdown,
    "learn_mnist": ONLINE["learn_tables"].markdown,
    "tables_before_bandits": ONLINE["play_bandits"].markdown,
    "benchmark_w1": by_workload(
        lambda data: "\n\n".join(map(micro_badger.markdown_of, data["results"]))
    ),
    "benchmark_w2": by_workload(attention_products.markdown_of),
    "benchmark_w3": by_workload(lambda data: large_agent.markdown(data["results"])),
    "benchmark_long": by_workload(long_life.markdown),
    "benchmark_fixed": by_workload(fixed_costs.markdown),
    "benchmark_measuring": by_workload(measuring.markdown),
}
"""From the JSON of each command to its table."""


def page(name: str) -> list[Block]:
    """The blocks of a page but for the tables that commands wrote, which stand in it whole."""
    text = read(name)
    for table in TABLES:
        text = text.replace(table.read_text().strip(), "")
    return list(blocks(text))


@pytest.mark.parametrize("table", TABLES, ids=lambda file: str(file.relative_to(ROOT / "results")))
def test_tables_are_what_their_json_says(table: Path) -> None:
    result = json.loads(table.with_suffix(".json").read_text())
    write = why_hard if table.parent.name == "why_hard" else WRITERS[table.stem]
    assert write(result).strip() == table.read_text().strip()


@pytest.mark.parametrize("name", PAGES)
def test_every_number_that_looks_like_a_result_has_a_source(name: str) -> None:
    for block in page(name):
        assert results(block.text) == block.tied, block.text


@pytest.mark.parametrize("name", PAGES)
def test_every_number_is_in_its_source(name: str) -> None:
    wrong = [(source, missing(source, ROOT)) for block in page(name) for source in block.sources]
    assert not [(source, numbers) for source, numbers in wrong if numbers]


@pytest.mark.parametrize("name", ["README.md", "docs/results.md", "docs/reliability.md"])
def test_pages_of_results_are_full_of_numbers(name: str) -> None:
    assert len([number for block in page(name) for number in block.tied]) > 10


@pytest.mark.parametrize("name", PAGES)
def test_a_number_that_is_changed_is_noticed(name: str) -> None:
    numbers = [(block, number) for block in page(name) for number in block.tied]
    for block, number in numbers:
        text = re.sub(rf"(?<![\d.,]){re.escape(number)}(?![\d]|[.,]\d)", _other(number), block.text)
        assert results(text) != block.tied, number


def _other(number: str) -> str:
    """With another first digit that is not zero."""
    at = re.search("[1-9]", number)
    assert at is not None, number
    return number[: at.start()] + str(int(at[0]) % 9 + 1) + number[at.end() :]


def test_the_card_says_on_which_graphs_a_policy_is_good_and_bad() -> None:
    """As the table does, whose third column of errors is that of the shipped policy."""
    said = read_card("micro_badger")["graphs"]["table"]
    rows = (ROOT / "results" / "unseen_graphs.md").read_text().splitlines()[2:]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert {name: f"{error:.4f}" for name, error in said.items()} == {
        name: error.split()[0] for name, *_, error, _ in cells
    }


def test_what_looks_like_a_result() -> None:
    found = "5 of 7 seeds by 0.3 ± 2 in 500 to 700 outer steps, 1,200 tasks, 40%, 3 times"
    assert results(found) == ["5", "7", "0.3", "2", "500", "700", "1,200", "40", "3"]
    setting = "16 experts, d=4, T=20, k 3, 4-regular, `0.5`, figure 7, 2019, 1/3, [a](b/0.1.png)"
    assert results(setting + "\n```\n0.7 seconds\n```\n") == []


def test_sources_as_they_are_written(tmp_path: Path) -> None:
    comment = '<!-- from a.md "x y": 1 of 2, 0.3; "z": 4; b.json "c.0" / 60: 1,000;\n said: 1/3 -->'
    assert sources(comment) == [
        Source("a.md", "x y", 1, ["1", "2", "0.3"]),
        Source("a.md", "z", 1, ["4"]),
        Source("b.json", "c.0", 60, ["1,000"]),
        Source("said", "", 1, ["1", "3"]),
    ]
    (tmp_path / "a.md").write_text("| x y | 0.3456 ± 2,000 |\n| x z | 7 |\n")
    (tmp_path / "b.json").write_text('{"c": [120.4, 7], "d": 1e-05}')
    for file, place, divisor, number, there in (
        ("a.md", "x y", 1, "0.35", True),
        ("a.md", "x y", 1, "0.34", False),
        ("a.md", "x y", 1, "2,000", True),
        ("a.md", "x y", 1, "7", False),
        ("b.json", "c.0", 60, "2", True),
        ("b.json", "c.0", 60, "7", False),
        ("b.json", "d", 1, "0.00001", True),
        ("said", "", 1, "99", True),
    ):
        assert (missing(Source(file, place, divisor, [number]), tmp_path) == []) is there
    with pytest.raises(ValueError, match="a source must be file"):
        sources("<!-- from nothing -->")
