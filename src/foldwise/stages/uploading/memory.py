"""What a competition has put on its platform: a small file, so that nothing goes there twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from foldwise.home import Home
from foldwise.json_files import read_json
from foldwise.platforms.kaggle_line import AnyLine, opened
from foldwise.platforms.kaggle_transfer import Say
from foldwise.publish import locked, publish_json

_STAMP = "platform"
_ACCOUNT, _PLATFORM = "account", "kaggle"


@dataclass(frozen=True)
class Memory:
    """Facts by kind and key; the platform itself is asked wherever it can tell.

    Attributes:
        home: the competition.
        is_written: False in a rehearsal, which leaves nothing behind.
    """

    home: Home
    is_written: bool = True

    @contextmanager
    def line(self, say: Say) -> Iterator[AnyLine]:
        """A line to the platform, which nobody else of this competition holds meanwhile.

        Where nothing is written, it is a rehearsal.

        Args:
            say: shows a line.

        Raises:
            LockedError: another process uploads for this competition.
            PlatformError: see `kaggle_line.opened`.
        """
        lock = self.home.stamp(_STAMP).with_suffix(".lock")
        known = self.read(_ACCOUNT, _PLATFORM).get("username")
        with (
            locked(lock, doing="uploading"),
            opened(say, dry_run=not self.is_written, username=known) as line,
        ):
            yield line

    def username(self, line: AnyLine) -> str:
        """Whose credentials they are; remembered for rehearsals."""
        found = line.username()
        self.write(_ACCOUNT, _PLATFORM, {"username": found})
        return found

    def read(self, kind: str, key: str) -> dict[str, Any]:
        """What is known; empty if nothing is.

        Raises:
            DataError: the file is damaged.
        """
        every = read_json(self.home.stamp(_STAMP)) or {}
        return dict(every.get(kind, {}).get(key, {}))

    def write(self, kind: str, key: str, facts: dict[str, Any]) -> None:
        """Put facts in the place of those before."""
        if not self.is_written:
            return
        every = read_json(self.home.stamp(_STAMP)) or {}
        every.setdefault(kind, {})[key] = facts
        publish_json(self.home.stamp(_STAMP), every)
