"""What every experiment is: one class a file and a script; its JSON is all it is drawn from."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import pytest
from command_line import ROOT, call, refuse
from matplotlib.figure import Figure

from badger_graph.experiments import paper, why_hard
from badger_graph.experiments.runner import Experiment, command, run
from badger_graph.logs import read_log
from topologies.checks import checked, size

ALL = {**paper.EXPERIMENTS, **why_hard.EXPERIMENTS}


class Squares(Experiment):
    """Counts.

    Args:
        words: what is counted.
        power: how.
    """

    name = "squares"

    @checked(power=size())
    def __init__(self, words: list[str], power: int = 2) -> None:
        self.words = words
        self.power = power

    def compute(self, file: Path) -> dict[str, Any]:
        before = json.loads(file.read_text())["runs"] if file.exists() else 0
        return {"runs": before + 1, "lengths": [len(word) ** self.power for word in self.words]}

    @staticmethod
    def markdown(result: dict[str, Any]) -> str:
        return f"| {result['runs']} | {result['lengths']} |"

    @staticmethod
    def figure(result: dict[str, Any]) -> Figure | None:
        return Figure() if result["runs"] > 1 else None


def test_an_experiment_is_kept_tabulated_and_drawn(tmp_path: Path) -> None:
    file = tmp_path / "new" / "squares.json"
    for runs in (1, 2):
        result = run(Squares(["a", "bb"]), file)
        assert result == json.loads(file.read_text()) == {"runs": runs, "lengths": [1, 4]}
        assert file.with_suffix(".md").read_text() == f"| {runs} | [1, 4] |\n"
        assert file.with_suffix(".png").exists() == (runs > 1)


def test_its_flags_are_the_arguments_of_its_constructor(tmp_path: Path) -> None:
    main = command(Squares)
    done = call(main, "--words", "abc", "d", "--power", "3", cwd=tmp_path)
    assert (done.code, done.out) == (0, "| 1 | [27, 1] |\n")
    assert (tmp_path / "results" / "squares.json").is_file()
    elsewhere = call(main, "--words", "a", "--out", "b.json", cwd=tmp_path)
    assert (elsewhere.code, (tmp_path / "b.md").is_file()) == (0, True)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["--words", "a", "--power", "0"], "power must be at least 1, got 0"),
        (["--words", "a", "--out", "/dev/null/x.json"], "/dev/null"),
        (["--power", "2"], "words"),
        (["--words", "a", "--colour", "red"], "colour"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: list[str], said: str
) -> None:
    monkeypatch.setattr(Squares, "compute", None)
    wrong = refuse(command(Squares), *typed, cwd=tmp_path)
    assert said in wrong
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ALL)
def test_one_experiment_a_file(name: str) -> None:
    file = Path(inspect.getfile(ALL[name]))
    assert file.stem == name
    assert not inspect.isabstract(ALL[name])


@pytest.mark.parametrize("name", paper.EXPERIMENTS)
def test_scripts_name_their_experiment_and_no_more(name: str) -> None:
    assert len((ROOT / "scripts" / f"{name}.py").read_text().splitlines()) < 15


def test_all_pieces_of_a_training_are_one_log(tmp_path: Path) -> None:
    """Each column of a piece gives way to the next from where that began to train."""
    pieces = {
        2: "step,train/error,val/error\n9,0.5,\n19,0.4,\n19,,0.6\n29,0.3,",
        10: "step,val/error,train/error\n19,,0.2\n24,0.1,\n",
        11: "step,val/error\n0,0.7\n",  # a validation
    }
    for version, text in pieces.items():
        (tmp_path / f"version_{version}").mkdir()
        (tmp_path / f"version_{version}" / "metrics.csv").write_text(text)
    assert read_log(tmp_path) == {"train/error": {9: 0.5, 19: 0.2}, "val/error": {24: 0.1}}
    assert read_log(tmp_path / "none") == {}
