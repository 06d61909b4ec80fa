"""Small charts of a run: courses over epochs, precision against recall, score against truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from foldwise.stages.reporting.frame import LINE_PX, RIGHT, Frame, chart, frame
from foldwise.stages.reporting.svg import Scale, padded, tag


@dataclass(frozen=True)
class Course:
    """A line of a chart.

    Attributes:
        xs: rising.
        ys: as many; None breaks the line.
        look: class of the line: `a`, `b` or `c`, with ` thin` for one of many.
        name: written at its end; "" for none.
    """

    xs: Sequence[float]
    ys: Sequence[float | None]
    look: str
    name: str = ""


def courses(
    lines: Sequence[Course],
    *,
    x_label: str,
    y_label: str,
    about: str,
    y_range: tuple[float, float] | None = None,
) -> Markup:
    """Lines with their names at their ends; points above `y_range` are marked at its edge."""
    known = [y for line in lines for y in line.ys if y is not None]
    xs = [x for line in lines for x in line.xs]
    names = [line.name for line in lines if line.name]
    room = 7.0 * max(map(len, names), default=0) + (6 if names else 0)
    place = frame(
        (min(xs, default=0.0), max(max(xs, default=1.0), min(xs, default=0.0) + 1)),
        y_range or padded(known),
        x_label,
        y_label,
        right=RIGHT + room,
    )
    drawn = [_course(line, place) for line in lines]
    drawn += _beyond(lines, place)
    return chart(about, place.axes, *drawn, *_names(lines, place))


def recall_curve(recall: Sequence[float], precision: Sequence[float], *, about: str) -> Markup:
    """Precision against recall of one class, a small square with a range of 0 to 1 each way."""
    side, left, bottom = 150.0, 26.0, 22.0
    x, y = Scale(0, 1, left, side - 6), Scale(0, 1, side - bottom, 6)
    axes = [
        tag("line", x1=x(0), x2=x(1), y1=y(at), y2=y(at), class_="grid") for at in (0.0, 0.5, 1.0)
    ]
    words = [
        *(
            tag("text", f"{at:g}", x=left - 4, y=y(at) + 4, text_anchor="end")
            for at in (0.0, 0.5, 1.0)
        ),
        *(
            tag("text", f"{at:g}", x=x(at), y=side - 7, text_anchor="middle")
            for at in (0.0, 0.5, 1.0)
        ),
    ]
    points = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in zip(recall, precision, strict=True))
    line = tag("polyline", points=points, class_="line a")
    return chart(about, *axes, *words, line, width=side, height=side)


def scatter_chart(
    points: Sequence[Sequence[float]], *, x_label: str, y_label: str, about: str
) -> Markup:
    """Score against truth, with the line where both are equal."""
    low, high = padded([value for point in points for value in point])
    place = frame((low, high), (low, high), x_label, y_label)
    ends = {"x1": place.x(low), "y1": place.y(low), "x2": place.x(high), "y2": place.y(high)}
    dots = [tag("circle", cx=place.x(a), cy=place.y(b), r=2, class_="dot a") for a, b in points]
    return chart(about, place.axes, tag("line", **ends, class_="rule"), *dots)


def _course(line: Course, place: Frame) -> Markup:
    parts: list[list[str]] = [[]]
    for x, y in zip(line.xs, line.ys, strict=True):
        if y is None:
            parts.append([])
        else:
            parts[-1].append(f"{place.x(x):.1f},{place.y(y):.1f}")
    drawn = [_stroke(part, line.look) for part in parts if part]
    return Markup("").join(drawn)


def _beyond(lines: Sequence[Course], place: Frame) -> list[Markup]:
    """An arrow for every place that has a point above the scale, with the highest value there."""
    tops: dict[float, tuple[float, str]] = {}
    for line in lines:
        for x, y in zip(line.xs, line.ys, strict=True):
            if y is not None and y > place.y.high and y > tops.get(x, (y - 1, ""))[0]:
                tops[x] = (y, line.look.split()[0])
    found = []
    for x, (y, look) in tops.items():
        left, top = place.x(x), place.y.end
        arrow = f"M{left:.1f} {top - 9:.1f}l5 8h-10Z"
        found.append(tag("path", tag("title", f"{y:.4g}"), d=arrow, class_=f"dot {look}"))
        found.append(tag("text", f"{y:.3g}", x=left + 8, y=top - 1, class_="label"))
    return found


def _stroke(points: Sequence[str], look: str) -> Markup:
    if len(points) > 1:
        return tag("polyline", points=" ".join(points), class_=f"line {look}")
    x, y = points[0].split(",")
    return tag("circle", cx=x, cy=y, r=2.5, class_=f"dot {look}")


def _names(lines: Sequence[Course], place: Frame) -> list[Markup]:
    """Names at the ends of their lines, moved apart where they would touch."""
    ends = [
        (place.y(last), line)
        for line in lines
        if line.name and (last := _last(line.ys)) is not None
    ]
    ends.sort(key=lambda end: end[0])
    heights: list[float] = []
    for y, _ in ends:
        heights.append(max(y, heights[-1] + LINE_PX) if heights else y)
    over = max(0.0, heights[-1] - place.y.start) if heights else 0.0
    return [
        tag("text", line.name, x=place.x.end + 6, y=height - over + 4, class_=f"name {line.look}")
        for height, (_, line) in zip(heights, ends, strict=True)
    ]


def _last(values: Sequence[float | None]) -> float | None:
    return next((value for value in reversed(values) if value is not None), None)
