"""The ledger's rows: the stored ones and those of submissions whose row was never written."""

from __future__ import annotations

from collections.abc import Sequence

from foldwise.home import Home
from foldwise.stages.ledgering.row import Row, entry_row
from foldwise.stages.ledgering.store import read_store, write_store
from foldwise.stages.submitting.ledger import read_ledger


def read_rows(home: Home) -> list[Row]:
    """Every submission by number; nothing is written.

    A submission's folder is the record of its file. Where its row is missing (killed in between,
    or made before there were rows), the row is read from the folder, and stored by `save_rows`.

    Raises:
        DataError: the store or a record is damaged.
    """
    stored = read_store(home.ledger)
    rows = [*stored, *_not_stored(home, stored)]
    return sorted(rows, key=lambda row: (row.number, row.key))


def save_rows(home: Home, rows: Sequence[Row] = ()) -> list[Row]:
    """Store rows, and those that are missing, in one piece; returns the given ones as stored.

    The caller holds the lock on submissions, since numbers of folders are read here too.

    Raises:
        DataError: the store is damaged or cannot be written.
    """
    given = {row.folder for row in rows if row.folder is not None}
    missing = [row for row in _not_stored(home, read_store(home.ledger)) if row.folder not in given]
    taken = max((int(entry.facts["number"]) for entry in read_ledger(home)), default=0)
    every = [*rows, *missing]
    return write_store(home.ledger, every, after=taken)[: len(rows)] if every else []


def last_number(home: Home) -> int:
    """The greatest number in the ledger, 0 if it is empty."""
    return max((row.number for row in read_rows(home)), default=0)


def _not_stored(home: Home, stored: Sequence[Row]) -> list[Row]:
    known = {row.folder for row in stored}
    return [entry_row(entry) for entry in read_ledger(home) if entry.path.name not in known]
