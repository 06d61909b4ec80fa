"""What views are worth against what they cost: each alone with its interval, and growing sets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from foldwise.config.writing import in_flow
from foldwise.json_files import read_json
from foldwise.rundir import RunDir
from foldwise.stages.reporting.frame import LINE_PX, chart
from foldwise.stages.reporting.svg import Scale, isolated, padded, tag, tick_text
from foldwise.stages.reporting.words import signed
from foldwise.stages.scoring.held_out import file_hash

_WIDTH, _NAMES, _COSTS = 640.0, 150.0, 100.0
_ROW, _HEAD, _FOOT, _SETS = 21.0, 34.0, 34.0, 210.0

#: The page's own classes, for a picture that stands alone.
_STYLE = """
svg { background: #fff; font: 12px system-ui, sans-serif; }
text { fill: #5b656c; font-size: 11.5px; }
.title { font-weight: 600; }
.grid { stroke: #dfe3e4; } .rule { stroke: #7b858b; stroke-dasharray: 3 3; }
.span { stroke-width: 2.5; } .span.a { stroke: #1f6699; } .span.b { stroke: #b3560a; }
.span.c { stroke: #7b858b; } .line.a { fill: none; stroke: #1f6699; stroke-width: 1.4; }
.point.a { fill: #1f6699; } .point.b { fill: #b3560a; } .point.c { fill: #7b858b; }
.named { fill: #1d2327; paint-order: stroke; stroke: #fff; stroke-width: 3.5px; }
"""


def views_chart(found: Mapping[str, Any]) -> Markup:
    """The picture of what `foldwise views` found.

    Args:
        found: the content of `views.json`.
    """
    rows = sorted(found["single"], key=lambda worth: -_point(worth))
    sets = [found["plain"], *found["steps"]]
    above = _HEAD + _ROW * len(rows) + _FOOT
    drawn = [*_singles(rows, found["metric"]), *_sets(sets, found["own"], above)]
    about = f"gain in {found['metric']} of each view and of sets of views against what they cost"
    return chart(about, *drawn, width=_WIDTH, height=above + _HEAD + _SETS + _FOOT)


def views_view(run: RunDir) -> dict[str, Any] | None:
    """What was measured of a run's views, for its page; None: nothing, or of other predictions."""
    found = read_json(run.views)
    if found is None or found["oof"] != file_hash(run.oof):
        return None
    return {"chart": views_chart(found), "proposed": in_flow(found["proposed"])}


def alone(picture: Markup) -> str:
    """A chart of the page as a file of its own."""
    begin = '<svg xmlns="http://www.w3.org/2000/svg" '
    return str(picture).replace("<svg ", begin, 1).replace(">", f"><style>{_STYLE}</style>", 1)


def _singles(rows: Sequence[Mapping[str, Any]], metric: str) -> Iterator[Markup]:
    """A line for each view that joins the image as it is."""
    x = Scale(*_range(rows), _NAMES, _WIDTH - _COSTS)
    bottom = _HEAD + _ROW * len(rows)
    yield _title("Each view, beside the image as it is", 12.0)
    yield tag("text", "s for 1,000 images", x=_WIDTH - 4, y=_HEAD - 8, text_anchor="end")
    ticks = x.ticks(6)
    for value in ticks:
        look = "rule" if value == 0 else "grid"
        yield tag("line", x1=x(value), x2=x(value), y1=_HEAD - 4, y2=bottom, class_=look)
        words = tick_text(value, ticks)
        yield tag("text", words, x=x(value), y=bottom + LINE_PX, text_anchor="middle")
    label = f"gain in {metric}, right of 0 is better"
    yield tag("text", label, x=x.end, y=bottom + 2 * LINE_PX, text_anchor="end", class_="label")
    for number, worth in enumerate(rows):
        y = _HEAD + _ROW * (number + 0.5)
        yield tag(
            "text", isolated(worth["views"][-1]), x=_NAMES - 10, y=y + 4, text_anchor="end",
            class_="named",
        )  # fmt: skip
        yield from _interval(worth, x, y)
        cost = f"{worth['seconds']:.3g}"
        yield tag("text", cost, x=_WIDTH - 4, y=y + 4, text_anchor="end")


def _interval(worth: Mapping[str, Any], x: Scale, y: float) -> Iterator[Markup]:
    gain, look = worth["gain"], _look(worth)
    if gain is None:
        return
    said = f"{signed(gain['point'])}"
    if gain["low"] is not None:
        said += f", {signed(gain['low'])} to {signed(gain['high'])}"
        ends = {"x1": x(gain["low"]), "x2": x(gain["high"])}
        yield tag("line", **ends, y1=y, y2=y, class_=f"span {look}")
    mark = {"cx": x(gain["point"]), "cy": y, "r": 4.5, "class_": f"point {look}"}
    yield tag("circle", tag("title", said), **mark)


def _sets(
    sets: Sequence[Mapping[str, Any]], own: Mapping[str, Any], above: float
) -> Iterator[Markup]:
    """Sets that grow by one view, and the recipe's own, gain against cost."""
    top = above + _HEAD
    most = max(worth["seconds"] for worth in (*sets, own))
    x = Scale(0.0, 1.08 * most or 1.0, 56.0, _WIDTH - 40.0)
    y = Scale(*_range([*sets, own]), top + _SETS, top)
    yield _title("Sets, chosen forward without the fold they are scored on", above + 14)
    ticks = y.ticks(5)
    for value in ticks:
        look = "rule" if value == 0 else "grid"
        yield tag("line", x1=x.start, x2=x.end, y1=y(value), y2=y(value), class_=look)
        words = tick_text(value, ticks)
        yield tag("text", words, x=x.start - 6, y=y(value) + 4, text_anchor="end")
    ticks = x.ticks(6)
    for value in ticks:
        words = tick_text(value, ticks)
        yield tag("text", words, x=x(value), y=top + _SETS + LINE_PX, text_anchor="middle")
    label = "seconds for 1,000 images, reading aside"
    yield tag("text", label, x=x.end, y=top + _SETS + 2 * LINE_PX, text_anchor="end")
    yield tag("text", "gain", x=x.start - 6, y=top - 6, text_anchor="end")
    places = " ".join(f"{x(w['seconds']):.1f},{y(_point(w)):.1f}" for w in sets)
    yield tag("polyline", points=places, class_="line a")
    for number, worth in enumerate(sets):
        name = f"+ {worth['views'][-1]}" if number else worth["views"][0]
        yield from _whisker(worth, x, y, name, is_above=number % 2 == 1)
    if list(own["views"]) not in [list(worth["views"]) for worth in sets]:
        yield from _whisker(own, x, y, "the recipe's", is_above=False)


def _whisker(
    worth: Mapping[str, Any], x: Scale, y: Scale, name: str, *, is_above: bool
) -> Iterator[Markup]:
    look = _look(worth)
    at, ends = x(worth["seconds"]), sorted(y(value) for value in _values(worth) or [0.0])
    yield tag("line", x1=at, x2=at, y1=ends[0], y2=ends[-1], class_=f"span {look}")
    said = f"{', '.join(worth['views'])}: {signed(_point(worth))}"
    mark = {"cx": at, "cy": y(_point(worth)), "r": 4.5, "class_": f"point {look}"}
    yield tag("circle", tag("title", said), **mark)
    height = ends[0] - 8 if is_above else ends[-1] + LINE_PX + 4
    anchor = "end" if at > x.end - 80 else "middle"
    yield tag("text", isolated(name), x=at, y=height, text_anchor=anchor, class_="named")


def _range(worths: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    values = [value for worth in worths for value in _values(worth)]
    return padded([0.0, *values], 0.1) if any(values) else (-1.0, 1.0)


def _title(words: str, y: float) -> Markup:
    return tag("text", words, x=4.0, y=y, class_="named title")


def _look(worth: Mapping[str, Any]) -> str:
    return {"gain": "a", "loss": "b"}.get(worth["verdict"], "c")


def _point(worth: Mapping[str, Any]) -> float:
    return 0.0 if worth["gain"] is None else float(worth["gain"]["point"])


def _values(worth: Mapping[str, Any]) -> list[float]:
    gain = worth["gain"] or {}
    return [gain[key] for key in ("low", "point", "high") if gain.get(key) is not None]
