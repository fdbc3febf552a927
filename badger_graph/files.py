"""Files: whole or not at all, one writer at a time, and said early when they cannot be written."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

try:
    import fcntl
except ImportError:  # Windows: nothing is locked
    fcntl = None  # type: ignore[assignment]

PARTIAL = ".partial"
"""Ends the name of a file while it is written."""

LOCK = ".lock"

REFUSALS = frozenset(
    (
        *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EISDIR),
        *(errno.EEXIST, errno.ENOTEMPTY, errno.ENAMETOOLONG, errno.ELOOP, errno.ENOSPC),
        *(errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EMFILE, errno.ENFILE, errno.EXDEV),
        *(errno.EINVAL, errno.EBUSY, errno.ETXTBSY, errno.ESTALE, errno.ENODEV, errno.ENXIO),
        *(errno.ENOTSUP, errno.ENOSYS),
    )
)
"""With these a file system refuses what a user asked for; any other error is a bug of ours."""


@contextmanager
def naming(file: str | Path) -> Iterator[None]:
    """Let an error of the file system that names no file, such as that of a full disk, name one."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(file)
        raise


@contextmanager
def whole_file(file: str | Path) -> Iterator[Path]:
    """A name to write to, which becomes ``file`` at the end: a kill or error leaves the old one."""
    partial = Path(f"{file}{PARTIAL}")
    try:
        with naming(file):
            yield partial
            os.replace(partial, file)
    except BaseException:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise


def write_text(file: str | Path, text: str) -> None:
    """Write a text, whole or not at all; its folder is made."""
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    with whole_file(file) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(file: str | Path, data: Any) -> None:
    """Write plain data as JSON, whole or not at all; its folder is made."""
    write_text(file, json.dumps(data, indent=1, allow_nan=False) + "\n")


def read_json(file: str | Path) -> Any:
    """What a JSON file holds.

    Raises:
        ValueError: when it is no JSON; names the file.
        OSError: when it cannot be read.
    """
    try:
        return json.loads(Path(file).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"a result must be a JSON file, got {str(file)!r}: {error}") from error


def append_line(file: Path, line: str) -> None:
    """Write one line more; what a kill in the midst of it leaves has no end of line."""
    with naming(file), file.open("a", encoding="utf-8") as lines:
        lines.write(line + "\n")


def require_writable(*files: str | Path) -> None:
    """Try whether files can be written, folders and all, and leave no trace.

    Raises:
        OSError: when one cannot; its errno and file name say why.
    """
    for file in map(Path, files):
        if "\0" in str(file):
            raise ValueError(f"the name of a file must hold no null byte, got {str(file)!r}")
        if file.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(file))
        with _temporary_folder(file.parent), naming(file):
            with suppress(FileNotFoundError):
                os.lstat(f"{file}{PARTIAL}")  # its name may be too long
            with TemporaryFile(dir=file.parent, buffering=0) as probe:
                probe.write(b"?")


def require_outputs(file: str | Path) -> None:
    """Try whether a result can be written: a JSON, and its table and figure beside it.

    Raises:
        OSError: as :func:`require_writable`.
        ValueError: when these would be one file, since the name ends like theirs.
    """
    path = Path(file)
    if not path.name:
        raise ValueError(f"a result must have the name of a file, got {str(file)!r}")
    beside = [path.with_suffix(suffix) for suffix in (".md", ".png")]
    if path in beside:
        raise ValueError(
            f"a result must not have the name of its table or figure, got {str(file)!r}; "
            "let it end in .json"
        )
    require_writable(path, *beside)


@contextmanager
def _temporary_folder(folder: Path) -> Iterator[None]:
    """Make a folder and those above it that are not there, and remove them at the end."""
    missing: list[Path] = []
    while not os.path.lexists(folder):
        missing.append(folder)
        folder = folder.parent
    try:
        for one in reversed(missing):
            one.mkdir(exist_ok=True)
        yield
    finally:
        for one in missing:
            with suppress(OSError):  # not made, or another process has begun to use it
                one.rmdir()


@contextmanager
def only_writer(folder: str | Path, name: str = LOCK) -> Iterator[None]:
    """Be the only process that writes a folder; the system lets it go when the process is killed.

    Args:
        folder: which is made.
        name: of the file in it that is locked.

    Raises:
        ValueError: when another process writes it; says which.
        OSError: when the folder cannot be written.
    """
    path = Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    with (path / name).open("a+", encoding="utf-8") as lock:
        if fcntl is not None:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                lock.seek(0)
                raise ValueError(
                    "a run folder must be written by one process at a time, but process "
                    f"{lock.read().strip()} writes {str(folder)!r}; wait for its end, or name "
                    "another folder"
                ) from error
        with naming(path / name):
            lock.truncate(0)
            lock.write(f"{os.getpid()}\n")
            lock.flush()
        yield


def in_words(error: OSError) -> str | None:
    """What a file system refused, for who asked for it; None when it was no such refusal."""
    if error.errno not in REFUSALS:
        return None
    name = error.filename2 or error.filename
    where = "a file" if name is None else repr(os.fsdecode(name))
    if len(where) > 120:
        where = f"{where[:60]}...{where[-40:]}"
    code = errno.errorcode[error.errno]
    return f"files must be readable and writable, got {where}: {error.strerror} ({code})"
