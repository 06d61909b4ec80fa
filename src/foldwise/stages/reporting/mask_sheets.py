"""Contact sheets of masks: truth against out-of-fold answer, the worst of each class first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from foldwise.data.boxes import Box
from foldwise.stages.reporting import mask_pictures as drawing
from foldwise.stages.reporting.mask_reader import MaskReader
from foldwise.stages.reporting.material import Material, Run
from foldwise.stages.reporting.palette import colours
from foldwise.stages.reporting.pictures import Picture, drawn
from foldwise.stages.reporting.svg import tag
from foldwise.stages.reporting.words import score_text
from foldwise.tasks.problem import Problem

#: Cases of a run in all, and of one class at most.
_MAX_CASES, _MAX_DRAWN, _MAX_FALSE = 36, 4, 2
_MAX_WELL, _MAX_FRAMES = 6, 6
#: Sides of a panel, pixels; two stand side by side, or one above the other where they are long.
_PANEL, _WIDE, _OVERVIEW = 168, 340, 84
_IS_LONG = 2.2
_FRAME_WIDE = 250

LEGEND = (
    (drawing.RIGHT, "right"),
    (drawing.MISSED, "missed"),
    (drawing.FALSE, "false"),
)


def sheets_view(material: Material, run: Run) -> dict[str, Any] | None:
    """Pictures of a run's worst and of some good masks; only these samples are read.

    Args:
        material: with samples.
        run: with scores.

    Returns:
        `legend`, `classes`, `well`, `frames` and `class_legend`, `trouble`; None where the run has
        no masks, they cannot be read, or its scores are of others.
    """
    # Stale scores tell of other answers than those that would be drawn.
    if run.is_stale or run.scores is None or "masks" not in run.scores or material.folds is None:
        return None
    problem, scores = material.problem, run.scores
    assert problem is not None
    return material.tried(lambda: _sheets(problem, run, scores))


def _sheets(problem: Problem, run: Run, scores: dict[str, Any]) -> dict[str, Any]:
    classes = problem.competition.classes
    cases = _chosen(scores["masks"]["cases"])
    is_exclusive = scores["confusion"] is not None
    frames = scores["masks"]["frames"][:_MAX_FRAMES]
    well = [] if is_exclusive else scores["well"][:_MAX_WELL]
    every = [case for each in cases for case in (*each["drawn"], *each["false"])]
    reader = MaskReader(problem, run, [case["id"] for case in (*every, *well, *frames)])
    return {
        "legend": [(_swatch(drawing.COLOURS[kind]), name) for kind, name in LEGEND],
        "classes": [
            {
                "name": each["class"],
                "drawn": [
                    _case(reader, case, classes.index(each["class"])) for case in each["drawn"]
                ],
                "false": [
                    _case(reader, case, classes.index(each["class"])) for case in each["false"]
                ],
            }
            for each in cases
        ],
        "num_classes": len(classes),
        "well": [_answered_well(reader, sample) for sample in well],
        "frames": [_frame(reader, sample) for sample in frames],
        "class_legend": [
            (_swatch(colour), name)
            for colour, name in zip(colours(len(classes)), classes, strict=True)
        ]
        if frames
        else [],
        "trouble": reader.trouble,
    }


def _chosen(cases: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """As many of each class as the page has room for; of too many classes those drawn worst."""
    some = [each for each in cases if each["drawn"] or each["false"]]
    dice = [[case["dice"] for case in each["drawn"]] or [1.0] for each in some]
    worst = sorted(range(len(some)), key=dice.__getitem__)[: _MAX_CASES // 2]
    room = _MAX_CASES // 3 // max(len(worst), 1)
    drawn, false = min(_MAX_DRAWN, max(1, 2 * room)), min(_MAX_FALSE, max(1, room))
    return [
        {**each, "drawn": each["drawn"][:drawn], "false": each["false"][:false]}
        for each in (some[place] for place in sorted(worst))
    ]


def _case(reader: MaskReader, case: dict[str, Any], place: int) -> dict[str, Any]:
    """A truth drawn badly or a false alarm: what is around the largest error, plain and marked."""
    shown = reader.sample(case["id"])
    kinds = shown.kinds(place)
    missed, false = kinds == drawing.MISSED, kinds == drawing.FALSE
    focus = missed if missed.sum() >= false.sum() else false
    box = drawing.window(focus if focus.any() else kinds > drawing.UNCOUNTED)
    return {
        **_panels(shown.pixels, kinds, box),
        "id": case["id"],
        "fold": case["fold"],
        "label": None,
        "words": _words(case),
    }


def _words(case: dict[str, Any]) -> str:
    if not case["true"]:
        return f"{case['answered']:,} px answered, none true"
    if not case["answered"]:
        return f"{case['true']:,} px missed altogether"
    return (
        f"Dice {score_text(case['dice'], 2)}: {case['common']:,} of {case['true']:,} px, "
        f"{case['answered'] - case['common']:,} false"
    )


def _answered_well(reader: MaskReader, sample: dict[str, Any]) -> dict[str, Any]:
    """A sample with all its classes."""
    shown = reader.sample(sample["id"])
    kinds = np.maximum.reduce([shown.kinds(place) for place in range(shown.num_classes)])
    box = drawing.window((kinds == drawing.RIGHT) | (kinds == drawing.MISSED))
    return {
        **_panels(shown.pixels, kinds, box),
        "id": sample["id"],
        "fold": sample["fold"],
        "label": sample["label"],
        "words": f"mean Dice {score_text(1 - sample['distance'], 2)}",
    }


def _panels(pixels: np.ndarray, kinds: np.ndarray, box: Box) -> dict[str, Any]:
    """The part plain and marked at equal size, and where it lies in the whole, if it is less."""
    height, width = kinds.shape
    is_long = box.width > _IS_LONG * box.height
    bounds = (_PANEL, _WIDE) if is_long else (_PANEL, _PANEL)
    size = drawing.fitted(box.height, box.width, *bounds)
    plain = drawing.resized(box.of(pixels), *size)
    whole = None
    if (box.height, box.width) != (height, width):
        to = drawing.fitted(height, width, _OVERVIEW, _WIDE)
        small = drawing.marked(drawing.resized(pixels, *to), drawing.resized_kinds(kinds, *to))
        whole = drawn(drawing.framed(small, drawing.scaled(box, height, width, to)))
    return {
        "plain": drawn(plain),
        "marked": drawn(drawing.marked(plain, drawing.resized_kinds(box.of(kinds), *size))),
        "whole": whole,
        "is_long": is_long,
    }


def _frame(reader: MaskReader, sample: dict[str, Any]) -> dict[str, Any]:
    """A sample whose pixels have one class each: image, truth, answer, and what is wrong."""
    shown = reader.sample(sample["id"])
    height, width = shown.pixels.shape[:2]
    size = drawing.fitted(height, width, _FRAME_WIDE, _FRAME_WIDE)
    truth, answer = (shown.classes(each) for each in (shown.truth, shown.answer))
    wrong = np.where((truth >= 0) & (truth != answer), drawing.FALSE, drawing.NONE)
    wrong = wrong.astype(np.uint8)
    if (ignored := shown.ignored) is not None:
        wrong[ignored] = drawing.UNCOUNTED
    small = drawing.resized(shown.pixels, *size)
    grey = np.repeat(small.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)
    marks = drawing.marked(grey, drawing.resized_kinds(wrong, *size))
    return {
        "panels": [
            ("image", drawn(small)),
            ("truth", _coloured(truth, shown.num_classes, size)),
            ("answer", _coloured(answer, shown.num_classes, size)),
            ("wrong pixels", drawn(marks)),
        ],
        "id": sample["id"],
        "fold": sample["fold"],
        "words": f"mean Dice over classes {score_text(1 - sample['distance'], 2)}",
    }


def _coloured(classes: np.ndarray, num_classes: int, size: tuple[int, int]) -> Picture:
    """Each pixel in the colour of its class; black where there is none."""
    rows, columns = (
        np.arange(num) * whole // num for num, whole in zip(size, classes.shape, strict=True)
    )
    palette = np.concatenate([colours(num_classes), np.zeros((1, 3), np.uint8)])
    return drawn(palette[classes[rows[:, None], columns]], is_flat=True)


def _swatch(colour: np.ndarray) -> Markup:
    red, green, blue = colour.tolist()
    square = tag("rect", width=12, height=12, rx=2, fill=f"#{red:02x}{green:02x}{blue:02x}")
    return tag("svg", square, width=12, height=12, class_="swatch", aria_hidden="true")
