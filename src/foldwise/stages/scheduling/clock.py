"""Time limits: durations and hours of the day become a moment on the monotonic clock."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from foldwise import device as machine
from foldwise.errors import ConfigError

_UNITS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(s|min|m|h|d)")


def seconds(text: str) -> float:
    """A duration such as `40m`, `9h`, `1h30m` in seconds.

    Raises:
        ConfigError: it is none.

    >>> seconds("1h30m")
    5400.0
    """
    compact = text.replace(" ", "")
    parts = _PART.findall(compact)
    if not parts or "".join(number + unit for number, unit in parts) != compact:
        raise ConfigError(f"{text!r} is no duration", remedy="write it as 90s, 40m, 9h or 1h30m")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def until(text: str, *, now: datetime | None = None) -> float:
    """Seconds from now until an hour of the day such as `07:00`, today or tomorrow.

    Raises:
        ConfigError: it is no hour.
    """
    found = re.fullmatch(r"(\d{1,2}):(\d{2})", text)
    if not found or int(found[1]) > 23 or int(found[2]) > 59:
        raise ConfigError(f"{text!r} is no hour of the day", remedy="write it as 07:00")
    now = now or datetime.now()
    then = now.replace(hour=int(found[1]), minute=int(found[2]), second=0, microsecond=0)
    if then <= now:
        then += timedelta(days=1)
    return (then - now).total_seconds()


def stop_time(limit: str | None, until_hour: str | None) -> float | None:
    """The moment on the monotonic clock by which all must be done; None: no limit.

    The clock on the wall is asked once, here: it may jump, the monotonic clock does not.
    """
    spans = [seconds(limit)] if limit is not None else []
    spans += [until(until_hour)] if until_hour is not None else []
    return machine.monotonic() + min(spans) if spans else None
