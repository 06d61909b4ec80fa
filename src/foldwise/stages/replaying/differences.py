"""How two submissions differ: rows, columns, answers, and by how much scores are off."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from foldwise.tables import Table, is_number, read_table

_MAX_NAMED = 5


def differences(old: Path, new: Path) -> Iterator[str]:
    """Lines on how a file differs from the one it should be; of equal cells the spelling.

    Args:
        old: as it was handed in.
        new: made again.
    """
    if old.suffix == ".zip":
        yield from _of_files(old, new)
        return
    first, second = read_table(old), read_table(new)
    columns, others = list(first.frame.columns), list(second.frame.columns)
    if columns != others:
        yield f"columns {', '.join(columns)} -> {', '.join(others)}"
        return
    ids, new_ids = (table.frame[columns[0]] for table in (first, second))
    if set(ids) != set(new_ids):
        yield f"rows: {len(set(ids) - set(new_ids))} are gone, {len(set(new_ids) - set(ids))} new"
        return
    if list(ids) != list(new_ids):
        yield "rows stand in another order"
    places = pd.Index(new_ids).get_indexer(pd.Index(ids))
    for column in columns[1:]:
        yield from _of_column(first, second.frame[column].to_numpy()[places], column)


def _of_files(old: Path, new: Path) -> Iterator[str]:
    """Of archives: which files are gone or new, and which hold other bytes."""
    with zipfile.ZipFile(old) as first, zipfile.ZipFile(new) as second:
        names, others = first.namelist(), second.namelist()
        if set(names) != set(others):
            gone, added = set(names) - set(others), set(others) - set(names)
            yield f"files: {len(gone)} are gone, {len(added)} new"
            return
        differ = [name for name in names if first.read(name) != second.read(name)]
    if differ:
        more = " ..." if len(differ) > _MAX_NAMED else ""
        yield f"{len(differ)} of {len(names)} files differ: {', '.join(differ[:_MAX_NAMED])}{more}"


def _of_column(table: Table, new: np.ndarray, column: str) -> Iterator[str]:
    old = table.frame[column].to_numpy()
    differ = np.flatnonzero(old != new)
    if not len(differ):
        return
    id_column = table.frame.columns[0]
    named = ", ".join(map(str, table.frame[id_column].to_numpy()[differ[:_MAX_NAMED]]))
    more = " ..." if len(differ) > _MAX_NAMED else ""
    off = ""
    if all(is_number(cell) for cell in [*old[differ], *new[differ]]):
        most = np.abs(old[differ].astype(float) - new[differ].astype(float)).max()
        off = f" by up to {most:.3g}"
    yield f"{column}: {len(differ)} of {len(old)} rows differ{off}: {named}{more}"
