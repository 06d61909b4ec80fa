"""Small charts of one style as inline SVG: courses, precision against recall, spreads, scatter.

Every chart is 340 units wide, the width of a phone, so that its words keep their size there;
colours come from the page's style by class and follow light and dark.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from foldwise.stages.reporting.svg import Scale, padded, tag, tick_text

WIDTH, HEIGHT = 340.0, 200.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 48.0, 12.0, 10.0, 36.0
_LINE_PX = 13.0
_BINS = 30


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


@dataclass(frozen=True)
class Frame:
    """A plot's scales with its axes drawn."""

    x: Scale
    y: Scale
    axes: Markup


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
    frame = _frame(
        (min(xs, default=0.0), max(max(xs, default=1.0), min(xs, default=0.0) + 1)),
        y_range or padded(known),
        x_label,
        y_label,
        right=_RIGHT + room,
    )
    drawn = [_course(line, frame) for line in lines]
    drawn += _beyond(lines, frame)
    return _chart(about, frame.axes, *drawn, *_names(lines, frame))


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
    return _chart(about, *axes, *words, line, width=side, height=side)


def spread_chart(oof: np.ndarray, test: np.ndarray, *, x_label: str, about: str) -> Markup:
    """Shares of rows by score: out-of-fold as a filled shape, test as a line."""
    every = np.concatenate([oof, test])
    low, high = float(every.min()), float(every.max())
    if high <= low:
        low, high = padded([low])
    edges = np.linspace(low, high, _BINS + 1)
    shapes = [np.histogram(part, edges)[0] / max(len(part), 1) for part in (oof, test)]
    top = max(float(shape.max()) for shape in shapes) * 1.05
    frame = _frame((low, high), (0.0, top or 1.0), x_label, "share of rows")
    filled, line = (_steps(shape, edges, frame) for shape in shapes)
    base = f"{frame.x(low):.1f},{frame.y(0):.1f}"
    end = f"{frame.x(high):.1f},{frame.y(0):.1f}"
    return _chart(
        about,
        frame.axes,
        tag("polygon", points=f"{base} {filled} {end}", class_="area a"),
        tag("polyline", points=line, class_="line b") if len(test) else Markup(""),
    )


def scatter_chart(
    points: Sequence[Sequence[float]], *, x_label: str, y_label: str, about: str
) -> Markup:
    """Score against truth, with the line where both are equal."""
    low, high = padded([value for point in points for value in point])
    frame = _frame((low, high), (low, high), x_label, y_label)
    ends = {"x1": frame.x(low), "y1": frame.y(low), "x2": frame.x(high), "y2": frame.y(high)}
    dots = [tag("circle", cx=frame.x(a), cy=frame.y(b), r=2, class_="dot a") for a, b in points]
    return _chart(about, frame.axes, tag("line", **ends, class_="rule"), *dots)


def _frame(
    x_range: tuple[float, float],
    y_range: tuple[float, float],
    x_label: str,
    y_label: str,
    *,
    right: float = _RIGHT,
) -> Frame:
    x = Scale(*x_range, _LEFT, WIDTH - right)
    y = Scale(*y_range, HEIGHT - _BOTTOM, _TOP + _LINE_PX)
    x_ticks, y_ticks = x.ticks(6), y.ticks(5)
    grid = [tag("line", x1=x.start, x2=x.end, y1=y(v), y2=y(v), class_="grid") for v in y_ticks]
    words = [
        tag("text", tick_text(v, y_ticks), x=_LEFT - 6, y=y(v) + 4, text_anchor="end")
        for v in y_ticks
    ] + [
        tag("text", tick_text(v, x_ticks), x=x(v), y=HEIGHT - 19, text_anchor="middle")
        for v in x_ticks
    ]
    labels = [
        tag("text", x_label, x=x.end, y=HEIGHT - 4, text_anchor="end", class_="label"),
        tag("text", y_label, x=0.0, y=_TOP, class_="label"),
    ]
    return Frame(x, y, Markup("").join([*grid, *words, *labels]))


def _course(line: Course, frame: Frame) -> Markup:
    parts: list[list[str]] = [[]]
    for x, y in zip(line.xs, line.ys, strict=True):
        if y is None:
            parts.append([])
        else:
            parts[-1].append(f"{frame.x(x):.1f},{frame.y(y):.1f}")
    drawn = [_stroke(part, line.look) for part in parts if part]
    return Markup("").join(drawn)


def _beyond(lines: Sequence[Course], frame: Frame) -> list[Markup]:
    """An arrow for every place that has a point above the scale, with the highest value there."""
    tops: dict[float, tuple[float, str]] = {}
    for line in lines:
        for x, y in zip(line.xs, line.ys, strict=True):
            if y is not None and y > frame.y.high and y > tops.get(x, (y - 1, ""))[0]:
                tops[x] = (y, line.look.split()[0])
    found = []
    for x, (y, look) in tops.items():
        left, top = frame.x(x), frame.y.end
        arrow = f"M{left:.1f} {top - 9:.1f}l5 8h-10Z"
        found.append(tag("path", tag("title", f"{y:.4g}"), d=arrow, class_=f"dot {look}"))
        found.append(tag("text", f"{y:.3g}", x=left + 8, y=top - 1, class_="label"))
    return found


def _stroke(points: Sequence[str], look: str) -> Markup:
    if len(points) > 1:
        return tag("polyline", points=" ".join(points), class_=f"line {look}")
    x, y = points[0].split(",")
    return tag("circle", cx=x, cy=y, r=2.5, class_=f"dot {look}")


def _names(lines: Sequence[Course], frame: Frame) -> list[Markup]:
    """Names at the ends of their lines, moved apart where they would touch."""
    ends = [
        (frame.y(last), line)
        for line in lines
        if line.name and (last := _last(line.ys)) is not None
    ]
    ends.sort(key=lambda end: end[0])
    places: list[float] = []
    for y, _ in ends:
        places.append(max(y, places[-1] + _LINE_PX) if places else y)
    over = max(0.0, places[-1] - frame.y.start) if places else 0.0
    return [
        tag("text", line.name, x=frame.x.end + 6, y=place - over + 4, class_=f"name {line.look}")
        for place, (_, line) in zip(places, ends, strict=True)
    ]


def _last(values: Sequence[float | None]) -> float | None:
    return next((value for value in reversed(values) if value is not None), None)


def _steps(shape: np.ndarray, edges: np.ndarray, frame: Frame) -> str:
    def place(a: float, b: float) -> str:
        return f"{frame.x(a):.1f},{frame.y(b):.1f}"

    return " ".join(
        f"{place(edges[k], height)} {place(edges[k + 1], height)}"
        for k, height in enumerate(shape.tolist())
    )


def _chart(about: str, *parts: Markup, width: float = WIDTH, height: float = HEIGHT) -> Markup:
    return tag(
        "svg",
        tag("title", about),
        *parts,
        viewBox=f"0 0 {width:g} {height:g}",
        width=f"{width:g}",
        height=f"{height:g}",
        role="img",
        class_="chart",
    )
