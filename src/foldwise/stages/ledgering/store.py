"""Where the ledger's rows lie: one SQLite file, written whole or not at all.

A write is one transaction. It returns once its bytes are on disk (`synchronous=EXTRA`), so what
was acknowledged survives a kill and a power cut; a killed writer's half is rolled back by whoever
opens the file next. The rollback journal is kept rather than the faster write-ahead log: between
writes the ledger is a single file that can be copied, and it needs no shared memory.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import astuple, fields, replace
from pathlib import Path
from urllib.parse import quote

from foldwise.errors import DataError, FoldwiseError, LockedError
from foldwise.stages.ledgering.row import Row

_FORMAT = 1
_WAIT_S = 60.0
_COLUMNS = tuple(field.name for field in fields(Row))
_NAMES = ", ".join(f'"{name}"' for name in _COLUMNS)
#: Of format 1; a new column makes format 2 and a step from 1 to 2.
_SCHEMA = """
    CREATE TABLE submission (
        "key" INTEGER PRIMARY KEY, "number" INTEGER NOT NULL, "run" TEXT NOT NULL,
        "source" TEXT NOT NULL, "time" TEXT, "folder" TEXT UNIQUE, "metric" TEXT,
        "cv" REAL, "cv_how" TEXT, "cv_low" REAL, "cv_high" REAL, "cv_naive" REAL,
        "public" REAL, "private" REAL, "uploaded" TEXT, "status" TEXT,
        "comment" TEXT NOT NULL, "commit" TEXT
    )
"""


def read_store(path: Path) -> list[Row]:
    """The stored rows by number; none if there is no file. Nothing is written.

    Raises:
        DataError: the file is damaged, of a newer foldwise, or cannot be read.
        LockedError: writers kept it busy for a minute.
    """
    if not path.exists():
        return []
    with _opened(path, "rw") as connection:
        connection.execute("BEGIN")
        if not _has_table(path, connection):
            return []
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise _damaged(path, found)
        query = f'SELECT {_NAMES} FROM submission ORDER BY "number", "key"'
        return [Row(*cells) for cells in connection.execute(query)]


def write_store(path: Path, rows: Sequence[Row], *, after: int = 0) -> list[Row]:
    """Store rows, all or none: those without a key are added, the others replaced.

    Args:
        path: the file; made if absent.
        rows: those without a number get the next free ones, in order.
        after: numbers up to this one are taken as well.

    Returns:
        The rows as stored, on disk when this returns.

    Raises:
        DataError: the file is damaged, of a newer foldwise, or cannot be written.
        LockedError: other writers kept it busy for a minute.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _opened(path, "rwc") as connection:
        connection.execute("PRAGMA synchronous=EXTRA")
        connection.execute("BEGIN IMMEDIATE")
        if not _has_table(path, connection):
            connection.execute(_SCHEMA)
            connection.execute(f"PRAGMA user_version={_FORMAT}")
        last = connection.execute('SELECT max("number") FROM submission').fetchone()[0] or 0
        last = max([last, after, *(row.number for row in rows)])
        stored = []
        for row in rows:
            number = row.number
            if not number:
                number = last = last + 1
            stored.append(_put(connection, replace(row, number=number)))
        connection.execute("COMMIT")
        return stored


def _put(connection: sqlite3.Connection, row: Row) -> Row:
    # A key of 0 is none yet: SQLite gives the next.
    values = zip(_COLUMNS, astuple(row), strict=True)
    cells = [value or None if name == "key" else value for name, value in values]
    marks = ", ".join("?" * len(cells))
    done = connection.execute(f"REPLACE INTO submission ({_NAMES}) VALUES ({marks})", cells)
    return replace(row, key=row.key or int(done.lastrowid or 0))


def _has_table(path: Path, connection: sqlite3.Connection) -> bool:
    """Whether rows were ever stored; an empty file is what a kill at the very start leaves."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    if version > _FORMAT:
        raise DataError(
            f"{path}: found format {version}, wanted at most {_FORMAT}",
            remedy="it was written by a newer foldwise: use that one",
        )
    if version != (_FORMAT if tables else 0) or (tables and "submission" not in tables):
        raise _damaged(path, "it is not a ledger")
    return bool(tables)


@contextlib.contextmanager
def _opened(path: Path, mode: str) -> Iterator[sqlite3.Connection]:
    """A connection; what it cannot do is said in the house's errors. Closing it rolls back."""
    try:
        address = f"file:{quote(str(path.absolute()))}?mode={mode}"
        connection = sqlite3.connect(address, uri=True, timeout=_WAIT_S, isolation_level=None)
        with contextlib.closing(connection):
            yield connection
    except sqlite3.Error as error:
        raise _explained(path, error) from None


def _explained(path: Path, error: sqlite3.Error) -> FoldwiseError:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return LockedError(
            f"{path}: others have been writing for {_WAIT_S:.0f} s", remedy="try again"
        )
    if code in (
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_PERM,
    ):
        return DataError(
            f"{path}: cannot be read or written: {error}",
            remedy="see that the disk has room and that you may write to its folder",
        )
    return _damaged(path, str(error))


def _damaged(path: Path, found: str) -> DataError:
    return DataError(
        f"{path}: damaged: {found}",
        remedy="put a copy of it in its place, or move it away: submissions made here come back "
        "from their folders, and scores from a file by `foldwise ledger import`",
    )
