"""Time limits: durations and hours of the day become a moment on the monotonic clock."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from foldwise import device as machine
from foldwise.config.duration import seconds
from foldwise.errors import ConfigError


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
