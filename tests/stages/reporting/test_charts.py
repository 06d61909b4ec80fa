from __future__ import annotations

import re

import numpy as np

from foldwise.stages.reporting.charts import Course, courses, recall_curve
from foldwise.stages.reporting.svg import padded, without_outliers


def _points(markup: str, look: str) -> list[tuple[float, float]]:
    found = re.search(rf'points="([^"]+)" class="[^"]*{look}"', markup)
    assert found is not None
    pairs = [pair.split(",") for pair in found[1].split()]
    return [(float(x), float(y)) for x, y in pairs]


def test_a_falling_course_falls_on_the_page() -> None:
    line = Course([1, 2, 3], [3.0, 2.0, 1.0], "a", "loss")
    points = _points(courses([line], x_label="epoch", y_label="loss", about="loss"), "a")
    assert [x for x, _ in points] == sorted(x for x, _ in points)
    assert [y for _, y in points] == sorted(y for _, y in points)  # Down is more in SVG.


def test_unknown_values_break_a_line_and_never_draw_nan() -> None:
    line = Course([1, 2, 3, 4], [1.0, None, 2.0, 3.0], "a")
    made = courses([line], x_label="epoch", y_label="score", about="score")
    assert made.count("<polyline") == 1
    assert made.count("<circle") == 1
    nothing = Course([], [], "a", "none")
    for drawn in (made, courses([nothing], x_label="epoch", y_label="score", about="none")):
        assert "nan" not in drawn.replace("name", "")


def test_names_at_the_ends_of_lines_do_not_touch() -> None:
    lines = [Course([0, 1], [0.0, 0.5 + k * 1e-4], "a", f"fold {k}") for k in range(6)]
    made = courses(lines, x_label="epoch", y_label="score", about="scores")
    places = sorted(float(y) for y in re.findall(r'y="([\d.]+)" class="name a"', made))
    assert len(places) == 6
    assert min(np.diff(places)) >= 12.9


def test_perfect_ranking_runs_along_the_top() -> None:
    points = _points(recall_curve([0.0, 1.0], [1.0, 1.0], about="perfect"), "a")
    assert {y for _, y in points} == {6.0}


def test_a_first_epoch_far_above_the_others_is_marked_and_does_not_flatten_them() -> None:
    losses = [133.0, 1.4, 1.3, 1.2, 1.1, 1.0]
    line = Course([*range(1, 7)], losses, "a", "train")
    made = courses(
        [line], x_label="epoch", y_label="loss", about="loss", y_range=without_outliers(losses)
    )
    heights = [y for _, y in _points(made, "line a")]
    assert heights[5] - heights[1] > 100
    assert made.count("<path") == 1
    assert ">133</text>" in made


def test_a_usual_course_is_shown_whole() -> None:
    losses = [2.3, 1.4, 1.0, 0.8, 0.7, 0.65, 0.6]
    assert without_outliers(losses) == padded(losses)
