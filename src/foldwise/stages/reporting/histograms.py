"""Histograms of out-of-fold and test scores, with the places where scores become answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from markupsafe import Markup

from foldwise.stages.reporting.frame import LINE_PX, Frame, chart, frame
from foldwise.stages.reporting.svg import isolated, padded, tag

_BINS = 30
#: Width of a letter of a label, generously.
_LETTER_PX = 7.5
_TICK_PX = 9.0


@dataclass(frozen=True)
class Cuts:
    """Where one column of scores is cut, rising.

    Attributes:
        values: the cuts of the decision.
        fixed: those of the formulation.
        is_fitted: whether the values are not the fixed ones.
        per_fold: all cuts of the decisions that were made without a fold; empty where these do
            not differ.
        between: what the answer is below, between and above the cuts; may be empty.
    """

    values: tuple[float, ...]
    fixed: tuple[float, ...]
    is_fitted: bool
    per_fold: tuple[float, ...] = ()
    between: tuple[str, ...] = ()


def score_histogram(
    oof: np.ndarray, test: np.ndarray, *, x_label: str, about: str, cuts: Cuts | None = None
) -> Markup:
    """Shares of rows by score: out-of-fold as a filled shape, test as a line, cuts upright.

    Args:
        oof: (N,) float.
        test: (M,) float, may be empty.
        x_label: below the axis.
        about: for those who do not see it.
        cuts: where these scores are cut; None: nowhere.
    """
    low, high = _range(np.concatenate([oof, test]), cuts)
    edges = np.linspace(low, high, _BINS + 1)
    shapes = [np.histogram(part, edges)[0] / max(len(part), 1) for part in (oof, test)]
    top = max(float(shape.max()) for shape in shapes) * 1.05
    named = cuts is not None and any(cuts.between)
    place = frame(
        (low, high), (0.0, top or 1.0), x_label, "share of rows", above=LINE_PX if named else 0.0
    )
    filled, line = (_steps(shape, edges, place) for shape in shapes)
    base = f"{place.x(low):.1f},{place.y(0):.1f}"
    end = f"{place.x(high):.1f},{place.y(0):.1f}"
    return chart(
        about,
        place.axes,
        tag("polygon", points=f"{base} {filled} {end}", class_="area a"),
        tag("polyline", points=line, class_="line b") if len(test) else Markup(""),
        *(_drawn(cuts, place) if cuts is not None else ()),
    )


def _range(scores: np.ndarray, cuts: Cuts | None) -> tuple[float, float]:
    """Holds all scores and all finite cuts; a cut right at the edge could not be seen."""
    low, high = float(scores.min()), float(scores.max())
    upright = [] if cuts is None else [v for v in _all(cuts) if np.isfinite(v)]
    if upright and (min(upright) <= low or max(upright) >= high):
        return padded([low, high, *upright], 0.03)
    return (low, high) if high > low else padded([low])


def _all(cuts: Cuts) -> tuple[float, ...]:
    return (*cuts.values, *cuts.fixed, *cuts.per_fold)


def _drawn(cuts: Cuts, place: Frame) -> list[Markup]:
    top, base = place.y.end, place.y.start

    def upright(value: float, look: str, end: float) -> Markup:
        x = place.x(value)
        return tag("line", x1=x, x2=x, y1=top, y2=end, class_=look)

    found = [
        upright(v, "cut fixed", base)
        for v in cuts.fixed
        if np.isfinite(v) and not (cuts.is_fitted and v in cuts.values)
    ]
    if cuts.is_fitted:
        found += [upright(v, "cut", base) for v in cuts.values if np.isfinite(v)]
    found += [
        upright(v, "cut each", top + _TICK_PX) for v in sorted(set(cuts.per_fold)) if np.isfinite(v)
    ]
    return [*found, *_names(cuts, place)]


def _names(cuts: Cuts, place: Frame) -> list[Markup]:
    """The answers between the cuts, as far as there is room for their names."""
    limits = [place.x.start, *(place.x(v) for v in cuts.values), place.x.end]
    return [
        tag(
            "text",
            isolated(name),
            x=(left + right) / 2,
            y=place.y.end - 4,
            text_anchor="middle",
            class_="answer",
        )
        for (left, right), name in zip(pairwise(limits), cuts.between, strict=False)
        if right - left >= _LETTER_PX * len(name)
    ]


def _steps(shape: Sequence[float] | np.ndarray, edges: np.ndarray, place: Frame) -> str:
    def at(a: float, b: float) -> str:
        return f"{place.x(a):.1f},{place.y(b):.1f}"

    return " ".join(
        f"{at(edges[k], height)} {at(edges[k + 1], height)}"
        for k, height in enumerate(np.asarray(shape).tolist())
    )
