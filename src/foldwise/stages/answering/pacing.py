"""How much time is left to a pack, and whether what comes next would end within it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from foldwise import device as machine

#: For the last file and the end, before one was written; and how much longer than ever so far.
_HAND_IN_S, _SLOWER = 5.0, 2.0


@dataclass
class Pacing:
    """The time of an answer, on the monotonic clock.

    Attributes:
        limit_s: how long it may take from now on.
        pace: seconds that rounds took over what was forecast, so far; at least 1.
    """

    limit_s: float
    pace: float = 1.0
    _begun: float = field(default_factory=lambda: machine.monotonic())
    _hand_in_s: float = _HAND_IN_S
    _forecast_s: float = 0.0
    _taken_s: float = 0.0

    @property
    def spent_s(self) -> float:
        """Since it began."""
        return machine.monotonic() - self._begun

    @property
    def stop_at(self) -> float:
        """When units must end for the file to be written in time, on the monotonic clock."""
        return self._begun + self.limit_s - self._hand_in_s

    @property
    def left_s(self) -> float:
        """Until then."""
        return self.stop_at - machine.monotonic()

    def fits(self, seconds: float) -> bool:
        """Whether what is forecast to take so long would end in time, as slow as all was so far."""
        return self.pace * seconds <= self.left_s

    def took(self, seconds: float, forecast: float) -> None:
        """Take in how long rounds took."""
        self._taken_s += seconds
        self._forecast_s += forecast
        if self._forecast_s > 0:
            self.pace = max(1.0, self._taken_s / self._forecast_s)

    @contextlib.contextmanager
    def handing_in(self) -> Iterator[None]:
        """Take in how long a file takes to be made."""
        begun = machine.monotonic()
        yield
        self._hand_in_s = max(self._hand_in_s, _SLOWER * (machine.monotonic() - begun))
