"""The frame of a chart: scales, grid and labels, and the SVG around it.

Every chart is 340 units wide, the width of a phone, so that its words keep their size there;
colours come from the page's style by class and follow light and dark.
"""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from foldwise.stages.reporting.svg import Scale, tag, tick_text

WIDTH, HEIGHT = 340.0, 200.0
#: Room beside and above the plot.
LEFT, RIGHT, TOP = 48.0, 12.0, 10.0
#: Height of a line of words.
LINE_PX = 13.0
_BOTTOM = 36.0


@dataclass(frozen=True)
class Frame:
    """A plot's scales with its axes drawn."""

    x: Scale
    y: Scale
    axes: Markup


def frame(
    x_range: tuple[float, float],
    y_range: tuple[float, float],
    x_label: str,
    y_label: str,
    *,
    right: float = RIGHT,
    above: float = 0.0,
    height: float = HEIGHT,
) -> Frame:
    """Scales and axes of a plot.

    Args:
        x_range: lowest and highest value.
        y_range: the same, upwards.
        x_label: below the axis.
        y_label: above the axis.
        right: room right of the plot.
        above: more room between the label and the plot.
        height: of the whole chart.
    """
    x = Scale(*x_range, LEFT, WIDTH - right)
    y = Scale(*y_range, height - _BOTTOM, TOP + LINE_PX + above)
    x_ticks, y_ticks = x.ticks(6), y.ticks(5)
    grid = [tag("line", x1=x.start, x2=x.end, y1=y(v), y2=y(v), class_="grid") for v in y_ticks]
    words = [
        tag("text", tick_text(v, y_ticks), x=LEFT - 6, y=y(v) + 4, text_anchor="end")
        for v in y_ticks
    ] + [
        tag("text", tick_text(v, x_ticks), x=x(v), y=height - 19, text_anchor="middle")
        for v in x_ticks
    ]
    labels = [
        tag("text", x_label, x=x.end, y=height - 4, text_anchor="end", class_="label"),
        tag("text", y_label, x=0.0, y=TOP, class_="label"),
    ]
    return Frame(x, y, Markup("").join([*grid, *words, *labels]))


def chart(about: str, *parts: Markup, width: float = WIDTH, height: float = HEIGHT) -> Markup:
    """The SVG that shows these parts and tells others what it is about."""
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
