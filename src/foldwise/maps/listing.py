"""A table's columns that say where maps stand: in which file, at which place, how it sums up."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from foldwise.errors import DataError
from foldwise.maps.files import open_maps
from foldwise.maps.maps import Maps

_GATE = "gate:"


def list_maps(maps: Maps, folder: Path) -> tuple[dict[str, Any], list[str]]:
    """Columns that list maps, and the files they stand in, relative to a folder.

    Args:
        maps: that are stored below it.
        folder: of the table.
    """
    stored = maps.stored
    assert stored is not None
    files = sorted(set(stored.files.tolist()))
    place = {file: index for index, file in enumerate(files)}
    columns: dict[str, Any] = {
        "shard": np.array([place[file] for file in stored.files], np.int64),
        "number": stored.numbers,
        "crc32": stored.checksums,
    }
    if maps.gates is not None:
        columns |= {f"{_GATE}{index}": gate for index, gate in enumerate(maps.gates.T.copy())}
    return columns, [file.relative_to(folder).as_posix() for file in files]


def listed_maps(table: pa.Table, path: Path, files: Sequence[str], num_classes: int) -> Maps:
    """The maps that a table lists.

    Raises:
        DataError: a file is absent or damaged, or its maps are not those that were listed.
    """
    shards, numbers = (table[name].to_numpy() for name in ("shard", "number"))
    maps = open_maps([path.parent / file for file in files], shards, numbers, num_classes)
    if maps.stored is not None and (maps.stored.checksums != table["crc32"].to_numpy()).any():
        raise DataError(
            f"{path}: the maps beside it have changed since it was written",
            remedy="delete it and run again",
        )
    names = [f"{_GATE}{index}" for index in range(num_classes)]
    if names[0] not in table.column_names:
        return maps
    gates = np.stack([table[name].to_numpy() for name in names], axis=1)
    return Maps(maps.sizes, num_classes, maps.numbers, maps.of, gates, maps.stored)
