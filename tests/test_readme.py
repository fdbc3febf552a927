"""What README.md and the pages of docs say one can type works, and what they link is there."""

from __future__ import annotations

import json
import math
import re
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import get_args

import pytest
import torch
import yaml
from command_line import ROOT, succeed
from pages import PAGES, anchors, code, read

import badger_graph
from badger_graph.analysis.measures import MEASURES
from badger_graph.arguments import COMPONENTS
from badger_graph.cli import SHORT, evaluate_main, fit_main
from badger_graph.executors.prepare import ExecutorName
from badger_graph.experiments.why_hard import EXPERIMENTS
from badger_graph.experiments.why_hard.base import CHANCE

LINES = 130
"""Of README.md, at most: the rest is in docs."""

COMMANDS = sorted(
    {
        command
        for block in code("bash", *PAGES)
        for command in re.findall(r"scripts/fit\.py (.*)", block.replace("\\\n", " "))
    }
)

EXAMPLES = code("python", *PAGES)

NAMES: dict[str, Iterable[str]] = {
    "topologies": COMPONENTS["topology"][1],
    "policies": COMPONENTS["policy"][1],
    "membranes": COMPONENTS["membrane"][1],
    "tasks": COMPONENTS["task"][1],
    "outer_loop": COMPONENTS["meta_loss"][1],
    "curricula": COMPONENTS["curriculum"][1],
    "executors": set(get_args(ExecutorName)) - {"auto"},
    "experiments": EXPERIMENTS,
}
"""What must be named both in README.md and on a page."""

PRESETS = {file.stem for file in (ROOT / "configs").glob("*.yaml")} - {"fit"}


@pytest.mark.parametrize("command", COMMANDS)
def test_command_is_understood(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["fit.py"])
    with pytest.raises(SystemExit) as stopped:
        fit_main([*shlex.split(command), "--print_config"])
    assert stopped.value.code == 0
    assert "class_path: topologies" in capsys.readouterr().out


@pytest.mark.parametrize("example", EXAMPLES, ids=EXAMPLES.get)
def test_python_example_succeeds(
    example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Errors that are printed are far below chance; trainings are cut down to a few steps."""
    monkeypatch.chdir(tmp_path)
    short = re.sub(r"\b(max_steps|val_check_interval)=\d+", r"\1=2", example)
    printed: list[object] = []
    exec(compile(short, EXAMPLES[example], "exec"), {"print": lambda *of: printed.extend(of)})
    assert printed
    if "loss" in example:
        errors = [one.item() for one in printed if isinstance(one, torch.Tensor)]
        assert errors
        assert max(errors) < (CHANCE / 20 if short == example else math.inf)


def test_evaluation_succeeds(tmp_path: Path) -> None:
    """That of a shipped policy, as typed but for baselines and figures."""
    texts = "\n".join(map(read, PAGES))
    (typed,) = set(re.findall(r"`python scripts/evaluate\.py (micro_badger [^`]*)`", texts))
    more = ["--baselines", "false", "--figures", "false", "--folder", str(tmp_path)]
    succeed(evaluate_main, *typed.split(), *more, cwd=tmp_path)
    errors = json.loads((tmp_path / "evaluation.json").read_text())["errors"]["agent"]
    assert errors[-1] < CHANCE / 20


def test_commands_that_ci_runs() -> None:
    ci, readme = read(".ci/run"), read("README.md")
    starts = re.findall(r"grep -m1 '\^(.*?)'", ci)
    assert len(starts) == 2
    for start in starts:
        assert any(line.startswith(start) for line in readme.splitlines())
    (site,) = re.findall(r"`(.*? -m sphinx .*?)`", readme)
    assert site in ci.splitlines()


def test_readme_is_short() -> None:
    assert len(read("README.md").splitlines()) <= LINES


@pytest.mark.parametrize("page", NAMES)
def test_every_part_is_named(page: str) -> None:
    for name in NAMES[page]:
        for place in (f"docs/{page}.md", "README.md"):
            assert f"`{name}`" in read(place), f"{place} does not name {name}"


def test_every_flag_preset_and_measure_is_named() -> None:
    page = read("docs/command_line.md")
    for flag in (*COMPONENTS, *SHORT):
        assert f"`--{flag}`" in page
    for preset in PRESETS:
        assert f"`{preset}`" in page
    for measure in MEASURES:
        assert f"`{measure}`" in read("docs/measures.md")


@pytest.mark.parametrize("page", PAGES)
def test_presets_and_scripts_that_are_named_are_there(page: str) -> None:
    text = read(page)
    scripts = {file.name for file in (ROOT / "scripts").iterdir()}
    assert set(re.findall(r"\bscripts/(\w+\.\w+)", text)) <= scripts
    presets = set(re.findall(r"--config (\w+)(?![\w.])", text))
    assert presets <= PRESETS | {"NAME", "mine"}  # mine.yaml is the reader's


@pytest.mark.parametrize("page", [*PAGES, "CONTRIBUTING.md", "CHANGELOG.md"])
def test_every_picture_and_page_is_there(page: str) -> None:
    """Where GitHub looks; building the site finds what it misses by itself."""
    for target in re.findall(r"\]\(((?!http)[^)]+)\)", re.sub(r"`[^`]*`", "", read(page))):
        name, _, anchor = target.partition("#")
        file = ((ROOT / page).parent / name).resolve() if name else ROOT / page
        assert file.is_file(), f"{page} points to {target}, which is not there"
        if anchor:
            there = anchors(str(file.relative_to(ROOT)))
            assert anchor in there, f"{page} points to {target}, one of {sorted(there)}"


def test_citation() -> None:
    citation = yaml.safe_load(read("CITATION.cff"))
    assert citation["version"] == badger_graph.__version__
    paper, study = citation["references"]
    assert "1912.01513" in paper["url"]
    assert study["authors"][0]["family-names"] == "Šimánek"


@pytest.mark.parametrize("table", sorted((ROOT / "results").glob("*.md")), ids=lambda p: p.stem)
def test_a_page_of_results_shows_what_the_commands_wrote(table: Path) -> None:
    pages = ("docs/results.md", "docs/online.md", "docs/lasting.md")
    assert table.read_text().strip() in "\n".join(map(read, pages))
