"""Every submission with its scores, and whether the leaderboards follow cross-validation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from foldwise.choosing.trust import Trust
from foldwise.metrics import METRICS, bind
from foldwise.parts import name_of
from foldwise.stages.ledgering.listing import doubtful_cv, is_of, trust_in, uploads_on
from foldwise.stages.ledgering.moments import now
from foldwise.stages.ledgering.row import Row
from foldwise.stages.ledgering.rows import read_rows
from foldwise.stages.reporting.cv_board_chart import Submitted, cv_board_chart
from foldwise.stages.reporting.material import Material
from foldwise.stages.reporting.words import count, moment, score_text


def ledger_view(material: Material, current: str | None) -> dict[str, Any] | None:
    """The table, newest first, and what each leaderboard says of cv; None before a submission.

    Args:
        material: with competition.
        current: folder of the submission that `submission.csv` is.
    """
    rows = material.tried(lambda: read_rows(material.home))
    competition = material.competition
    asked = material.tried(lambda: bind(METRICS, competition.metric, code=material.home.code))
    if not rows or asked is None:
        return None
    metric, higher = name_of(competition.metric), asked.higher_is_better
    boards = {
        board: trust_in(rows, board, metric, higher_is_better=higher)
        for board in ("public", "private")
    }
    return {
        "rows": [_line(row, metric, current, higher_is_better=higher) for row in reversed(rows)],
        "has_private": any(row.private is not None for row in rows),
        "has_comments": any(row.comment for row in rows),
        "uploads": _uploads(rows, competition.rules.daily_submissions),
        "boards": [
            _board(rows, name, trusted, metric) for name, trusted in boards.items() if trusted.num
        ],
        "doubts": doubtful_cv(rows),
    }


def _line(row: Row, metric: str, current: str | None, *, higher_is_better: bool) -> dict[str, Any]:
    gap = None
    if is_of(row, metric) and row.cv is not None and row.public is not None:
        gap = (row.cv - row.public) * (1 if higher_is_better else -1)
    return {
        "number": row.number,
        "time": moment(row.time),
        "run": row.run,
        "is_current": current is not None and row.folder == current,
        "metric": None if is_of(row, metric) else row.metric,
        "source": None if row.source == "made here" else row.source,
        "cv": row.cv,
        "ends": None if row.cv_low is None else (row.cv_low, row.cv_high),
        "how": row.cv_how,
        "naive": None if score_text(row.cv_naive) == score_text(row.cv) else row.cv_naive,
        "public": row.public,
        "private": row.private,
        "gap": gap,
        "status": row.status if row.status not in (None, "complete") else None,
        "comment": row.comment,
    }


def _board(rows: Sequence[Row], board: str, trusted: Trust, metric: str) -> dict[str, Any]:
    points = [
        Submitted(row.number, row.run, row.cv, score, f"{row.number} {row.run}" in trusted.outliers)
        for row in rows
        if is_of(row, metric) and row.cv is not None and (score := getattr(row, board)) is not None
    ]
    line = None
    if trusted.slope is not None and trusted.intercept is not None:
        line = (trusted.slope, trusted.intercept)
    return {
        "name": board,
        "verdict": trusted.verdict,
        "num": count(trusted.num, "submission"),
        "sentences": trusted.sentences,
        "has_line": line is not None,
        "has_outliers": bool(trusted.outliers),
        "plot": cv_board_chart(
            points,
            line,
            board=board,
            about=f"cv against the {board} leaderboard: {trusted.verdict}",
        ),
    }


def _uploads(rows: Sequence[Row], limit: int | None) -> str | None:
    """The day's count, where there is something to count."""
    day = now()[:10]
    num = uploads_on(rows, day)
    if limit is None and not num:
        return None
    of = "" if limit is None else f" of {limit}"
    return f"{num}{of} upload{'s' if (limit or num) != 1 else ''} on {day}, by UTC."
