"""Killed at any moment and resumed: the same bits as if nothing had happened."""

from __future__ import annotations

import contextlib
import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from command_line import FIT, assert_same_bits, call, load

from badger_graph.cli import fit_main
from badger_graph.outer.checkpoint import WholeFiles

TINY = [
    *("--config", "smoke", "--evaluate", "false", "--batch_size", "4", "--num_steps", "4"),
    *("--trainer.val_check_interval", "10", "--trainer.log_every_n_steps", "2"),
]

RANDOM = [
    *("--topology.redraw", "agent", "--model.agent.identifiers", "random"),
    *("--model.agent.initial_state", "random", "--trainer.accumulate_grad_batches", "2"),
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
    resumed = call(fit_main, "--run_dir=run", "--ckpt_path=last", "--max_steps", end, cwd=tmp_path)
    assert resumed.code == 0, resumed.err
    arguments = [*TINY, *options, "--run_dir", "whole", "--max_steps", end]
    assert call(fit_main, *arguments, cwd=tmp_path).code == 0

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
    assert call(fit_main, *TINY, *stuck, "--run_dir", "run", cwd=tmp_path).code == 0
    assert load(tmp_path / "run/checkpoints/best.ckpt")["global_step"] == 10
    assert load(tmp_path / "run/checkpoints/last.ckpt")["global_step"] == 35


def test_an_epoch_of_limited_length_goes_on_in_the_stream(tmp_path: Path) -> None:
    limited = ["--trainer.limit_train_batches", "7", "--run_dir", "limited"]
    for arguments in (limited, ["--run_dir", "endless"]):
        assert call(fit_main, *TINY, "--max_steps", 30, *arguments, cwd=tmp_path).code == 0
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

    bar = "badger_graph.outer.progress.OuterLoopBar"
    monkeypatch.setattr(f"{bar}.on_train_batch_start", interrupt)
    stopped = call(fit_main, *TINY, "--run_dir", "run", cwd=tmp_path)
    assert stopped.code == 1
    assert "interrupted at outer step 15; --ckpt_path last goes on" in stopped.out
    assert load(tmp_path / "run/checkpoints/last.ckpt")["global_step"] == 10
    assert ("13", False) in logged(tmp_path / "run")


def test_a_kill_while_saving_leaves_the_old_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "last.ckpt"
    WholeFiles().save_checkpoint({"step": 1}, path)

    def half(checkpoint: object, path: Path | str) -> None:
        Path(path).write_bytes(b"half")
        raise InterruptedError

    monkeypatch.setattr("lightning.fabric.plugins.io.torch_io._atomic_save", half)
    with pytest.raises(InterruptedError):
        WholeFiles().save_checkpoint({"step": 2}, path)
    assert load(path) == {"step": 1}
