"""Finds packs, data and stores below a mounted folder, wherever the platform has put them."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from foldwise.archives import names_in, unpack
from foldwise.errors import DataError
from foldwise.stages.syncing.store import is_store

_DEPTH = 5
#: Folders of images have more entries than this, and what is looked for is not in them.
_MAX_ENTRIES = 1000


def folders_below(root: Path, *, depth: int = _DEPTH) -> Iterator[Path]:
    """A folder and those below it, the nearest first.

    What cannot be read is passed over, and what lies in a store is part of it.
    """
    level = [root]
    for _ in range(depth + 1):
        yield from level
        level = [folder for one in level if not is_store(one) for folder in _folders_in(one)]


def find_stores(roots: Sequence[Path]) -> list[Path]:
    """The stores below the roots, each once."""
    every = (folder for root in roots for folder in folders_below(root))
    return [*dict.fromkeys(folder for folder in every if is_store(folder))]


def find_data(root: Path, marks: Sequence[str], unpacked: Path) -> Path:
    """The folder that holds all the marks, unpacked from a zip file if it only is in one.

    Args:
        root: where to look.
        marks: files below the data folder.
        unpacked: where a zip file is unpacked to, and looked into first.

    Raises:
        DataError: it is nowhere.
    """
    for folder in itertools.chain(folders_below(unpacked), folders_below(root)):
        if all((folder / mark).exists() for mark in marks):
            return folder
    refused: list[str] = []
    for archive in sorted(root.glob("*.zip")) + sorted(root.glob("*/*.zip")):
        try:
            found = _unpacked(archive, marks, unpacked)
        except DataError as error:
            refused += error.problems
            continue
        except OSError as error:
            refused.append(f"{archive}: could not be unpacked: {error}")
            continue
        if found is not None:
            return found
    raise DataError(
        f"{root}: no folder or zip file in it holds {', '.join(marks)}",
        *refused,
        remedy="add the competition's data to the notebook's input, as they were where the pack "
        "was made",
    )


def _unpacked(archive: Path, marks: Sequence[str], target: Path) -> Path | None:
    """The data in a zip file, if they are there."""
    names = names_in(archive)
    tops = {name.removesuffix(marks[0]) for name in names if name.endswith(marks[0])}
    top = next((top for top in tops if all(top + mark in names for mark in marks)), None)
    if top is None:
        return None
    shutil.rmtree(target, ignore_errors=True)  # Of another zip file: these data are not in it.
    unpack(archive, target)
    return target / top


def _folders_in(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            some = list(itertools.islice(entries, _MAX_ENTRIES))
        return sorted(Path(entry.path) for entry in some if entry.is_dir())
    except OSError:
        return []
