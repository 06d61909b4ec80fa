"""Files appear whole: temporary name, fsync, rename, folder fsync; and the lock beside it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from foldwise.errors import LockedError

_PART = ".foldwise-part-"

#: Called as ``step(name, path)`` before each phase of a publication: opened, written, synced,
#: renamed, done. Tests put in one that raises, tears the file or kills the process.
step: Callable[[str, Path], None] = lambda name, path: None  # noqa: E731


def publish(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a temporary file and give it the name `path` once it is on disk.

    A reader sees the old file or the new one, never a part. A kill leaves at most a stray
    temporary file, which the next publication in that folder removes.

    Args:
        path: final name; its folder is made if absent.
        write: gets a path in the same folder (same file ending) and must leave a whole file.

    Raises:
        OSError: the disk is full or the folder cannot be written; `path` is as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path.parent)
    part, holder = _open_part(path)
    try:
        step("opened", part)
        write(part)
        step("written", part)
        _fsync(part)
        step("synced", part)
        os.replace(part, path)
        step("renamed", path)
        _fsync(path.parent)
        step("done", path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    finally:
        os.close(holder)


def publish_bytes(path: Path, data: bytes) -> None:
    """Publish `data` as the file `path`."""
    publish(path, lambda part: _write(part, data))


def publish_text(path: Path, text: str) -> None:
    """Publish `text` as UTF-8 with the line ends it has."""
    publish_bytes(path, text.encode())


def publish_json(path: Path, value: Any) -> None:
    """Publish `value` as indented JSON; NaN and infinities are refused."""
    publish_text(path, json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False) + "\n")


def sweep(folder: Path) -> list[Path]:
    """Remove what killed publications left in `folder`, and only that.

    Returns:
        The removed files. A part whose writer still lives is kept.
    """
    removed = []
    for part in sorted(folder.glob(f"{_PART}*")) if folder.is_dir() else []:
        with contextlib.suppress(FileNotFoundError), part.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue
            part.unlink(missing_ok=True)
            removed.append(part)
    return removed


@contextlib.contextmanager
def locked(path: Path, *, doing: str, wait_s: float = 0.0) -> Iterator[None]:
    """Hold the kernel lock on `path`; it goes with the process, so no stale lock can stay.

    Args:
        path: the lock file; made if absent, never removed.
        doing: what the holder does, for the message of those who find it held.
        wait_s: how long to wait for the holder.

    Raises:
        LockedError: held by another process; names its process id, host and work.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + wait_s
    with path.open("a+", encoding="utf-8") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() >= deadline:
                    file.seek(0)
                    raise _held(path, file.read()) from None
                time.sleep(0.05)
        file.truncate(0)
        since = time.strftime("%Y-%m-%d %H:%M:%S")
        file.write(f"process {os.getpid()} on {socket.gethostname()}, {doing}, since {since}")
        file.flush()
        yield


def holder(path: Path) -> str | None:
    """Who holds the lock on `path`, in words; None if nobody does."""
    if not path.exists():
        return None
    with path.open("r", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return _held(path, file.read()).problems[0]
    return None


def _held(path: Path, holder: str) -> LockedError:
    return LockedError(
        f"{path.parent} is in use by {holder or 'a process that has not said its name yet'}",
        remedy="wait for it to end, or stop it; the lock goes with that process",
    )


def _open_part(path: Path) -> tuple[Path, int]:
    """A temporary file beside `path` and its descriptor; the lock on it says the writer lives."""
    while True:
        part = path.parent / f"{_PART}{secrets.token_hex(6)}-{path.name}"
        descriptor = os.open(part, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o644)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if part.exists():
            return part, descriptor
        os.close(descriptor)  # A sweeper came between opening and locking.


def _write(part: Path, data: bytes) -> None:
    with part.open("wb") as file:
        file.write(data)


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
