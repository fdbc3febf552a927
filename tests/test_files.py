"""Files: whole or not at all, said early when they cannot be written, and in words."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import call, refuse

from badger_graph.callbacks import WholeFiles
from badger_graph.cli import evaluate_main, fit_main, saying_what_is_wrong
from badger_graph.files import require_outputs, require_writable, whole_file, write_json


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def interrupted_while_writing(partial: Path) -> None:
    partial.write_text("{")
    raise KeyboardInterrupt


def test_a_file_is_whole_or_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "new" / "result.json"
    write_json(file, {"error": 0.25})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(file, {"error": float("nan")})
    with pytest.raises(KeyboardInterrupt), whole_file(file) as partial:
        interrupted_while_writing(partial)
    assert json.loads(file.read_text()) == {"error": 0.25}
    assert files(tmp_path) == ["new", "new/result.json"]


UNWRITABLE = {
    "file": errno.ENOTDIR,
    "file/in": errno.ENOTDIR,
    "/proc/x": errno.ENOENT,
    "x" * 300: errno.ENAMETOOLONG,
    "made/" + "x" * 300: errno.ENAMETOOLONG,
    "/".join(["x" * 200] * 30): errno.ENAMETOOLONG,
    "loop": errno.ELOOP,
}


@pytest.mark.parametrize("name", UNWRITABLE, ids=lambda name: name[:12])
def test_what_cannot_be_written_is_said_early_and_leaves_no_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    Path("loop").symlink_to("loop")
    before = files(tmp_path)
    with pytest.raises(OSError) as caught:  # noqa: PT011 - the number is the point
        require_writable(Path(name) / "result.json")
    assert caught.value.errno == UNWRITABLE[name]
    started = call(fit_main, "--config", "smoke", "--run_dir", name, cwd=tmp_path)
    evaluated = call(evaluate_main, "micro_badger", "--folder", name, cwd=tmp_path)
    for result in (started, evaluated):
        assert result.code == 2, result.err
        assert result.err.startswith("error: files must be readable and writable, got '")
        assert f"({errno.errorcode[UNWRITABLE[name]]})" in result.err
        assert len(result.err) < 300
        assert len(result.err.splitlines()) == 1
    assert files(tmp_path) == before


def test_outputs_that_cannot_be(tmp_path: Path) -> None:
    require_outputs(tmp_path / "a" / "result.json")
    assert files(tmp_path) == []
    with pytest.raises(IsADirectoryError):
        require_outputs(tmp_path)
    for name, rule in (("", "name of a file"), ("a.md", "name of its table"), ("a\0", "null byte")):
        with pytest.raises(ValueError, match=rule):
            require_outputs(name)


def full(*_: Any, **__: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_leaves_no_partial_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor a traceback: which file it was, and the checkpoint before."""
    path = tmp_path / "last.ckpt"
    WholeFiles().save_checkpoint({"step": 1}, path)
    before = path.read_bytes()

    def half(checkpoint: object, path: Path | str) -> None:
        Path(path).write_bytes(b"half")
        full()

    monkeypatch.setattr("lightning.fabric.plugins.io.torch_io._atomic_save", half)
    with pytest.raises(OSError, match=r"No space left on device: '.*/last\.ckpt'"):
        WholeFiles().save_checkpoint({"step": 2}, path)
    assert path.read_bytes() == before
    assert files(tmp_path) == ["last.ckpt"]
    arguments = ["--config", "smoke", "--evaluate", "false", "--run_dir", "run"]
    result = refuse(fit_main, *arguments, cwd=tmp_path)
    assert "best.ckpt': No space left on device (ENOSPC)" in result
    assert not list(tmp_path.rglob("*.partial"))


def test_a_full_disk_while_evaluating(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(np, "savez_compressed", full)
    typed = ["--num_tasks", "2", "--baselines", "false", "--folder", "out"]
    result = refuse(evaluate_main, "micro_badger", *typed, cwd=tmp_path)
    assert "rollouts.npz': No space left on device (ENOSPC)" in result
    assert files(tmp_path) == ["out"]


def test_errors_that_no_file_system_made_keep_their_traceback() -> None:
    for error in (ConnectionResetError(errno.ECONNRESET, "reset"), OSError("no number")):
        with pytest.raises(OSError) as caught, saying_what_is_wrong():  # noqa: PT011
            raise error
        assert caught.value is error
