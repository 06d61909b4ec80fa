"""What the platform says of a competition, as a source of the metric and as keys with reasons."""

from __future__ import annotations

from typing import Any

from foldwise.errors import PlatformError
from foldwise.metrics import METRICS
from foldwise.platforms.kaggle import Listing, fetch_listing, slug_of
from foldwise.stages.proposing.note import Note
from foldwise.stages.proposing.readme import metrics_named
from foldwise.stages.proposing.source import Source

_WITHOUT = "or leave --platform out: --metric says the metric, too"


def ask_platform(platform: str) -> Listing:
    """What the platform lists; asked for, it is never left out silently.

    Args:
        platform: `kaggle:NAME`, or the competition's address.

    Raises:
        ConfigError: it names no competition of a known platform.
        PlatformError: the platform cannot be asked, or has no such competition.
    """
    slug = slug_of(platform)
    try:
        return fetch_listing(slug)
    except PlatformError as error:
        raise PlatformError(*error.problems, remedy=f"{error.remedy}; {_WITHOUT}") from None


def source_of(listing: Listing) -> Source:
    """The metric as the platform names it."""
    words = listing.metric.lower()
    named = metrics_named(words, METRICS)
    return Source(
        "Kaggle",
        dict.fromkeys(named, listing.metric),
        strange="" if named else listing.metric,
        is_vague=bool(named) and words not in named.values(),
    )


def listed_values(listing: Listing) -> tuple[dict[str, Any], list[Note]]:
    """Keys of `competition.yaml` beside the metric, and all that was heard."""
    says = f"it says metric {listing.metric!r}" if listing.metric else "it names no metric"
    notes = [Note("platform", f"kaggle:{listing.slug}", f"as you said; {says}")]
    values: dict[str, Any] = {"platform": f"kaggle:{listing.slug}"}
    if listing.title:
        values["name"] = listing.title
        notes.append(Note("name", listing.title, "Kaggle says so"))
    if listing.deadline is not None:
        values["deadline"] = listing.deadline.isoformat()
        moment = listing.deadline.strftime("%Y-%m-%d %H:%M UTC")
        notes.append(Note("deadline", moment, "Kaggle says so, in UTC"))
    if listing.daily_submissions is not None:
        values["rules"] = {"daily_submissions": listing.daily_submissions}
        notes.append(Note("submissions a day", str(listing.daily_submissions), "Kaggle says so"))
    if listing.by_notebook:
        values["submission"] = {"by": "notebook"}
        notes.append(Note("handed in", "notebook", "Kaggle says so: files are not taken"))
    return values, notes
