"""What a person notes of a submission: which one is meant, and whether it can be so."""

from __future__ import annotations

from dataclasses import replace

from foldwise.errors import ConfigError, RunError
from foldwise.home import Home
from foldwise.metrics import Metric
from foldwise.stages.commit import commit_of
from foldwise.stages.ledgering.merging import contradictions, filled, overwritten
from foldwise.stages.ledgering.moments import moment, now
from foldwise.stages.ledgering.row import Row, one_line
from foldwise.stages.ledgering.scores_file import out_of_range, range_words


def check_given(
    metric: Metric, which: str | None, run: str | None, **given: float | str | None
) -> None:
    """Refuse options that do not fit each other and scores that the metric cannot have.

    Args:
        metric: the competition's.
        which: the submission that is meant.
        run: instead, the name of one made elsewhere.
        given: the other options by name; cv, public and private are scores.

    Raises:
        ConfigError: all that is wrong.
    """
    problems = []
    if (which is None) == (run is None):
        problems.append("name one submission: its number or run, or --run for one made elsewhere")
    if run is not None and not one_line(run):
        problems.append("--run: found an empty name")
    scores = {key: given[key] for key in ("cv", "public", "private") if given[key] is not None}
    problems += [
        f"--{key}: found {value}, wanted {range_words(metric)}"
        for key, value in scores.items()
        if out_of_range(metric, float(value or 0))
    ]
    if run is not None and not scores:
        problems.append("a submission made elsewhere needs --cv, --public or --private")
    if all(value is None for value in given.values()):
        problems.append("found nothing to note: give --public, --private, --cv, --comment or --at")
    if problems:
        raise ConfigError(*problems)


def upload_time(at: str) -> str:
    """The time that `--at` says.

    Raises:
        ConfigError: it says none.
    """
    found = now() if at == "now" else moment(at)
    if found is None:
        raise ConfigError(f"--at: found {at!r}, wanted now or a time such as 2025-03-01T09:30")
    return found


def found_row(rows: list[Row], which: str) -> Row:
    """The submission of that number, or the last of that run.

    Raises:
        RunError: there is none, or several have the number.
    """
    numbered = [row for row in rows if which.isdecimal() and row.number == int(which)]
    if len(numbered) > 1:
        names = ", ".join(row.run for row in numbered)
        raise RunError(f"number {which} is there {len(numbered)} times: {names}; name the run")
    found = numbered or [row for row in rows if row.run == which]
    if not found:
        known = ", ".join(f"{row.number} ({row.run})" for row in rows[-10:])
        raise RunError(
            f"no submission is number {which} or of a run of that name",
            remedy=f"known: {known or 'none'}; one made elsewhere is added with --run {which}",
        )
    return found[-1]


def same_row(rows: list[Row], given: Row) -> Row | None:
    """The last row that says the same already, but for its comment; None: it is a new one.

    Equal scores with another time are another upload. A row without a time may get one.
    """
    said = (given.run, given.cv, given.public, given.private)
    same = [row for row in rows if (row.run, row.cv, row.public, row.private) == said]
    if given.uploaded is not None:
        timed = [row for row in same if row.uploaded == given.uploaded]
        same = timed or [row for row in same if row.uploaded is None]
    return same[-1] if same else None


def noted_row(home: Home, known: Row | None, given: Row, *, replace_scores: bool) -> Row:
    """The known row with what is given, or a new one.

    A comment and a time take the place of those before.

    Raises:
        RunError: scores are known to be others, and are not to be replaced.
    """
    if given.public is not None and (known is None or known.public is None):
        given = replace(given, uploaded=given.uploaded or now())
    if known is None:
        return replace(given, time=given.uploaded or now(), commit=commit_of(home.path))
    differing = contradictions(known, given)
    if differing and not replace_scores:
        raise RunError(*differing, remedy="take the new score with --replace")
    row = overwritten(filled(known, given), given)
    return replace(
        row,
        uploaded=given.uploaded or row.uploaded,
        comment=given.comment or row.comment,
    )
