"""A row of the ledger: one submission with its scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from foldwise.errors import DataError
from foldwise.stages.ledgering.moments import moment
from foldwise.stages.submitting.ledger import Entry

Source = Literal["made here", "added by hand", "imported"]


@dataclass(frozen=True)
class Row:
    """A submission in the ledger; what is not known is None.

    Attributes:
        run: its run, or what it is called elsewhere.
        source: how it came into the ledger.
        number: its number; 0: the store gives it the next one.
        key: the store's own number of the row; 0: not stored yet.
        time: when it was made, UTC; of imported ones the date that the file gives.
        folder: its folder in `submissions/`, where it was made here.
        metric: what its scores are of, by name.
        cv: the headline score of cross-validation.
        cv_how: how that was got: cross-fitted, naive, optimistic, or `given` by a person.
        cv_low: lower end of its interval.
        cv_high: upper end.
        cv_naive: of a blend, the naive score beside the cross-fitted one.
        public: score on the public leaderboard.
        private: score on the private one.
        uploaded: when it was uploaded, UTC; scores may be known without.
        status: what the platform says of it, such as complete or error.
        comment: one line.
        commit: what the competition's folder stood at.
    """

    run: str
    source: Source
    number: int = 0
    key: int = 0
    time: str | None = None
    folder: str | None = None
    metric: str | None = None
    cv: float | None = None
    cv_how: str | None = None
    cv_low: float | None = None
    cv_high: float | None = None
    cv_naive: float | None = None
    public: float | None = None
    private: float | None = None
    uploaded: str | None = None
    status: str | None = None
    comment: str = ""
    commit: str | None = None


def entry_row(entry: Entry) -> Row:
    """The row of a submission made here, not stored yet.

    Raises:
        DataError: its record lacks something.
    """
    facts = entry.facts
    try:
        ends: dict[str, Any] = facts["interval"] or {}
        return Row(
            run=facts["run"],
            source="made here",
            number=int(facts["number"]),
            time=moment(facts["time"]),
            folder=entry.path.name,
            metric=facts["metric"],
            cv=facts["score"],
            cv_how=facts["how"]["got"],
            cv_low=ends.get("low"),
            cv_high=ends.get("high"),
            cv_naive=facts["how"]["naive"],
            commit=facts["commit"],
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(
            f"{entry.path / 'entry.json'}: damaged: {type(error).__name__}: {error}",
            remedy="move its folder out of submissions/ and submit the run again",
        ) from None


def one_line(text: str) -> str:
    """The text without line breaks and control characters, blanks put together."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
