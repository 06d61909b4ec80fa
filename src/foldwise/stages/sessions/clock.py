"""When a session's training must end, so that what it did is saved before the session ends."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import psutil

from foldwise import device as machine

#: For training to stop: the 30 s that its jobs are given to save their state, and what ends them.
STOP_S = 40.0
#: For the last save, before anything was saved.
_FIRST_S = 120.0
#: Saving may take so much longer than it has so far.
_SLOWER = 2.0


@dataclass
class SessionClock:
    """The time of a session, on the monotonic clock.

    Attributes:
        limit_s: how long it may be.
        age_s: how long it was there before this process asked.
    """

    limit_s: float
    age_s: float = 0.0
    _end: float = field(init=False)
    _longest: float | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._end = machine.monotonic() + self.limit_s - self.age_s

    @property
    def left_s(self) -> float:
        """Until the session must be over."""
        return self._end - machine.monotonic()

    @property
    def save_s(self) -> float:
        """For the last save: by the longest so far, once there is one."""
        return _FIRST_S if self._longest is None else _SLOWER * self._longest

    @property
    def reserve_s(self) -> float:
        """What is kept for stopping and the last save."""
        return STOP_S + self.save_s

    @property
    def is_over(self) -> bool:
        """Whether training must end now."""
        return self.left_s <= self.reserve_s

    def shorten(self, left_s: float) -> None:
        """Let the session be over so much from now."""
        self._end = min(self._end, machine.monotonic() + left_s)

    def saved(self, seconds: float) -> None:
        """Take in how long a save took."""
        self._longest = max(seconds, self._longest or 0.0)


def container_age_s() -> float:
    """Seconds since the container or machine was started; notebooks run in one of their own."""
    try:
        return max(0.0, time.time() - float(psutil.Process(1).create_time()))
    except psutil.Error:
        return 0.0
