"""How much of a machine's quota is used, and when it is renewed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from foldwise.config.duration import seconds
from foldwise.config.plan import MachineConfig
from foldwise.stages.spending.hours import Stretch

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True)
class Quota:
    """A quota in the period that now is.

    Attributes:
        used_s: of it.
        left_s: of it; 0 where more was used.
        renewed: when the next period begins.
    """

    used_s: float
    left_s: float
    renewed: datetime


def period(config: MachineConfig, now: datetime) -> tuple[datetime, datetime]:
    """Begin and end of the period that holds a moment, in UTC."""
    day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if config.per == "day":
        return day, day + timedelta(days=1)
    if config.per == "week":
        begin = day - timedelta(days=(day.weekday() - _DAYS.index(config.week_begins)) % 7)
        return begin, begin + timedelta(days=7)
    begin = day.replace(day=1)
    return begin, (begin + timedelta(days=32)).replace(day=1)


def used_s(found: Iterable[Stretch], config: MachineConfig, now: datetime) -> float:
    """Seconds of the machine that count in the period that now is.

    Args:
        found: of one machine; what reaches into the period counts with that part, and where there
            is no quota all of it does.
        config: of the machine.
        now: with a time zone.
    """
    begin, end = (moment.timestamp() for moment in period(config, now))
    return sum(
        max(0.0, min(stretch.ended, end) - max(stretch.began, begin))
        for stretch in found
        if stretch.has_gpu or config.counts == "all" or config.quota is None
    )


def quota(found: Iterable[Stretch], config: MachineConfig, now: datetime) -> Quota | None:
    """How the machine's quota stands; None: it has none. Arguments as of `used_s`."""
    if config.quota is None:
        return None
    used = used_s(found, config, now)
    return Quota(used, max(0.0, seconds(config.quota) - used), period(config, now)[1])
