"""Unpacks zip files from elsewhere: nothing leaves the folder, and nothing fills the disk."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from foldwise.errors import DataError

_MAX_MEMBERS = 10_000_000
#: What is left free on the disk.
_RESERVE = 200_000_000
_CHUNK = 1 << 20
#: What the system says to a place before the start, and to a folder in a file's place.
_ODD = (errno.EINVAL, errno.EEXIST, errno.ENOTDIR, errno.EISDIR)
#: NotImplementedError: an unknown compression; RuntimeError: a password.
_DAMAGE = (zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError, RuntimeError)


def unpack(archive: Path, folder: Path, *, step: Callable[[int], None] = lambda _: None) -> None:
    """Unpack a zip file into a new folder, which appears whole.

    Args:
        archive: the zip file.
        folder: is not there, or is empty.
        step: is told how many bytes are unpacked by now.

    Raises:
        DataError: it is damaged, a member would lie outside the folder, is a link, comes twice,
            is larger than announced, or all do not fit on the disk. Nothing is left then.
    """
    making = folder.with_name(f".{folder.name}.unpacking")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True)
    try:
        with _read(archive) as file:
            members = file.infolist()
            _check(archive, members, making)
            num_bytes = 0
            for member in members:
                num_bytes += _write(file, member, making)
                step(num_bytes)
    except BaseException:
        shutil.rmtree(making, ignore_errors=True)
        raise
    if folder.is_dir():
        folder.rmdir()
    os.replace(making, folder)


def names_in(archive: Path) -> set[str]:
    """The names of a zip file's members.

    Raises:
        DataError: it is damaged.
    """
    with _read(archive) as file:
        return set(file.namelist())


def unpacked_bytes(archive: Path) -> int:
    """What the members of a zip file take, as it announces.

    Raises:
        DataError: it is damaged.
    """
    with _read(archive) as file:
        return sum(member.file_size for member in file.infolist())


@contextmanager
def _read(archive: Path) -> Iterator[zipfile.ZipFile]:
    """The archive, open; damage that shows while it is read is told as such."""
    try:
        with zipfile.ZipFile(archive) as file:
            yield file
    except _DAMAGE as error:
        found = str(error)
    except OSError as error:
        if error.errno not in _ODD:
            raise
        found = f"{error.strerror}"
    else:
        return
    raise DataError(
        f"{archive}: damaged: {found}", remedy="delete it, and run again to get it anew"
    )


def _check(archive: Path, members: list[zipfile.ZipInfo], folder: Path) -> None:
    """Refuse what no honest archive holds, before anything is written."""
    problems = []
    seen: set[str] = set()
    for member in members:
        path = PurePosixPath(member.filename)
        if path.is_absolute() or ".." in path.parts or "\\" in member.filename or not path.parts:
            problems.append(f"{archive}: {member.filename!r} would lie outside of the folder")
        elif ":" in path.parts[0]:
            problems.append(f"{archive}: {member.filename!r} names a drive")
        elif _is_special(member):
            problems.append(f"{archive}: {member.filename!r} is a link or a device")
        elif str(path) in seen:
            problems.append(f"{archive}: {member.filename!r} is there twice")
        seen.add(str(path))
        if len(problems) == 10:
            break
    if len(members) > _MAX_MEMBERS:
        problems.append(f"{archive}: found {len(members):,} members, wanted at most 10,000,000")
    needed = sum(member.file_size for member in members)
    free = shutil.disk_usage(folder).free - _RESERVE
    if needed > free:
        problems.append(
            f"{archive}: unpacked it takes {needed / 1e9:.1f} GB, and {max(0, free) / 1e9:.1f} GB "
            "are free"
        )
    if problems:
        raise DataError(*problems, remedy="nothing was unpacked; look at it yourself")


def _is_special(member: zipfile.ZipInfo) -> bool:
    kind = stat.S_IFMT(member.external_attr >> 16)
    return kind not in (0, stat.S_IFREG, stat.S_IFDIR)


def _write(file: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path) -> int:
    """Write a member; its size, which is no more than was announced."""
    target = folder / PurePosixPath(member.filename)
    if member.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        return 0
    target.parent.mkdir(parents=True, exist_ok=True)
    size = 0
    with file.open(member) as source, target.open("xb") as sink:
        while chunk := source.read(_CHUNK):
            size += len(chunk)
            if size > member.file_size:
                raise zipfile.BadZipFile(f"{member.filename} is larger than announced")
            sink.write(chunk)
    return size
