"""Durations as people write them: `90s`, `40m`, `1h30m`."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

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


def _readable(text: str) -> str:
    try:
        seconds(text)
    except ConfigError as error:
        raise ValueError(f"{error.problems[0]}; {error.remedy}") from None
    return text


#: Text that `seconds` reads.
Duration = Annotated[str, AfterValidator(_readable)]
