"""Compile the operators for this machine, once, and load them."""

from __future__ import annotations

import functools
import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock  # comes with torch
from torch import Tensor
from torch.utils.cpp_extension import include_paths, library_paths

SOURCES = [Path(__file__).parent / name for name in ("gru_stage.cpp", "tiles.h")]

NO_NATIVE = "BADGER_GRAPH_NO_NATIVE"
"""Set it to do without the native operators."""

EXTRA_FLAGS = "BADGER_GRAPH_CXXFLAGS"
"""What it holds is given to the compiler too; a library of its own comes of it."""

INSTRUCTIONS = {
    "AVX512": ["-mavx512f", "-mavx512dq", "-mavx512vl", "-mavx512bw", "-mfma"],
    "AVX2": ["-mavx2", "-mfma", "-mf16c"],
}
"""Compiler flags for what torch found this processor to be capable of."""


@functools.cache
def load() -> str | None:
    """Make ``torch.ops.badger_graph`` available; what is missing for it, or None.

    The library is compiled when first asked for, with a message, and kept in
    ``~/.cache/badger_graph`` (``XDG_CACHE_HOME`` moves it) under a name made of its sources, the
    flags and the version of torch.
    """
    if value := os.environ.get(NO_NATIVE):
        return f"{NO_NATIVE} to be unset, got {value!r}"
    path = _cache() / f"gru_stage-{_fingerprint()}.so"
    if not _whole(path):
        compiler = shutil.which(os.environ.get("CXX", "c++"))
        if compiler is None:
            _say("no C++ compiler found (c++, or CXX), so slower PyTorch operations serve instead")
            return "a C++ compiler, got none"
        if (problem := _compile_once(path, compiler)) is not None:
            return problem
    torch.ops.load_library(path)
    torch.library.register_fake("badger_graph::gru_stage_forward", _fake_forward)
    torch.library.register_fake("badger_graph::gru_stage_backward", _fake_backward)
    return None


def _compile_once(path: Path, compiler: str) -> str | None:
    lock = path.with_suffix(".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.touch()
    except OSError as error:
        _say(f"cannot write to {path.parent}, so slower PyTorch operations serve instead")
        return f"to write to {path.parent}, or wherever XDG_CACHE_HOME points, got {error}"
    with FileLock(lock):  # other processes wait for the first
        if _whole(path):
            return None
        if path.exists():
            _say(f"{path} is damaged, so it is made again")
        _say("compiling the fused communication stage for this machine, once: about a minute")
        start = time.perf_counter()
        draft = path.with_suffix(f".{os.getpid()}")
        process = subprocess.run(_command(compiler, draft), capture_output=True, text=True)
        if process.returncode:
            report = path.with_suffix(".log")
            report.write_text(f"{shlex.join(process.args)}\n{process.stderr}")
            _say(f"compiling failed, so slower PyTorch operations serve instead; see {report}")
            return f"a C++ compiler that works, got one that does not; see {report}"
        _sum(path).write_text(hashlib.sha256(draft.read_bytes()).hexdigest())
        os.replace(draft, path)  # whole or not at all
        _say(f"done in {time.perf_counter() - start:.0f} s, kept as {path}")
    return None


def _whole(path: Path) -> bool:
    """Whether a library is there, as it was made: to load one cut short can end the process."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() == _sum(path).read_text()
    except OSError:
        return False


def _sum(path: Path) -> Path:
    return path.with_suffix(".sha256")


def _command(compiler: str, out: Path) -> list[str]:
    link = ["-ltorch_cpu", "-ltorch", "-lc10"]
    if sys.platform == "linux":
        link.append("-l:libgomp.so.1")  # the threads of torch, not a second set of our own
    else:
        link += ["-undefined", "dynamic_lookup"]
    return [
        *(compiler, *_flags(), "-shared", "-fPIC", str(SOURCES[0]), "-o", str(out)),
        *(f"-isystem{folder}" for folder in include_paths()),
        *(f"-L{folder}" for folder in library_paths()),
        *link,
    ]


def _flags() -> list[str]:
    capability = torch.backends.cpu.get_cpu_capability()
    instructions = INSTRUCTIONS.get(capability)
    name = capability if instructions else "DEFAULT"
    optimise = ["-O3", "-std=c++20", "-fno-math-errno", "-fno-trapping-math", "-w"]
    if sys.platform == "linux":
        optimise.append("-fopenmp")
    extra = shlex.split(os.environ.get(EXTRA_FLAGS, ""))
    return [
        *optimise,
        f"-DCPU_CAPABILITY={name}",
        f"-DCPU_CAPABILITY_{name}",
        *(instructions or []),
        *extra,
    ]


def _fingerprint() -> str:
    what = [source.read_bytes() for source in SOURCES]
    what += [" ".join(_flags()).encode(), torch.__version__.encode(), sys.platform.encode()]
    return hashlib.sha256(b"\0".join(what)).hexdigest()[:16]


def _cache() -> Path:
    cache_home = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # The XDG specification: a path that is empty or relative is ignored.
    return (cache_home if cache_home.is_absolute() else Path.home() / ".cache") / "badger_graph"


def _say(message: str) -> None:
    print(f"badger-graph: {message}", file=sys.stderr, flush=True)


def _fake_forward(hidden: Tensor, *others: Any) -> tuple[Tensor, Tensor, Tensor]:
    *_, message, _, keep = others
    row = -(-message // 16) - 4 * (-hidden.size(1) // 16)
    activations = hidden.new_empty(hidden.size(0) if keep else 0, 16 * row)
    return torch.empty_like(hidden), hidden.new_empty(hidden.size(0)), activations


def _fake_backward(grad_next: Tensor, grad_said: Tensor, *others: Any) -> list[Tensor]:
    hidden, percept, identifier, _, _, coefficient, _, _, _, packed, *_, needs = others
    like = (hidden, percept, identifier, coefficient, packed)
    return [
        torch.empty_like(tensor) if need else tensor.new_empty(0)
        for tensor, need in zip(like, (True, *needs), strict=True)
    ]
