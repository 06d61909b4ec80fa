"""Who may hand in at Kaggle, how often and until when."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from foldwise.errors import PlatformError
from foldwise.platforms.kaggle_client import status_of
from foldwise.platforms.kaggle_line import AnyLine

_HIDDEN, _ABSENT = 403, 404


@dataclass(frozen=True)
class Entrance:
    """What Kaggle says of a competition to who wants to hand in.

    Attributes:
        is_entered: whether its rules are accepted.
        is_closed: whether nothing is taken any more.
        deadline: when the last submission counts, in UTC; None: open.
        daily: uploads a day; None: not said.
    """

    is_entered: bool
    is_closed: bool
    deadline: datetime | None
    daily: int | None


@dataclass(frozen=True)
class Allowed:
    """How many uploads are left.

    Attributes:
        num_today: made since midnight UTC.
        num_total: ever made.
        num_left: that may still be made today.
        is_last: whether none is left for good, not for the day only.
    """

    num_today: int
    num_total: int
    num_left: int
    is_last: bool


def entrance(line: AnyLine, slug: str) -> Entrance:
    """What is asked of who wants to hand in.

    Raises:
        PlatformError: there is no such competition, or not for these credentials.
    """
    from kagglesdk.competitions.types.competition_api_service import ApiGetCompetitionRequest
    from requests import HTTPError

    request = ApiGetCompetitionRequest()
    request.competition_name = slug
    supposed = {
        "user_has_entered": True,
        "submissions_disabled": False,
        "deadline": None,
        "max_daily_submissions": 0,
    }
    try:
        found = line.ask("competitions", "get_competition", request, supposed=supposed)
    except HTTPError as error:
        if status_of(error) not in (_HIDDEN, _ABSENT):
            raise
        raise PlatformError(
            f"Kaggle has no competition {slug!r}, or does not show it to you",
            remedy="correct platform in competition.yaml; the name is the last part of its address",
        ) from None
    deadline = found.deadline
    daily = found.max_daily_submissions
    return Entrance(
        is_entered=found.user_has_entered is True,
        is_closed=found.submissions_disabled is True,
        deadline=deadline.replace(tzinfo=UTC) if isinstance(deadline, datetime) else None,
        daily=daily if isinstance(daily, int) and daily > 0 else None,
    )


def allowed(line: AnyLine, slug: str) -> Allowed:
    """How many uploads are left; nobody is on a team before the first one, so all are 0 then."""
    from kagglesdk.competitions.types.competition_api_service import (
        ApiGetSubmissionLimitsRequest,
    )

    request = ApiGetSubmissionLimitsRequest()
    request.competition_name = slug
    supposed = {"num_today": 0, "num_total": 0, "num_allowed_now": 1, "limited_by_total": False}
    with let_in(slug):
        found = line.ask("competitions", "get_submission_limits", request, supposed=supposed)
    return Allowed(
        num_today=int(found.num_today),
        num_total=int(found.num_total),
        num_left=int(found.num_allowed_now),
        is_last=found.limited_by_total is True,
    )


@contextmanager
def let_in(slug: str) -> Iterator[None]:
    """What is hidden inside is hidden for want of accepted rules."""
    from requests import HTTPError

    try:
        yield
    except HTTPError as error:
        if status_of(error) != _HIDDEN:
            raise
        raise rules_not_accepted(slug) from None


def rules_not_accepted(slug: str) -> PlatformError:
    """That Kaggle wants the rules to be accepted, by a person and on its page."""
    return PlatformError(
        f"Kaggle does not let you into competition {slug!r}: its rules are not accepted",
        remedy=f"accept them at https://www.kaggle.com/competitions/{slug}/rules, then run the "
        "same command again",
    )
