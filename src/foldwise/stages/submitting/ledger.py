"""The ledger: one numbered folder per submission, with its file and what it came from."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foldwise.home import Home, submission_in
from foldwise.json_files import read_json
from foldwise.publish import publish_bytes, publish_json

#: What an entry was made of.
MADE_OF = "made_of.json"
_FOLDER = re.compile(r"([0-9]{4,})-(.+)")


@dataclass(frozen=True)
class Entry:
    """A submission in the ledger.

    Attributes:
        path: its folder, such as `submissions/0007-blend`.
        facts: what `entry.json` says: number, run, score and how it was got, hashes, time.
    """

    path: Path
    facts: dict[str, Any]

    @property
    def file(self) -> Path:
        """The submission."""
        return submission_in(self.path)

    @property
    def sha256(self) -> str:
        """Hash of the submission as it was written."""
        return str(self.facts["submission_sha256"])


def read_ledger(home: Home) -> list[Entry]:
    """All entries by number; folders without a record are leftovers of a killed `submit`."""
    entries = []
    for path in sorted(home.submissions.glob("*-*")):
        facts = read_json(path / "entry.json") if _FOLDER.fullmatch(path.name) else None
        if facts is not None:
            entries.append(Entry(path, facts))
    return sorted(entries, key=lambda entry: int(entry.facts["number"]))


def add_entry(
    home: Home,
    data: bytes,
    facts: dict[str, Any],
    made_of: dict[str, Any],
    *,
    ending: str = ".csv",
    after: int = 0,
) -> Entry:
    """Write the next entry; its record comes last, so that an entry is whole or not there.

    Args:
        home: the competition; its ledger is locked by the caller.
        data: the submission.
        facts: what the record says; the number is added.
        made_of: see `provenance.py`.
        ending: of the submission's file.
        after: numbers up to this one belong to submissions that were made elsewhere.
    """
    _remove_leftovers(home)
    entries = read_ledger(home)
    number = 1 + max(after, int(entries[-1].facts["number"]) if entries else 0)
    name = facts["run"].replace("/", "-")
    entry = Entry(home.submissions / f"{number:04d}-{name}", {"number": number, **facts})
    publish_bytes(entry.path / f"submission{ending}", data)
    publish_json(entry.path / MADE_OF, made_of)
    publish_json(entry.path / "entry.json", entry.facts)
    return entry


def _remove_leftovers(home: Home) -> None:
    for path in home.submissions.glob("*-*"):
        if _FOLDER.fullmatch(path.name) and not (path / "entry.json").exists():
            left = {file.name for file in path.iterdir()}
            if left <= {"submission.csv", "submission.zip", MADE_OF}:  # Anything else is not ours.
                shutil.rmtree(path)
