"""How much time is left to a pack, and whether what comes next would end within it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from foldwise import device as machine

#: Kept for stopping a unit, which has 3 s to end, and for the end, on a machine that may be slow;
#: of a short limit no more than a share.
_END_S, _END_SHARE = 15.0, 0.3
#: The last file may take so much longer than any has so far.
_SLOWER = 2.0


@dataclass
class Pacing:
    """The time of an answer, on the monotonic clock.

    Attributes:
        limit_s: how long it may take, from its beginning.
        age_s: seconds of that which have passed already.
        pace: seconds that rounds took over what was forecast, so far; at least 1.
    """

    limit_s: float
    age_s: float = 0.0
    pace: float = 1.0
    _begun: float = field(init=False)
    _hand_in_s: float = 0.0
    _forecast_s: float = 0.0
    _taken_s: float = 0.0

    def __post_init__(self) -> None:
        self._begun = machine.monotonic() - self.age_s

    @property
    def spent_s(self) -> float:
        """Since it began."""
        return machine.monotonic() - self._begun

    @property
    def stop_at(self) -> float:
        """When units must end for the file to be written in time, on the monotonic clock."""
        end_s = min(_END_S, _END_SHARE * self.limit_s)
        return self._begun + self.limit_s - end_s - self._hand_in_s

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
