"""What was written before a class moved names it where it was, and is read all the same."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import yaml
from bad_inputs import files
from command_line import succeed

from badger_graph.cli import fit_main
from badger_graph.library.upgrade import MOVED, current

FAST = [*files.FAST, "--max_steps", "1", "--run_dir", "run"]

BEFORE = {now: before for before, now in MOVED.items()}


@pytest.mark.parametrize("before", MOVED)
def test_where_it_is_now(before: str) -> None:
    module, _, name = MOVED[before].rpartition(".")
    made = getattr(importlib.import_module(module), name)
    assert f"{made.__module__}.{made.__qualname__}" == MOVED[before]
    assert current(MOVED[before]) == MOVED[before]


def test_only_whole_names_change() -> None:
    before, now = next(iter(MOVED.items()))
    assert current({"a": [before, 1, None], "b": {before: f"x={before},"}}) == {
        "a": [now, 1, None],
        "b": {before: f"x={now},"},
    }
    for other in (f"my.{before}", f"{before}.part", f"{before}s"):
        assert current(other) == other


@pytest.fixture(scope="module")
def old_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose settings were written before any class moved."""
    folder = tmp_path_factory.mktemp("old")
    annealing = ["--policy", "chaotic", "--trainer.callbacks+", "badger_graph.outer.anneal.Anneal"]
    buffer = ["--trainer.callbacks.buffer", "policy.chaos"]
    succeed(fit_main, *FAST, *annealing, *buffer, cwd=folder)
    file = folder / "run" / "config.yaml"
    text = file.read_text()
    for now, before in BEFORE.items():
        text = text.replace(now, before)
    for name in ("anneal.Anneal", "checkpoint.WholeFiles", "progress.OuterLoopBar"):
        assert f"badger_graph.outer.{name}" in text
    file.write_text(text)
    return folder


def test_an_old_run_goes_on(old_run: Path) -> None:
    succeed(fit_main, "--ckpt_path", "last", *FAST, "--max_steps", "2", cwd=old_run)
    settings = yaml.safe_load((old_run / "run" / "config.yaml").read_text())
    named = [callback["class_path"] for callback in settings["trainer"]["callbacks"]]
    assert named == [
        "badger_graph.callbacks.progress.OuterLoopBar",
        "badger_graph.callbacks.record.TrainingRecord",
        "badger_graph.callbacks.annealing.Annealing",
    ]


def test_old_settings_are_a_preset(old_run: Path) -> None:
    preset = old_run / "preset.yaml"
    callbacks = [{"class_path": "badger_graph.outer.progress.OuterLoopBar"}]
    preset.write_text(yaml.safe_dump({"trainer": {"callbacks": callbacks}}))
    arguments = [*FAST[:-1], "another", "--config", "preset.yaml"]
    succeed(fit_main, *arguments, cwd=old_run)
