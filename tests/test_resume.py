"""Killed at any moment and resumed: the same bits as if nothing had happened."""

from __future__ import annotations

import contextlib
import csv
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

import pytest
import torch
from command_line import FIT, assert_same_bits, call, load, refuse, succeed

from badger_graph import files
from badger_graph.cli import fit_main
from badger_graph.logs import read_measurements
from badger_graph.runs import last_checkpoint
from scripts import kill_runs

TINY = [
    *("--config", "smoke", "--evaluate", "false", "--batch_size", "4", "--num_steps", "4"),
    *("--trainer.val_check_interval", "10", "--trainer.log_every_n_steps", "2"),
]

RANDOM = [
    *("--topology.redraw", "agent", "--birth.identifiers", "random"),
    *("--birth.initial_state", "random", "--trainer.accumulate_grad_batches", "2"),
    *("--optimizer", "pytorch_optimizer.SOAP", "--optimizer.weight_decay", "0.0"),
]

Step = int


def start_and_kill(cwd: Path, *arguments: str, after: Step) -> Step:
    """Start a run without end, kill it after that outer step, and say which step is saved."""
    saved = cwd / "run" / "checkpoints" / "last.ckpt"
    command = [sys.executable, FIT, *TINY, *arguments, "--run_dir", "run", "--max_steps", "-1"]
    with (cwd / "printed.txt").open("a+") as printed:
        process = subprocess.Popen(command, cwd=cwd, stdout=printed, stderr=printed)
        try:
            step, deadline = -1, time.monotonic() + 90
            while step <= after:
                printed.seek(0)
                assert process.poll() is None, printed.read()
                assert time.monotonic() < deadline, printed.read()
                time.sleep(0.02)
                with contextlib.suppress(FileNotFoundError):
                    step = load(saved)["global_step"]
            time.sleep(0.05)  # some steps more, which are lost
        finally:
            os.kill(process.pid, signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL
    return load(saved)["global_step"]


def logged(run: Path) -> dict[tuple[str, bool], dict[str, str]]:
    """Rows of the logs by step and kind; a later log replaces an earlier one."""
    rows = {}
    for path in sorted(run.glob("logs/version_*/metrics.csv")):
        for row in csv.DictReader(path.open()):
            rows[row["step"], bool(row["val/error"])] = {**row, "epoch": "0"}
    return rows


def memory(checkpoint: dict, callback: str) -> dict:
    """What a callback has saved, but for paths."""
    (state,) = [state for key, state in checkpoint["callbacks"].items() if key.startswith(callback)]
    names = ("wait_count", "best_score", "best_model_score", "kth_value", "stopped_epoch")
    return {name: state[name] for name in names if name in state}


@pytest.mark.parametrize("options", [[], RANDOM], ids=["fixed", "random"])
def test_killed_twice(tmp_path: Path, options: list[str]) -> None:
    first = start_and_kill(tmp_path, *options, after=0)
    before = [path.read_text() for path in tmp_path.glob("run/logs/version_0/metrics.csv")]
    assert len(before) == 1
    second = start_and_kill(tmp_path, "--ckpt_path", "last", after=first)
    end = str(second + 15)  # not at a validation
    succeed(fit_main, "--run_dir=run", "--ckpt_path=last", "--max_steps", end, cwd=tmp_path)
    arguments = [*TINY, *options, "--run_dir", "whole", "--max_steps", end]
    succeed(fit_main, *arguments, cwd=tmp_path)

    for name in ("last", "best"):
        given, expected = (
            load(tmp_path / run / "checkpoints" / f"{name}.ckpt") for run in ("run", "whole")
        )
        for key in ("global_step", "state_dict", "optimizer_states", "badger_graph"):
            assert_same_bits(given[key], expected[key], key)
        for callback in ("EarlyStopping", "ModelCheckpoint"):
            assert_same_bits(memory(given, callback), memory(expected, callback), callback)
    assert load(tmp_path / "run" / "checkpoints" / "last.ckpt")["global_step"] == second + 15

    assert [tmp_path.joinpath("run/logs/version_0/metrics.csv").read_text()] == before
    whole = logged(tmp_path / "whole")
    assert whole
    assert {key: row for key, row in logged(tmp_path / "run").items() if key in whole} == whole


def test_last_is_kept_on_a_plateau(tmp_path: Path) -> None:
    """Also when the validation error is no better than it was."""
    stuck = ["--optimizer", "SGD", "--optimizer.lr", "0", "--max_steps", "35"]
    succeed(fit_main, *TINY, *stuck, "--run_dir", "run", cwd=tmp_path)
    assert load(tmp_path / "run/checkpoints/best.ckpt")["global_step"] == 10
    assert load(tmp_path / "run/checkpoints/last.ckpt")["global_step"] == 35


def test_an_epoch_of_limited_length_goes_on_in_the_stream(tmp_path: Path) -> None:
    limited = ["--trainer.limit_train_batches", "7", "--run_dir", "limited"]
    for arguments in (limited, ["--run_dir", "endless"]):
        succeed(fit_main, *TINY, "--max_steps", 30, *arguments, cwd=tmp_path)
    given, expected = (
        load(tmp_path / run / "checkpoints/last.ckpt") for run in ("limited", "endless")
    )
    assert_same_bits(given["state_dict"], expected["state_dict"])


def test_an_interrupt_leaves_checkpoints_and_logs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(trainer: object, module: torch.nn.Module, *_: object) -> None:
        if module.global_step == 15:
            raise KeyboardInterrupt

    bar = "badger_graph.callbacks.progress.OuterLoopBar"
    monkeypatch.setattr(f"{bar}.on_train_batch_start", interrupt)
    stopped = call(fit_main, *TINY, "--run_dir", "run", cwd=tmp_path)
    assert stopped.code == 1
    assert "interrupted at outer step 15; --ckpt_path last goes on" in stopped.out
    assert load(tmp_path / "run/checkpoints/last.ckpt")["global_step"] == 10
    assert ("13", False) in logged(tmp_path / "run")


# --------------------------------------------------------- kills inside of saves, in this process


class Killed(BaseException):
    """In place of a SIGKILL: nobody catches it, and nobody may clean up after it."""


def die_in_a_save(kill: kill_runs.Kill, cwd: Path) -> None:
    """Stop in the midst of a save, with the files that a kill leaves."""

    def die(*_: object) -> None:
        shutil.copytree(cwd / "run", cwd / "left")
        raise Killed

    try:
        kill_runs.die_in_a_save(kill)
        with mock.patch("os.kill", die), pytest.raises(Killed):
            call(fit_main, *SHORT, "--run_dir", "run", cwd=cwd)
    finally:
        mock.patch.stopall()
    shutil.rmtree(cwd / "run")
    (cwd / "left").rename(cwd / "run")


SHORT = [
    *TINY,
    *("--max_steps", "6", "--trainer.val_check_interval", "2"),
    *("--curriculum", "one_more_output", "--curriculum.threshold", "9", "--curriculum.window", "2"),
    *("--curriculum.last", "3", "--measurements.measures", "{output_errors: 2}"),
    *("--measurements.num_tasks", "4"),
]

# The first of all and each moment of it, then each file; scripts/kill_runs.py has them all.
SAVES = [
    *(("best.ckpt", 0, moment) for moment in kill_runs.MOMENTS),
    *(("last.ckpt", 0, "half-way"), ("last.ckpt", 1, "before the swap")),
    *(("stage0.ckpt", 0, "after the swap"), ("stage2.ckpt", 0, "first byte")),
    ("config.yaml", 0, "half-way"),
    ("measurements.jsonl", 0, "first byte"),
]


@pytest.fixture(scope="module")
def unkilled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nothing happens to."""
    folder = tmp_path_factory.mktemp("unkilled")
    succeed(fit_main, *SHORT, "--run_dir", "run", cwd=folder)
    return folder / "run"


@pytest.mark.parametrize("save", SAVES, ids=str)
def test_killed_inside_a_save(tmp_path: Path, unkilled: Path, save: tuple[str, int, str]) -> None:
    die_in_a_save(kill_runs.Kill(*save), tmp_path)
    resumed = call(fit_main, "--run_dir", "run", "--ckpt_path", "last", cwd=tmp_path)
    if not list(tmp_path.glob("run/checkpoints/*.ckpt")):
        assert resumed.code == 2
        assert "--ckpt_path last needs a" in resumed.err
        resumed = call(fit_main, *SHORT, "--run_dir", "run", cwd=tmp_path)
    assert resumed.code == 0, resumed.err
    assert not list(tmp_path.rglob("*.partial"))
    expected = sorted(unkilled.glob("checkpoints/*.ckpt"))
    given = sorted(tmp_path.glob("run/checkpoints/*.ckpt"))
    assert [path.name for path in given] == [path.name for path in expected]
    for path, other in zip(given, expected, strict=True):
        for key in ("global_step", "state_dict", "optimizer_states"):
            assert_same_bits(load(path)[key], load(other)[key], f"{path.name} {key}")
    assert read_measurements(tmp_path / "run") == read_measurements(unkilled)


def test_a_run_without_a_whole_checkpoint_starts_afresh(tmp_path: Path, unkilled: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(unkilled, run)
    for path in run.glob("checkpoints/*.ckpt"):
        path.write_bytes(path.read_bytes()[:500])
    (run / "checkpoints" / "best.ckpt.partial").touch()
    refused = refuse(fit_main, "--run_dir", "run", "--ckpt_path", "last", cwd=tmp_path)
    assert "got none in run; without --ckpt_path its run starts afresh" in refused
    afresh = succeed(fit_main, *SHORT, "--run_dir", "run", cwd=tmp_path)
    assert "run holds no whole checkpoint: its run starts afresh" in afresh.err
    assert not list(run.rglob("*.partial"))
    names = ("last.ckpt", "best.ckpt")
    for given, expected in ((load(r / "checkpoints" / n) for r in (run, unkilled)) for n in names):
        assert_same_bits(given["state_dict"], expected["state_dict"])


def test_last_falls_back_to_the_latest_whole_checkpoint(tmp_path: Path, unkilled: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(unkilled, run)
    said: list[str] = []
    assert last_checkpoint(run, said.append) == run / "checkpoints" / "last.ckpt"
    assert not said
    last = run / "checkpoints" / "last.ckpt"
    last.write_bytes(last.read_bytes()[:1000])
    steps = {
        path: load(path)["global_step"] for path in run.glob("checkpoints/*.ckpt") if path != last
    }
    found = last_checkpoint(run, said.append)
    assert found in steps
    assert steps[found] == max(steps.values())
    assert "passed over" in said[0]
    assert "last.ckpt' is truncated" in said[0]


# ------------------------------------------------------------------------- where a run goes on


def test_a_copied_run_goes_on_in_its_own_folder(tmp_path: Path, unkilled: Path) -> None:
    """Whatever its settings say, and with the best checkpoint that it had."""
    (tmp_path / "a").mkdir()
    succeed(fit_main, *SHORT, "--run_dir", "a/run", cwd=tmp_path)
    shutil.copytree(tmp_path / "a/run", tmp_path / "b")
    before = {path: path.read_bytes() for path in tmp_path.glob("a/**/*") if path.is_file()}
    for run in ("b", "a/run"):
        arguments = ["--ckpt_path", f"{run}/checkpoints/last.ckpt", "--max_steps", "12"]
        resumed = succeed(fit_main, *arguments, cwd=tmp_path)
        assert f"settings from {tmp_path / run / 'config.yaml'}" in resumed.out
        if run == "b":
            now = {path: path.read_bytes() for path in tmp_path.glob("a/**/*") if path.is_file()}
            assert now == before
            assert "run_dir: null" in (tmp_path / "b/config.yaml").read_text()
            assert str(tmp_path / "a") not in (tmp_path / "b/config.yaml").read_text()
    for name in ("last", "best"):
        given, expected = (
            load(tmp_path / run / "checkpoints" / f"{name}.ckpt") for run in ("b", "a/run")
        )
        assert_same_bits(given["state_dict"], expected["state_dict"])
        assert_same_bits(memory(given, "ModelCheckpoint"), memory(expected, "ModelCheckpoint"))


def test_one_process_writes_a_run(tmp_path: Path, unkilled: Path) -> None:
    """Another is refused, to begin or to go on, until the system has let the first one go."""
    shutil.copytree(unkilled, tmp_path / "run")
    (tmp_path / "new").mkdir()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("run/**/*")}
    program = (
        f"import runpy, time\nonly_writer = runpy.run_path({files.__file__!r})['only_writer']\n"
        "with only_writer('run'), only_writer('new'):\n    print(flush=True)\n    time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        resumed = ["--run_dir", "run", "--ckpt_path", "last", "--max_steps", "9"]
        for arguments in (resumed, [*SHORT, "--run_dir", "new"]):
            refused = refuse(fit_main, *arguments, cwd=tmp_path)
            assert f"by one process at a time, but process {other.pid} writes" in refused
        other.kill()
    now = {path: path.stat().st_mtime_ns for path in tmp_path.glob("run/**/*")}
    lock = tmp_path / "run" / ".lock"
    assert {**now, lock: 0} == {**before, lock: 0}
    for arguments in (resumed, [*SHORT, "--run_dir", "new"]):
        succeed(fit_main, *arguments, cwd=tmp_path)
