"""Charts of masks: parts found by size, and how often a class is there by the evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from foldwise.stages.reporting.frame import HEIGHT, LEFT, RIGHT, TOP, WIDTH, chart, frame
from foldwise.stages.reporting.svg import Scale, tag

_BOTTOM = 36.0
#: Share of a bin's width that its bar takes.
_BAR = 0.72
#: Looks of counts and the width of a letter in each, the larger first.
_LETTERS = (("cell", 6.8), ("cell tight", 5.4))
_LETTER_PX = _LETTERS[0][1]


def found_bars(
    bins: Sequence[Sequence[int]], found: Sequence[int], there: Sequence[int], *, about: str
) -> Markup:
    """Shares of parts that were found by size, with the counts above.

    Args:
        bins: least and most area of each, pixels.
        found: parts that were, by bin.
        there: parts in all, by bin; a bin without any has no bar.
        about: for those who do not see it.
    """
    x = Scale(0, max(len(bins), 1), LEFT, WIDTH - RIGHT)
    y = Scale(0, 1, HEIGHT - _BOTTOM, TOP + 26)
    grid = [
        tag("line", x1=x.start, x2=x.end, y1=y(at), y2=y(at), class_="grid") for at in (0, 0.5, 1)
    ]
    words = [
        tag("text", f"{at:g}", x=LEFT - 6, y=y(at) + 4, text_anchor="end") for at in (0, 0.5, 1)
    ]
    words += [
        tag("text", short(low), x=x(place), y=HEIGHT - 19, text_anchor="middle")
        for place, (low, _) in enumerate(bins)
    ]
    words += [
        tag(
            "text",
            "pixels of a part, from",
            x=x.end,
            y=HEIGHT - 4,
            text_anchor="end",
            class_="label",
        ),
        tag("text", "share found, found/all above", x=0.0, y=TOP, class_="label"),
    ]
    width = x(_BAR) - x(0)
    bars = [
        _bar(x(place) + (x(1) - x(0) - width) / 2, width, y, num_found, num)
        for place, (num_found, num) in enumerate(zip(found, there, strict=True))
        if num
    ]
    return chart(about, *grid, *words, *bars)


def reliability_chart(bins: Sequence[Mapping[str, Any]], *, x_label: str, about: str) -> Markup:
    """Share of pairs whose class is there by the mean evidence for it, with numbers of pairs.

    Args:
        bins: `reliability` of `scoring.mask_evidence`.
        x_label: what the evidence is.
        about: for those who do not see it.
    """
    place = frame(
        (0.0, 1.0), (0.0, 1.0), x_label, "share of pairs whose class is there", above=12.0
    )
    equal = {"x1": place.x(0), "y1": place.y(0), "x2": place.x(1), "y2": place.y(1)}
    points = [(place.x(each["mean"]), place.y(each["share"])) for each in bins]
    line = tag("polyline", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in points), class_="line a")
    dots = [tag("circle", cx=x, cy=y, r=4, class_="point a") for x, y in points]
    words, end = [], 0.0
    for (x, y), each in zip(points, bins, strict=True):
        text = short(each["pairs"])
        # The table has all of them: numbers that would lie on each other are left out.
        if x - _LETTER_PX * len(text) / 2 >= end:
            end = x + _LETTER_PX * (len(text) / 2 + 0.5)
            words.append(tag("text", text, x=x, y=y - 9, text_anchor="middle", class_="named"))
    return chart(about, place.axes, tag("line", **equal, class_="rule"), line, *dots, *words)


def short(number: int) -> str:
    """A count in few letters.

    >>> [short(number) for number in (64, 999, 4096, 65536, 1048576)]
    ['64', '999', '4.1k', '66k', '1.0M']
    """
    for unit, name in ((1_000_000, "M"), (1000, "k")):
        if number >= unit:
            value = number / unit
            return f"{value:.0f}{name}" if value >= 10 else f"{value:.1f}{name}"
    return str(number)


def _bar(left: float, width: float, y: Scale, found: int, there: int) -> Markup:
    share = found / there
    missed = tag("rect", x=left, y=y(1), width=width, height=y(share) - y(1), class_="b area")
    hit = tag("rect", x=left, y=y(share), width=width, height=y(0) - y(share), class_="a")
    return Markup("").join([missed, hit, *_counts(left + width / 2, width, y(1) - 5, found, there)])


def _counts(middle: float, width: float, height: float, found: int, there: int) -> list[Markup]:
    """Found and all above a bar, smaller where that helps; the table has those without room."""
    text, room = f"{short(found)}/{short(there)}", width / _BAR
    look = next((name for name, letter in _LETTERS if letter * len(text) <= room), None)
    if look is None:
        return []
    return [tag("text", text, x=middle, y=height, text_anchor="middle", class_=look)]
