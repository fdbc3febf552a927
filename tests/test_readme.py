"""What README.md says one can type works as typed."""

from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path

import pytest
import torch
from command_line import call

from badger_graph.cli import SHORT, evaluate_main, fit_main
from badger_graph.experiments.why_hard.base import CHANCE
from topologies import TOPOLOGIES

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
COMMANDS = [
    line
    for block in re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    if line.startswith("python scripts/fit.py")
]


@pytest.mark.parametrize("command", COMMANDS)
def test_command_is_understood(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = shlex.split(command)[2:]
    monkeypatch.setattr(sys, "argv", ["fit.py"])
    with pytest.raises(SystemExit) as stopped:
        fit_main([*arguments, "--print_config"])
    assert stopped.value.code == 0
    assert "class_path: topologies" in capsys.readouterr().out


@pytest.mark.parametrize("example", re.findall(r"```python\n(.*?)```", README, re.DOTALL))
def test_python_example_succeeds(
    example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Errors that are printed are far below chance."""
    monkeypatch.chdir(tmp_path)
    printed: list[object] = []
    exec(compile(example, "README.md", "exec"), {"print": lambda *of: printed.extend(of)})
    assert printed
    if "loss" in example:
        errors = [one.item() for one in printed if isinstance(one, torch.Tensor)]
        assert errors
        assert max(errors) < CHANCE / 20


def test_evaluation_succeeds(tmp_path: Path) -> None:
    """That of a shipped policy, as typed but for baselines and figures."""
    (typed,) = re.findall(r"`python scripts/evaluate\.py (micro_badger [^`]*)`", README)
    more = ["--baselines", "false", "--figures", "false", "--folder", str(tmp_path)]
    result = call(evaluate_main, *typed.split(), *more, cwd=tmp_path)
    assert result.code == 0, result.err
    errors = json.loads((tmp_path / "evaluation.json").read_text())["errors"]["agent"]
    assert errors[-1] < CHANCE / 20


def test_two_commands_that_ci_runs() -> None:
    ci = (ROOT / ".ci" / "run").read_text()
    for start in re.findall(r"grep -m1 '\^(.*?)'", ci):
        assert any(line.startswith(start) for line in README.splitlines())


def test_every_topology_and_short_flag_is_named() -> None:
    for name in TOPOLOGIES:
        assert f"`{name}`" in README, f"README.md does not name the topology {name}"
    for flag in SHORT:
        assert f"--{flag}" in README, f"README.md does not name --{flag}"


def test_every_picture_and_page_is_there() -> None:
    for target in re.findall(r"\]\(((?!http)[^)#]+)", README):
        assert (ROOT / target).is_file(), f"README.md points to {target}, which is not there"


@pytest.mark.parametrize("table", sorted((ROOT / "results").glob("*.md")), ids=lambda p: p.stem)
def test_results_page_shows_what_the_commands_wrote(table: Path) -> None:
    assert table.read_text().strip() in (ROOT / "docs" / "results.md").read_text()
