"""The ledger for people: a table of submissions, today's count, and what cv is worth."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from foldwise.choosing.trust import Trust, trust
from foldwise.stages.ledgering.row import Row

_GAP = 2
_LEFT = ("time (UTC)", "run", "cv (how got)", "comment")
_NAMES = ("run", "comment")
_NEEDED = ("no", "time (UTC)", "run", "cv (how got)", "public")


def ledger_table(rows: Sequence[Row], metric: str, *, higher_is_better: bool, room: int) -> Table:
    """A line per submission; the gap is what cv promised more than the public leaderboard showed.

    Where there is too little room, lines break between words; only names and comments may be
    folded inside a word. Nothing is cut off, and columns that nobody filled are not shown.

    Args:
        rows: the ledger.
        metric: the competition's, by name; scores of another one are marked with its name.
        higher_is_better: of the metric.
        room: columns of the terminal.
    """
    every = {
        "no": [str(row.number) for row in rows],
        "time (UTC)": [(row.time or "").replace("T", " ")[:16] for row in rows],
        "run": [row.run for row in rows],
        "cv (how got)": [_marked(row, metric) + _cv(row) for row in rows],
        "public": [_score(row.public) or _failure(row) for row in rows],
        "private": [_score(row.private) for row in rows],
        "gap": [_gap(row, higher_is_better) for row in rows],
        "comment": [row.comment for row in rows],
    }
    shown = {name: cells for name, cells in every.items() if name in _NEEDED or any(cells)}
    widest = [max(map(cell_len, (name, *cells))) for name, cells in shown.items()]
    is_narrow = sum(widest) + _GAP * len(shown) > room
    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, _GAP - 1, 0, 0))
    for name, cells in shown.items():
        table.add_column(
            name,
            justify="left" if name in _LEFT else "right",
            overflow="fold",
            width=_longest_word(name, cells) if is_narrow and name not in _NAMES else None,
        )
    for line in zip(*shown.values(), strict=True):
        table.add_row(*map(Text, line))
    return table


def uploads_on(rows: Sequence[Row], day: str) -> int:
    """Submissions uploaded on a day, YYYY-MM-DD of UTC; failed ones count too."""
    return sum((row.uploaded or "").startswith(day) for row in rows)


def uploads_line(num_uploads: int, limit: int | None) -> str:
    """Today's count against the rule."""
    of = "" if limit is None else f" of {limit}"
    full = "; none is left" if limit is not None and num_uploads >= limit else ""
    return f"uploads used today: {num_uploads}{of}{full}; a day ends at midnight UTC"


def trust_in(rows: Sequence[Row], board: str, metric: str, *, higher_is_better: bool) -> Trust:
    """What the rows with cv and a score on `board` (`public`, `private`) say about cv.

    Args:
        rows: the ledger; scores of another metric are left out.
        board: which leaderboard.
        metric: the competition's, by name.
        higher_is_better: of the metric.
    """
    known = [
        (row.cv, score, f"{row.number} {row.run}")
        for row in rows
        if is_of(row, metric) and row.cv is not None and (score := getattr(row, board)) is not None
    ]
    return trust(
        [cv for cv, _, _ in known],
        [score for _, score, _ in known],
        higher_is_better=higher_is_better,
        names=[name for _, _, name in known],
    )


def doubtful_cv(rows: Sequence[Row]) -> list[str]:
    """A sentence on cv scores that promise too much by how they were got."""
    scored = [row for row in rows if row.public is not None or row.private is not None]
    doubtful = [row for row in scored if row.cv_how in ("naive", "optimistic")]
    if not doubtful:
        return []
    names = ", ".join(f"{row.number} ({row.cv_how})" for row in doubtful)
    return [f"the cv of {names} is better than new images would give, which widens the gap"]


def row_line(row: Row) -> str:
    """A row in one line."""
    scores = [
        *([f"cv {_cv(row)}"] if row.cv is not None else []),
        *([f"public {_score(row.public)}"] if row.public is not None else []),
        *([f"private {_score(row.private)}"] if row.private is not None else []),
        *([f"uploaded {row.uploaded}"] if row.uploaded is not None else []),
    ]
    return f"{row.number} {row.run}: {', '.join(scores) or 'no score'}"


def is_of(row: Row, metric: str) -> bool:
    """Whether the row's scores are of this metric."""
    return row.metric in (None, metric)


def _longest_word(name: str, cells: Sequence[str]) -> int:
    return max(cell_len(word) for text in (name, *cells) for word in text.split())


def _marked(row: Row, metric: str) -> str:
    return "" if is_of(row, metric) else f"[{row.metric}] "


def _cv(row: Row) -> str:
    return "" if row.cv is None else f"{_score(row.cv)} ({row.cv_how})"


def _score(value: float | None) -> str:
    return "" if value is None else f"{value:.5f}"


def _failure(row: Row) -> str:
    return row.status if row.status not in (None, "complete") else ""


def _gap(row: Row, higher_is_better: bool) -> str:
    if row.cv is None or row.public is None:
        return ""
    return f"{(row.cv - row.public) * (1 if higher_is_better else -1):+z.5f}"
