"""Progress of units: each appends lines to a file, whoever watches reads the last and adds up."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from foldwise import device as machine

_EVERY_S = 0.5
_TAIL_BYTES = 2_000


@dataclass
class Reporter:
    """Appends to `timing.jsonl` at most twice a second, and whenever something has ended.

    Attributes:
        path: the file; emptied at the start.
    """

    path: Path
    _started: float = field(default_factory=time.monotonic)
    _last: float = 0.0

    def __post_init__(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text("", encoding="utf-8")

    def __call__(
        self, phase: str, done: int, total: int, text: str = "", *, left: float | None = None
    ) -> None:
        """Say how far the phase is; lines in quick succession are left out, the last never.

        Args:
            phase: what is done.
            done: how much of it.
            total: all of it.
            text: more to be shown.
            left: seconds that it still takes; None: not known.
        """
        now = time.monotonic()
        if done < total and now - self._last < _EVERY_S:
            return
        self._last = now
        line = {
            "phase": phase,
            "done": done,
            "total": total,
            "text": text,
            "seconds": round(now - self._started, 2),
            "left": None if left is None else round(left, 1),
        }
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


@dataclass
class TimeLeft:
    """How long all units together will take still, from what the ended ones took.

    Attributes:
        costs: unit → forecast of its share of the work; equal numbers if nothing is known.
    """

    costs: Mapping[str, float]
    _ended: set[str] = field(default_factory=set)
    _started: float = field(default_factory=machine.monotonic)

    def ended(self, name: str) -> str:
        """Take in that a unit is over; how many are, and the time left."""
        self._ended.add(name)
        spent = machine.monotonic() - self._started
        done = sum(cost for unit, cost in self.costs.items() if unit in self._ended)
        share = done / max(sum(self.costs.values()), 1e-9)
        count = f"{len(self._ended)} of {len(self.costs)}"
        if len(self._ended) == len(self.costs) or share <= 0:
            return count
        return f"{count}, about {duration(spent * (1 - share) / share)} left"


def duration(seconds: float) -> str:
    """Seconds in words.

    >>> [duration(s) for s in (0.4, 75, 3720)]
    ['0 s', '1 min 15 s', '1 h 02 min']
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def last_line(path: Path) -> dict[str, object] | None:
    """The newest whole line, or None."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - _TAIL_BYTES))
            lines = file.read().splitlines()
    except OSError:
        return None
    for line in reversed(lines):
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict):
            return found
    return None
