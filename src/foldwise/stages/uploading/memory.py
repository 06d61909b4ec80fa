"""What a competition has put on its platform: a small file, so that nothing goes there twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foldwise.home import Home
from foldwise.json_files import read_json
from foldwise.platforms.kaggle_line import AnyLine, opened
from foldwise.platforms.kaggle_transfer import Say
from foldwise.publish import locked, publish_json

_STAMP = "platform"
_ACCOUNT, _PLATFORM = "account", "kaggle"
_WAIT_S = 60.0


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
        """A line to the platform; where nothing is written, it is a rehearsal.

        Args:
            say: shows a line.

        Raises:
            PlatformError: see `kaggle_line.opened`.
        """
        known = self.read(_ACCOUNT, _PLATFORM).get("username")
        with opened(say, dry_run=not self.is_written, username=known) as line:
            yield line

    @contextmanager
    def alone(self, work: str) -> Iterator[None]:
        """Nobody else of this competition does that work meanwhile, so none is done twice.

        It is held as briefly as that needs: what only waits must not keep others from the platform.

        Args:
            work: `push` or `submit`; the one does not wait for the other.

        Raises:
            LockedError: another process does.
        """
        if not self.is_written:
            yield
            return
        with locked(self._lock(f"{_STAMP}-{work}"), doing=f"foldwise {work}"):
            yield

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
        with locked(self._lock(_STAMP), doing="remembering uploads", wait_s=_WAIT_S):
            every = read_json(self.home.stamp(_STAMP)) or {}
            every.setdefault(kind, {})[key] = facts
            publish_json(self.home.stamp(_STAMP), every)

    def _lock(self, name: str) -> Path:
        return self.home.stamp(name).with_suffix(".lock")
