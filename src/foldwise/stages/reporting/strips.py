"""Drawings that fill a table's cell at any width: intervals, bars and marks on a common scale."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from foldwise.stages.reporting.svg import Scale, padded, tag, tick_text

#: Places are percentages of the cell, with room for the marks at both ends.
_START, _END = 3.0, 97.0
_HEIGHT = 30.0


def common_scale(values: Sequence[float]) -> Scale:
    """One scale for all rows of a table."""
    low, high = padded(values)
    return Scale(low, high, _START, _END)


def interval_strip(
    scale: Scale,
    point: float | None,
    ends: tuple[float, float] | None,
    *,
    dots: Sequence[float] = (),
    rules: Sequence[float] = (),
    look: str = "a",
    is_hollow: bool = False,
    naive: float | None = None,
    about: str,
) -> Markup:
    """A score with its interval, the folds as small dots, and lines to compare it with.

    Args:
        scale: shared by all strips of a table.
        point: the score; an arrow at the edge where it lies beyond the scale.
        ends: of its interval.
        dots: scores of the folds.
        rules: where upright lines stand.
        look: `a` a circle, `b` a diamond, `c` a square, each of its colour.
        is_hollow: for scores that are not cross-fitted.
        naive: the same score naively got, as a hollow mark beside it.
        about: for those who do not see it.
    """
    middle = _HEIGHT / 2
    parts = [
        tag("line", x1=_at(scale, v), x2=_at(scale, v), y1=0, y2=_HEIGHT, class_="rule")
        for v in rules
    ]
    if ends is not None:
        low, high = (_at(scale, end) for end in ends)
        parts.append(tag("line", x1=low, x2=high, y1=middle, y2=middle, class_=f"span {look}"))
    parts += [tag("circle", cx=_at(scale, v), cy=middle + 9, r=2.2, class_="fold") for v in dots]
    if naive is not None:
        parts.append(_point(scale, naive, look, is_hollow=True))
    if point is not None:
        parts.append(_point(scale, point, look, is_hollow=is_hollow))
    return _strip(about, _HEIGHT, *parts)


def axis_strip(scale: Scale, label: str, *, most: int = 5) -> Markup:
    """The axis below the strips of a table."""
    ticks = scale.ticks(most)
    marks = [
        tag("line", x1=_at(scale, v), x2=_at(scale, v), y1=0, y2=5, class_="axis") for v in ticks
    ]
    words = [
        tag("text", tick_text(v, ticks), x=_at(scale, v), y=17, text_anchor="middle") for v in ticks
    ]
    base = tag("line", x1=f"{_START}%", x2=f"{_END}%", y1=0.5, y2=0.5, class_="axis")
    name = tag("text", label, x="50%", y=32, text_anchor="middle", class_="label")
    return _strip(f"axis: {label}", 36.0, base, *marks, *words, name)


def quantile_strip(scale: Scale, quantiles: Sequence[float], *, look: str, about: str) -> Markup:
    """A distribution: 5 quantiles as a thin line, a thick one inside it, and the median's mark.

    Args:
        scale: shared by all strips of a table, with 0 on it.
        quantiles: rising; the outer two, the inner two, and the median between.
        look: of `interval_strip`.
        about: for those who do not see it.
    """
    middle = _HEIGHT / 2
    at = [_at(scale, value) for value in quantiles]
    zero = _at(scale, 0.0)
    spans = [
        tag("line", x1=at[first], x2=at[last], y1=middle, y2=middle, class_=f"{words} {look}")
        for first, last, words in ((0, 4, "span"), (1, 3, "span thick"))
    ]
    rule = tag("line", x1=zero, x2=zero, y1=0, y2=_HEIGHT, class_="rule")
    return _strip(about, _HEIGHT, rule, *spans, _mark(at[2], middle, look, f"point {look}"))


def share_strip(value: float, top: float, *, look: str = "a") -> Markup:
    """A bar as long as the value's share of `top`."""
    width = 100 * min(max(value / top, 0.0), 1.0) if top > 0 else 0.0
    bar = tag("rect", x=0, y=2, width=f"{width:.1f}%", height=8, rx=2, class_=f"bar {look}")
    back = tag("rect", x=0, y=2, width="100%", height=8, rx=2, class_="back")
    return _strip("", 12.0, back, bar)


def weight_strip(value: float, every: Sequence[float]) -> Markup:
    """A bar from 0 to the value, on a scale that holds 0 and every value."""
    low, high = min(0.0, *every), max(0.0, *every)
    scale = Scale(low, high if high > low else 1.0, 0.0, 100.0)
    ends = sorted((scale(0.0), scale(value)))
    look = "bar a" if value >= 0 else "bar b"
    width = f"{ends[1] - ends[0]:.1f}%"
    bar = tag("rect", x=f"{ends[0]:.1f}%", y=2, width=width, height=8, rx=2, class_=look)
    back = tag("rect", x=0, y=2, width="100%", height=8, rx=2, class_="back")
    zero = tag("line", x1=_at(scale, 0.0), x2=_at(scale, 0.0), y1=0, y2=12, class_="axis")
    return _strip("", 12.0, back, bar, *([zero] if low < 0 else []))


def marks_strip(marks: Sequence[tuple[float, str]], top: float) -> Markup:
    """Values between 0 and `top` as marks: `o` a ring, `a` a dot, `b` a diamond, `rule` a line."""
    scale = Scale(0.0, top or 1.0, _START, _END)
    line = tag("line", x1=f"{_START}%", x2=f"{_END}%", y1=9, y2=9, class_="grid")
    return _strip("", 18.0, line, *(_sign(_at(scale, value), look) for value, look in marks))


def _point(scale: Scale, value: float, look: str, *, is_hollow: bool) -> Markup:
    """A mark at a value; an arrow says that it lies beyond the edge of the scale."""
    words = f"point {look} hollow" if is_hollow else f"point {look}"
    if scale.low <= value <= scale.high:
        return _mark(_at(scale, value), _HEIGHT / 2, look, words)
    is_left = value < scale.low
    shape = "M-9 0L1 -5V5Z" if is_left else "M9 0L-1 -5V5Z"
    at = f"{_START if is_left else _END}%"
    return tag("svg", tag("path", d=shape, class_=words), x=at, y=_HEIGHT / 2)


def _mark(at: str, y: float, look: str, words: str) -> Markup:
    """A circle, a diamond (`b`) or a square (`c`): colour alone tells nobody apart."""
    if look == "b":
        return tag("svg", tag("path", d="M0 -6L6 0L0 6L-6 0Z", class_=words), x=at, y=y)
    if look == "c":
        return tag("svg", tag("path", d="M-4 -4H4V4H-4Z", class_=words), x=at, y=y)
    return tag("circle", cx=at, cy=y, r=5, class_=words)


def _sign(at: str, look: str) -> Markup:
    if look == "rule":
        return tag("line", x1=at, x2=at, y1=1, y2=17, class_="rule")
    if look == "o":
        return tag("circle", cx=at, cy=9, r=4.5, class_="ring")
    return _mark(at, 9, look, f"point {look}")


def _at(scale: Scale, value: float) -> str:
    return f"{scale(value):.2f}%"


def _strip(about: str, height: float, *parts: Markup) -> Markup:
    what = {"role": "img", "aria_label": about} if about else {"aria_hidden": "true"}
    return tag("svg", *parts, width="100%", height=height, class_="strip", **what)
