"""What Kaggle knows of a competition, asked through its official client."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from foldwise.errors import ConfigError, PlatformError
from foldwise.platforms.kaggle_client import connected, plain, status_of

_SLUG = r"(?P<slug>[a-z0-9][a-z0-9_-]*)"
_NAMES = (
    re.compile(rf"kaggle:{_SLUG}", re.IGNORECASE),
    re.compile(
        rf"https?://(?:www\.)?kaggle\.com/(?:competitions|c)/{_SLUG}(?:[/?#].*)?", re.IGNORECASE
    ),
)
_WHERE = "the name is the last part of its address: https://www.kaggle.com/competitions/NAME"
#: Kaggle hides what is not for you: who mistypes a name is told 403 as often as 404.
_HIDDEN, _ABSENT = 403, 404
_NUM_NEAR = 3
#: More than any title or metric needs; what is longer is not meant to be read on one line.
_MAX_WORDS = 160


@dataclass(frozen=True)
class Listing:
    """What Kaggle says of a competition.

    Attributes:
        slug: its name in addresses.
        title: its name for people; "" if none is given.
        metric: the evaluation metric in Kaggle's words; "" if none is given.
        deadline: when the last submission counts, in UTC.
        daily_submissions: uploads a day.
        by_notebook: not files are handed in, but notebooks that write them.
    """

    slug: str
    title: str
    metric: str
    deadline: datetime | None
    daily_submissions: int | None
    by_notebook: bool = False


def slug_of(platform: str) -> str:
    """The competition that `kaggle:NAME` or its address names.

    Raises:
        ConfigError: it is neither.

    >>> slug_of("https://www.kaggle.com/competitions/digit-recognizer/overview")
    'digit-recognizer'
    """
    for pattern in _NAMES:
        if found := pattern.fullmatch(platform.strip()):
            return found["slug"]
    shown = re.sub(r"//[^/]*@", "//", platform)  # An address may hold a password.
    raise ConfigError(
        f"--platform {shown}: wanted kaggle:NAME", remedy=f"{_WHERE}; the address does, too"
    )


def fetch_listing(slug: str, *, timeout_s: float = 20.0) -> Listing:
    """Ask Kaggle for a competition.

    Args:
        slug: its name in addresses.
        timeout_s: longest silence of the server.

    Raises:
        PlatformError: Kaggle cannot be asked, or does not have or show it.
    """
    with connected(timeout_s) as connection:
        from kagglesdk.competitions.types.competition_api_service import ApiGetCompetitionRequest
        from requests import HTTPError

        api = connection.client.competitions.competition_api_client
        request = ApiGetCompetitionRequest()
        request.competition_name = slug
        try:
            found = api.get_competition(request)
        except HTTPError as error:
            if status_of(error) not in (_HIDDEN, _ABSENT):
                raise
            raise _unknown(slug, status_of(error), api) from None
        return _listing(slug, found)


def _listing(slug: str, found: Any) -> Listing:
    if not (found.ref or found.id):
        raise PlatformError(
            f"what Kaggle answers does not describe competition {slug!r}",
            remedy="look whether something between here and Kaggle answers in its place",
        )
    daily = found.max_daily_submissions
    return Listing(
        slug=slug,
        title=_plain(found.title),
        metric=_plain(found.evaluation_metric),
        deadline=_in_utc(found.deadline),
        daily_submissions=daily if isinstance(daily, int) and daily > 0 else None,
        by_notebook=found.is_kernels_submissions_only is True,
    )


def _unknown(slug: str, status: int, api: Any) -> PlatformError:
    """That there is none of this name, with the nearest ones.

    Raises:
        HTTPError: the credentials may not even search, so it is them that are refused.
    """
    from requests import RequestException

    try:
        near = _near(slug, api)
    except RequestException:
        if status == _HIDDEN:
            raise
        near = []
    hidden = ", or shows it only to those who are let in" if status == _HIDDEN else ""
    remedy = f"names like it: {', '.join(near)}" if near else _WHERE
    return PlatformError(f"Kaggle has no competition {slug!r}{hidden}", remedy=remedy)


def _near(slug: str, api: Any) -> list[str]:
    """Names that a search for its words finds, the likest first."""
    from kagglesdk.competitions.types.competition_api_service import ApiListCompetitionsRequest
    from kagglesdk.competitions.types.competition_enums import CompetitionListTab

    request = ApiListCompetitionsRequest()
    request.group = CompetitionListTab.COMPETITION_LIST_TAB_EVERYTHING
    request.search = re.sub(r"[-_]+", " ", slug)
    found = api.list_competitions(request).competitions or []
    names = {_plain(each.ref).rstrip("/").rsplit("/", 1)[-1] for each in found} - {slug, ""}
    return difflib.get_close_matches(slug, sorted(names), n=_NUM_NEAR, cutoff=0.0)


def _plain(text: object) -> str:
    return plain(text, _MAX_WORDS)


def _in_utc(moment: object) -> datetime | None:
    """Kaggle's times are in UTC; its client takes the zone off."""
    if not isinstance(moment, datetime):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
