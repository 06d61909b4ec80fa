"""The end of a competition: a moment with its time zone, and what must fit in before it."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field

from foldwise.config.duration import Duration
from foldwise.config.section import Section

_NAMED = re.compile(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?) ([A-Za-z][\w+-]*(?:/[\w+-]+)*)")


def in_zone(value: object) -> object:
    """Text such as `2026-03-29 23:59 Europe/Berlin`, or in ISO form, as a moment.

    Anything else is left as it is.

    Raises:
        ValueError: there is no such zone here, or its clocks do not show that hour just once.

    >>> in_zone("2026-07-01 23:59 Europe/Berlin").isoformat()
    '2026-07-01T23:59:00+02:00'
    """
    found = _NAMED.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        return _in_iso(value)
    try:
        zone = ZoneInfo(found[2])
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            f"found no time zone {found[2]!r} on this machine, wanted one such as Europe/Berlin "
            "or an offset: 2026-03-31T23:59:00+02:00"
        ) from None
    moment = datetime.fromisoformat(found[1]).replace(tzinfo=zone)
    # Where clocks are put forward or back, the two readings of the hour differ.
    if moment.utcoffset() != moment.replace(fold=1).utcoffset():
        raise ValueError(
            f"clocks in {found[2]} are changed then, so that they show {found[1][11:]} twice or "
            "never; wanted the offset instead of the zone: 2026-03-31T23:59:00+02:00"
        )
    return moment


def _in_iso(value: object) -> object:
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        return value


#: Beside a moment: it may also be written with the name of its zone.
IN_ZONE = BeforeValidator(in_zone)


class ClockConfig(Section):
    """What lies between an upload and its score; null: as the platform is known for."""

    queue: Annotated[
        Duration | None, Field(description="Until a notebook's run begins, as a rule.")
    ] = None
    queue_margin: Annotated[
        Duration | None, Field(description="What waiting for it may take beyond that.")
    ] = None
    run_slowdown: Annotated[
        float | None,
        Field(
            ge=1,
            description="The organiser's run of the notebook may take so many times the forecast, "
            "up to `limits.inference`.",
        ),
    ] = None
    scoring: Annotated[
        Duration | None, Field(description="From the file, or the end of the run, to the score.")
    ] = None
    scoring_margin: Annotated[
        Duration | None, Field(description="What scoring may take beyond that.")
    ] = None
