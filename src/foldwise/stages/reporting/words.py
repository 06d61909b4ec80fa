"""Numbers as the report writes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from foldwise.stages.reporting.svg import MINUS


def score_text(value: float | None, digits: int = 4) -> str:
    """A score: fixed digits below 10, about five in all above.

    >>> [score_text(value) for value in (0.71239, 12.345678, -0.00001, None)]
    ['0.7124', '12.346', '0.0000', '–']
    """
    if value is None:
        return "–"
    whole = len(str(int(abs(value))))
    shown = digits if whole == 1 else max(0, digits + 1 - whole)
    return f"{value:z.{shown}f}".replace("-", MINUS)


def signed(value: float | None, digits: int = 4) -> str:
    """A difference with its sign.

    >>> signed(0.0123)
    '+0.0123'
    """
    if value is None:
        return "–"
    text = score_text(value, digits)
    return text if text.startswith(MINUS) else f"+{text}"


def correlation_text(value: float) -> str:
    """A correlation: `0.87`."""
    return score_text(value, 2)


def weight_text(value: float) -> str:
    """A member's weight: `0.333`."""
    return score_text(value, 3)


def board_score(value: float) -> str:
    """A leaderboard's score, with five digits as leaderboards show them.

    >>> board_score(0.8), board_score(123.45678)
    ('0.80000', '123.457')
    """
    return score_text(value, 5)


def percent(share: float | None) -> str:
    """A share: `12.3 %`.

    >>> [percent(share) for share in (0.1234, 0.5, 0.0001, None)]
    ['12.3 %', '50 %', '0.01 %', '–']
    """
    if share is None:
        return "–"
    value = 100 * share
    digits = 2 if 0 < value < 0.1 else 1
    text = f"{value:z.{digits}f}"
    return f"{text.removesuffix('.0')} %".replace("-", MINUS)


def count(number: int, one: str, many: str | None = None) -> str:
    """A number with its noun.

    >>> count(1, "fold"), count(1200, "row")
    ('1 fold', '1,200 rows')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def megabytes(num_bytes: int) -> str:
    """A size: `1.4 MB`."""
    return f"{num_bytes / 1e6:.1f} MB"


def moment(stamp: str | None) -> str:
    """A time as files have it, as people read it.

    >>> moment("2026-11-21T13:13:05+0000")
    '2026-11-21 13:13'
    """
    return "" if stamp is None else stamp[:16].replace("T", " ")


def metric_sentence(metric: Mapping[str, Any]) -> str:
    """Which way is better, and the best there is.

    >>> metric_sentence({"higher_is_better": True, "highest": 1.0, "lowest": None})
    'higher is better, 1 is perfect'
    """
    is_higher = metric["higher_is_better"]
    best = metric["highest"] if is_higher else metric["lowest"]
    perfect = "" if best is None else f", {best:g} is perfect"
    return f"{'higher' if is_higher else 'lower'} is better{perfect}"
