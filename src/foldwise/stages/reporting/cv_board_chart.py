"""Leaderboard scores against cross-validated ones, as a picture with names and the fitted line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from foldwise.stages.reporting.frame import WIDTH, Frame, chart, frame
from foldwise.stages.reporting.svg import isolated, padded, tag

_HEIGHT = 270.0
_LETTER_PX, _WORD_PX = 6.6, 12.0
_RADIUS = 4.5
_MOST_LETTERS = 22

#: Left, top, right, bottom of a piece of the picture.
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Submitted:
    """A submission with both scores.

    Attributes:
        number: in the ledger.
        name: its run.
        cv: its cross-validated score.
        board: its score on the leaderboard.
        is_outlier: it lies off the line of the others.
    """

    number: int
    name: str
    cv: float
    board: float
    is_outlier: bool


def cv_board_chart(
    points: Sequence[Submitted],
    line: tuple[float, float] | None,
    *,
    board: str,
    about: str,
) -> Markup:
    """Every submission a point, outliers as diamonds, named as far as there is room.

    Args:
        points: at least one.
        line: slope and intercept of the fitted line; None: not fitted.
        board: which leaderboard.
        about: for those who do not see it.
    """
    x_range = padded([point.cv for point in points], 0.1)
    y_range = padded([point.board for point in points], 0.1)
    place = frame(x_range, y_range, "cv", f"{board} leaderboard", height=_HEIGHT)
    drawn = [_straight(place, 1.0, 0.0, "rule")]
    if line is not None:
        drawn.append(_straight(place, *line, "line a"))
    drawn += [_point(place, point) for point in points]
    return chart(about, place.axes, *drawn, *_labels(place, points), height=_HEIGHT)


def _straight(place: Frame, slope: float, intercept: float, look: str) -> Markup:
    """The part of a line that lies inside the plot."""
    low, high = place.x.low, place.x.high
    if slope:
        ends = sorted((y - intercept) / slope for y in (place.y.low, place.y.high))
        low, high = max(low, ends[0]), min(high, ends[1])
    elif not place.y.low <= intercept <= place.y.high:
        return Markup("")
    if low >= high:
        return Markup("")
    (x1, y1), (x2, y2) = ((place.x(x), place.y(intercept + slope * x)) for x in (low, high))
    return tag("line", x1=x1, x2=x2, y1=y1, y2=y2, class_=look)


def _point(place: Frame, point: Submitted) -> Markup:
    x, y = place.x(point.cv), place.y(point.board)
    said = f"{point.number} {isolated(point.name)}: cv {point.cv:.5f}, {point.board:.5f}"
    if not point.is_outlier:
        return tag("circle", tag("title", said), cx=x, cy=y, r=_RADIUS, class_="point a")
    shape = f"M{x:.1f} {y - 7:.1f}l7 7l-7 7l-7 -7Z"
    return tag("path", tag("title", said), d=shape, class_="point b")


def _labels(place: Frame, points: Sequence[Submitted]) -> list[Markup]:
    """A name beside each point, or its number, or nothing, so that nothing is covered."""
    around = _RADIUS + 1
    at = [(place.x(point.cv), place.y(point.board)) for point in points]
    taken: list[Box] = [(x - around, y - around, x + around, y + around) for x, y in at]
    found = []
    # Outliers first: these are the ones whose names matter.
    for k in sorted(range(len(points)), key=lambda k: not points[k].is_outlier):
        point = points[k]
        for text, (x, y, anchor, box) in _tries(point, at[k]):
            is_inside = box[0] >= place.x.start and box[2] <= WIDTH and box[3] <= place.y.start
            others = taken[:k] + taken[k + 1 :]
            if is_inside and box[1] >= place.y.end - 4 and not any(_meet(box, o) for o in others):
                taken.append(box)
                found.append(tag("text", text, x=x, y=y, text_anchor=anchor, class_="named"))
                break
    return found


def _tries(
    point: Submitted, at: tuple[float, float]
) -> Iterator[tuple[str, tuple[float, float, str, Box]]]:
    """Texts and places, the best first."""
    name = point.name
    if len(name) > _MOST_LETTERS:
        name = f"{name[: _MOST_LETTERS - 1]}…"
    for text, length in (
        (f"{point.number} {isolated(name)}", len(f"{point.number} {name}")),
        (str(point.number), len(str(point.number))),
    ):
        wide, (x, y) = length * _LETTER_PX, at
        gap = _RADIUS + 4
        for left, top, anchor, start in (
            (x + gap, y - _WORD_PX / 2, "start", x + gap),
            (x - gap - wide, y - _WORD_PX / 2, "end", x - gap),
            (x - wide / 2, y - gap - _WORD_PX, "middle", x),
            (x - wide / 2, y + gap, "middle", x),
        ):
            yield text, (start, top + 10, anchor, (left, top, left + wide, top + _WORD_PX))


def _meet(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
