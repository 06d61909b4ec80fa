"""Writers of one ledger that are killed over and over, and a reader beside them: prints counts.

Usage: python -m tests.survive.ledger_driver FOLDER NUM_WRITERS RECORDS_EACH NUM_KILLS
Kills are spread over the records acknowledged, so that a fast disk does not outrun them.
A writer notes a record as acknowledged once the store has returned. A killed one is started
again and goes on behind its last acknowledged record, looking first whether the next is there.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import signal
import sqlite3
import sys
import time
from pathlib import Path

from foldwise.stages.ledgering.row import Row
from foldwise.stages.ledgering.store import read_store, write_store


def record(writer: int, number: int) -> Row:
    """A record whose comment is the hash of the rest, so that a torn one shows."""
    run = f"w{writer}-{number}"
    cv, public = writer + number / 7, writer - number / 3
    return Row(run, "imported", cv=cv, public=public, comment=_hash(run, cv, public))


def is_whole(row: Row) -> bool:
    """Whether a record is what a writer wrote."""
    return row.comment == _hash(row.run, row.cv, row.public) and row.number > 0


def write(store: Path, acks: Path, writer: int, num_records: int) -> None:
    """Write what this writer has not acknowledged yet."""
    done = len(acks.read_bytes()) if acks.exists() else 0
    is_there = store.exists() and done < num_records and _holds(store, record(writer, done).run)
    with acks.open("ab", buffering=0) as file:
        for number in range(done, num_records):
            if number > done or not is_there:  # Else killed between writing and acknowledging.
                write_store(store, [record(writer, number)])
            file.write(b".")


def read(store: Path, counts: Path) -> None:
    """Read until told to stop; the ledger may only grow, and every record is whole."""
    stop = [False]
    signal.signal(signal.SIGTERM, lambda *_: stop.__setitem__(0, True))
    reads = torn = shrunk = before = 0
    while not stop[0]:
        rows = read_store(store)
        torn += sum(not is_whole(row) for row in rows)
        shrunk += len(rows) < before
        before = len(rows)
        reads += 1
        time.sleep(0.02)
    counts.write_text(json.dumps({"reads": reads, "torn": torn, "shrunk": shrunk}))


def started(work: object, *arguments: object) -> int:
    """The process of a child that does the work."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work(*arguments)  # type: ignore[operator]
            status = 0
        finally:
            os._exit(status)
    return child


def main(folder: Path, num_writers: int, num_records: int, num_kills: int) -> dict[str, int]:
    """Write, kill, read; returns the counts."""
    store = folder / "ledger.db"
    draw = random.Random(0)

    def writer(place: int) -> int:
        return started(write, store, folder / f"acks{place}", place, num_records)

    reader = started(read, store, folder / "reads")
    writers = {writer(place): place for place in range(num_writers)}
    counts = {"planned": num_writers * num_records, "kills": 0, "failed": 0}
    while writers:
        ended, status = os.waitpid(-1, os.WNOHANG)
        if ended == reader:
            raise RuntimeError(f"the reader ended with {os.waitstatus_to_exitcode(status)}")
        if ended:
            place = writers.pop(ended)
            if (code := os.waitstatus_to_exitcode(status)) == -signal.SIGKILL:
                counts["kills"] += 1
                writers[writer(place)] = place
            counts["failed"] += code not in (0, -signal.SIGKILL)
        elif counts["kills"] < num_kills * _acknowledged(folder) // counts["planned"]:
            os.kill(draw.choice(list(writers)), signal.SIGKILL)
            time.sleep(0.002)
        else:
            time.sleep(draw.uniform(0, 0.005))
    os.kill(reader, signal.SIGTERM)
    os.waitpid(reader, 0)
    rows = read_store(store)
    found = [row.run for row in rows]
    wanted = {record(w, n).run for w in range(num_writers) for n in range(num_records)}
    connection = sqlite3.connect(store)
    check = connection.execute("PRAGMA integrity_check").fetchone()[0]
    connection.close()
    return {
        **counts,
        "acknowledged": _acknowledged(folder),
        "lost": len(wanted - set(found)),
        "double": len(found) - len(set(found)),
        "torn_at_end": sum(not is_whole(row) for row in rows),
        "same_number": len(rows) - len({row.number for row in rows}),
        "damaged": int(check != "ok"),
        **json.loads((folder / "reads").read_text()),
    }


def _acknowledged(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("acks*"))


def _holds(store: Path, run: str) -> bool:
    """Whether a record is there; asked of the file, since reading all of it takes too long."""
    connection = sqlite3.connect(store, timeout=60)
    with contextlib.closing(connection):
        table = "SELECT 1 FROM sqlite_master WHERE name = 'submission'"
        query = "SELECT 1 FROM submission WHERE run = ?"
        has_table = connection.execute(table).fetchone() is not None
        return has_table and connection.execute(query, (run,)).fetchone() is not None


def _hash(run: str, cv: float | None, public: float | None) -> str:
    return hashlib.sha256(f"{run} {cv!r} {public!r}".encode()).hexdigest()


if __name__ == "__main__":
    place, *numbers = sys.argv[1:]
    print(json.dumps(main(Path(place), *map(int, numbers))))
