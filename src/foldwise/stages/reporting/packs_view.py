"""Packs that answer: what they hold, and score against time of all there was to choose from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from foldwise.config.duration import seconds
from foldwise.home import Home
from foldwise.json_files import read_json
from foldwise.stages.packing.making import PACK_FILE
from foldwise.stages.progress import duration
from foldwise.stages.reporting.frame import LINE_PX, TOP, WIDTH, Frame, chart, frame
from foldwise.stages.reporting.svg import isolated, padded, tag

_HEIGHT = 230.0
_HOUR_S, _MINUTE_S = 3600.0, 60.0


def packs_view(home: Home, metric: str) -> list[dict[str, Any]]:
    """What the page says of each pack that answers, by name.

    Args:
        home: the competition.
        metric: its name.
    """
    found = []
    for path in sorted(home.packs.glob(f"*/{PACK_FILE}")):
        facts = read_json(path)
        if facts.get("kind") == "answer" and "options" in facts:
            found.append(_view(facts, read_json(path.parent / "proof.json"), metric))
    return found


def _view(facts: Mapping[str, Any], proof: Mapping[str, Any] | None, metric: str) -> dict[str, Any]:
    chosen = next(option for option in facts["options"] if option["is_chosen"])
    return {
        "name": facts["name"],
        "run": facts["run"],
        "platform": facts["platform"],
        "members": chosen["members"],
        "score": chosen["score"],
        "time": f"{duration(facts['seconds'])} of {duration(seconds(facts['limit']))}",
        "rounds": len(facts["rounds"]),
        "notes": facts["notes"],
        "proof": None if proof is None else bool(proof["holds"]),
        "chart": frontier_chart(facts["options"], seconds(facts["limit"]), metric),
    }


def frontier_chart(
    options: Sequence[Mapping[str, Any]], limit_s: float, metric: str
) -> Markup | None:
    """Every option a point, those that none beats in both joined by a line, the chosen one named.

    Args:
        options: with `members`, `score`, `seconds`, `is_best`, `is_chosen`.
        limit_s: where it lies within what is shown, the limit is drawn.
        metric: what is scored.

    Returns:
        None where fewer than two have a score.
    """
    scored = [option for option in options if option["score"] is not None]
    if len(scored) < 2:
        return None
    longest = max(option["seconds"] for option in scored)
    unit, label = (_HOUR_S, "hours") if longest >= 2 * _HOUR_S else (_MINUTE_S, "minutes")
    most = 1.06 * max(longest, limit_s if limit_s <= 2 * longest else 0.0)
    y_range = padded([option["score"] for option in scored], 0.12)
    place = frame((0.0, most / unit), y_range, label, f"{metric}, cross-fitted", height=_HEIGHT)
    drawn = [place.axes, *_limit(place, limit_s / unit), *_line(place, scored, unit)]
    drawn += [_point(place, option, unit) for option in scored]
    drawn += _name(place, scored, unit)
    return chart(f"score against time of {len(scored)} options", *drawn, height=_HEIGHT)


def _limit(place: Frame, limit: float) -> Iterator[Markup]:
    if limit > place.x.high:
        return
    x = place.x(limit)
    yield tag("line", x1=x, x2=x, y1=place.y.start, y2=place.y.end, class_="rule")
    yield tag("text", "limit", x=x - 4, y=place.y.end + LINE_PX, text_anchor="end")


def _line(place: Frame, options: Sequence[Mapping[str, Any]], unit: float) -> Iterator[Markup]:
    best = [option for option in options if option["is_best"]]
    points = " ".join(f"{place.x(o['seconds'] / unit):.1f},{place.y(o['score']):.1f}" for o in best)
    yield tag("polyline", points=points, class_="line a")


def _point(place: Frame, option: Mapping[str, Any], unit: float) -> Markup:
    look = "b" if option["is_chosen"] else "a" if option["is_best"] else "c"
    said = f"{option['members']}: {option['score']:.4f}, {duration(option['seconds'])}"
    mark = {"cx": place.x(option["seconds"] / unit), "cy": place.y(option["score"])}
    radius = 5.5 if option["is_chosen"] else 4.0
    return tag("circle", tag("title", said), **mark, r=radius, class_=f"point {look}")


def _name(place: Frame, options: Sequence[Mapping[str, Any]], unit: float) -> Iterator[Markup]:
    for option in options:
        if option["is_chosen"]:
            x, y = place.x(option["seconds"] / unit), place.y(option["score"])
            is_right = x > WIDTH / 2
            yield tag(
                "text", isolated("chosen"), x=x - 9 if is_right else x + 9,
                y=max(y - 8, TOP + 2 * LINE_PX), text_anchor="end" if is_right else "start",
                class_="named",
            )  # fmt: skip
