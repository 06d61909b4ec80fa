"""Keeps every submission's scores, and says whether the leaderboard follows cross-validation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from foldwise.choosing.trust import Trust
from foldwise.config.competition import Competition
from foldwise.config.loading import load
from foldwise.home import Home
from foldwise.metrics import METRICS, Metric, bind
from foldwise.parts import name_of
from foldwise.publish import locked
from foldwise.stages.display import Display
from foldwise.stages.ledgering.listing import (
    doubtful_cv,
    is_of,
    ledger_table,
    row_line,
    trust_in,
    uploads_line,
    uploads_on,
)
from foldwise.stages.ledgering.merging import merge
from foldwise.stages.ledgering.moments import now
from foldwise.stages.ledgering.noting import (
    check_given,
    found_row,
    noted_row,
    same_row,
    upload_time,
)
from foldwise.stages.ledgering.row import Row, one_line
from foldwise.stages.ledgering.rows import read_rows, save_rows
from foldwise.stages.ledgering.scores_file import read_scores, write_scores

_WAIT_S = 600


@dataclass(frozen=True)
class Ledger:
    """What the ledger says.

    Attributes:
        rows: every submission by number.
        num_uploads: of today, UTC.
        public: what cv is worth as a guide to the public leaderboard.
        private: the same for the private one.
    """

    rows: list[Row]
    num_uploads: int
    public: Trust
    private: Trust


def ledger_add(
    home: Home,
    which: str | None = None,
    *,
    run: str | None = None,
    cv: float | None = None,
    public: float | None = None,
    private: float | None = None,
    comment: str | None = None,
    at: str | None = None,
    replace_scores: bool = False,
    display: Display | None = None,
) -> Row:
    """Note the scores of a submission, or add one that was made elsewhere.

    Args:
        home: the competition.
        which: number of a submission, or a run: its last one.
        run: instead, what to call a submission made elsewhere.
        cv: its cross-validated score.
        public: its score on the public leaderboard; where it is news, the submission counts as
            uploaded now, unless `at` says.
        private: its score on the private one.
        comment: takes the place of the one before.
        at: when it was uploaded, ISO form, UTC without a zone; or `now`.
        replace_scores: whether scores that differ from the known ones take their place.
        display: where the row is shown.

    Returns:
        The row, stored. The same again changes nothing; the same scores at another time are
        another submission.

    Raises:
        ConfigError: options that do not fit each other, or a score the metric cannot have.
        RunError: no such submission, or its scores are known to be others.
    """
    show = display or Display()
    competition, metric = _asked(home)
    check_given(metric, which, run, cv=cv, public=public, private=private, comment=comment, at=at)
    given = Row(
        run=one_line(run or ""),
        source="added by hand",
        metric=name_of(competition.metric),
        cv=cv,
        cv_how=None if cv is None else "given",
        public=public,
        private=private,
        uploaded=None if at is None else upload_time(at),
        comment=one_line(comment or ""),
    )
    with locked(home.submissions / ".lock", doing="writing the ledger", wait_s=_WAIT_S):
        rows = read_rows(home)
        known = same_row(rows, given) if which is None else found_row(rows, which)
        row = noted_row(home, known, given, replace_scores=replace_scores)
        if row not in rows or not row.key:
            row = save_rows(home, [row])[0]
    show.say(row_line(row))
    return row


def ledger_list(home: Home, *, csv: Path | None = None, display: Display | None = None) -> Ledger:
    """Show every submission, today's uploads, and whether the leaderboard follows cv.

    Args:
        home: the competition; nothing in it is written.
        csv: also write the rows to this file, in the form that `ledger_import` reads; of files
            that are there, only an earlier export is replaced.
        display: where.

    Raises:
        DataError: the ledger is damaged, or `csv` is something else than an export.
    """
    show = display or Display()
    competition, metric = _asked(home)
    name = name_of(competition.metric)
    up = metric.higher_is_better
    rows = read_rows(home)
    found = Ledger(
        rows=rows,
        num_uploads=uploads_on(rows, now()[:10]),
        public=trust_in(rows, "public", name, higher_is_better=up),
        private=trust_in(rows, "private", name, higher_is_better=up),
    )
    if rows and not show.quiet:
        room = show.console.width
        show.console.print(ledger_table(rows, name, higher_is_better=up, room=room))
    show.say(uploads_line(found.num_uploads, competition.rules.daily_submissions))
    _tell_trust(show, found, name)
    if csv is not None:
        write_scores(csv, rows)
        show.say(f"{csv}: {len(rows)} submissions")
    return found


def ledger_import(
    home: Home, file: Path, *, replace_scores: bool = False, display: Display | None = None
) -> list[Row]:
    """Take over the scores in a file: the ledger's own CSV, Kaggle's, or one with plain headers.

    All or nothing. The same file again adds nothing; scores that became known are filled in.

    Args:
        home: the competition.
        file: see `ledgering.scores_file.read_scores`.
        replace_scores: whether scores that differ from the known ones take their place.
        display: where it is said what was done.

    Returns:
        The rows that are new or changed, as stored.

    Raises:
        DataError: lines that are wrong or that contradict the ledger, all with their numbers.
    """
    show = display or Display()
    competition, metric = _asked(home)
    lines, unused = read_scores(file, metric, name_of(competition.metric))
    with locked(home.submissions / ".lock", doing="writing the ledger", wait_s=_WAIT_S):
        merged = merge(read_rows(home), lines, replace_scores=replace_scores)
        stored = save_rows(home, merged.changed)
    num_changed = len(merged.changed) - merged.num_new
    show.say(
        f"{file}: {len(lines)} lines: {merged.num_new} new, {num_changed} changed, "
        f"{merged.num_same} known already"
    )
    if unused:
        show.say(f"columns that were not used: {', '.join(unused)}")
    return stored


def _asked(home: Home) -> tuple[Competition, Metric]:
    competition = load(home.competition, Competition)
    return competition, bind(METRICS, competition.metric, code=home.code)


def _tell_trust(show: Display, found: Ledger, metric: str) -> None:
    others = [row for row in found.rows if not is_of(row, metric)]
    if others:
        show.warn(f"{len(others)} submissions have scores of another metric and are left out")
    for board, trusted in (("public", found.public), ("private", found.private)):
        if board == "private" and not trusted.num:
            continue
        show.say(f"cv against the {board} leaderboard ({trusted.num} submissions):")
        show.say(f"  {trusted.verdict}", style="bold")
        for sentence in trusted.sentences:
            show.say(f"  {sentence}")
    for sentence in doubtful_cv(found.rows):
        show.warn(sentence)
