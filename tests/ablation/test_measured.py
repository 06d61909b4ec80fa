"""Figures that are kept: read back as they were, and replaced only by what is as deep."""

from __future__ import annotations

from pathlib import Path

import pytest
from measured import (
    Base,
    Figures,
    GalleryScore,
    Row,
    keep_figures,
    keep_gallery,
    read_figures,
    read_gallery,
)
from studies import BASE, QUICK_SCREEN, SCREEN, VERDICT, Study, Trick

STUDY = Study("pack", (), 2, 1, {}, (Trick("first", BASE, {}), Trick("second", BASE, {})))


def row(num_seeds: int, num_folds: int, better_by: float = 0.0) -> Row:
    return Row(num_seeds, num_folds, better_by, [-0.1, 0.1], None, 1.5)


def base(num_seeds: int, num_folds: int, score: float) -> Base:
    return Base(num_seeds, num_folds, "accuracy", score, 0.01, 100, None)


def test_figures_come_back_in_the_order_of_work(tmp_path: Path) -> None:
    rows = {"second": row(3, 1), "gone": row(3, 1), "first": row(4, 2)}
    keep_figures(tmp_path, STUDY, Figures(base(4, 2, 0.5), rows))
    found = read_figures(tmp_path, "pack")
    assert found == Figures(base(4, 2, 0.5), {"first": row(4, 2), "second": row(3, 1)})
    assert list(found.rows) == ["first", "second"]
    scores = {"ran": GalleryScore("accuracy", 0.5, None, "out-of-fold", 3, 60.0)}
    keep_gallery(tmp_path, scores)
    assert read_gallery(tmp_path) == scores


def test_of_what_was_never_measured_nothing_is_known(tmp_path: Path) -> None:
    assert read_figures(tmp_path, "pack") == Figures(None, {})
    assert read_gallery(tmp_path) == {}


@pytest.mark.parametrize(
    ("old", "new", "stays"),
    [((3, 1), (3, 1), "new"), ((3, 1), (4, 2), "new"), ((4, 2), (3, 1), "old")],
)
def test_the_deeper_figure_stays(old: tuple[int, int], new: tuple[int, int], stays: str) -> None:
    figures = {
        name: Figures(base(*depth, score), {"first": row(*depth, score)})
        for name, depth, score in (("old", old, 0.1), ("new", new, 0.2))
    }
    assert figures["new"].over(figures["old"]) == figures[stays]
    nothing = Figures(None, {})
    assert nothing.over(figures["old"]) == figures["old"] == figures["old"].over(nothing)


def test_a_row_says_how_far_it_was_measured() -> None:
    assert row(3, 1).reaches(QUICK_SCREEN, STUDY)
    assert not row(3, 1).reaches(SCREEN, STUDY)
    assert row(3, 2).reaches(SCREEN, STUDY)
    assert not row(3, 2).reaches(VERDICT, STUDY)
    assert row(4, 2).reaches(QUICK_SCREEN, STUDY)
