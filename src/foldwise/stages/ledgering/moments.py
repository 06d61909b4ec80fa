"""Times of the ledger: UTC to the second, as text that sorts."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> str:
    """This second."""
    return _text(datetime.now(UTC))


def moment(text: str) -> str | None:
    """A date or time in ISO form as UTC; None if it is none. Without a zone it is UTC already.

    >>> moment("2025-03-01 09:30:15.120"), moment("2025-03-01T09:30:15+0100"), moment("soon")
    ('2025-03-01T09:30:15Z', '2025-03-01T08:30:15Z', None)
    """
    try:
        found = datetime.fromisoformat(text.strip())
        zoned = found if found.tzinfo is not None else found.replace(tzinfo=UTC)
        return _text(zoned.astimezone(UTC))
    except (ValueError, OverflowError):
        return None


def _text(time: datetime) -> str:
    return time.replace(microsecond=0, tzinfo=None).isoformat() + "Z"
