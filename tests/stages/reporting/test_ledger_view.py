from __future__ import annotations

import re
from pathlib import Path

from foldwise.stages.ledger import ledger_add
from foldwise.stages.reporting.cv_board_chart import Submitted, cv_board_chart
from foldwise.stages.reporting.ledger_view import ledger_view
from foldwise.stages.reporting.material import gather
from tests.stages.small_competition import QUIET, make_problem

#: A competition's submissions: the ranking held, the level did not.
CV = (0.8764383562, 0.8537, 0.8689041096, 0.8765753425, 0.8939726027, 0.8915068493, 0.7850684932)
BOARD = (
    0.8005274522,
    0.7564432525,
    0.7809556327,
    0.7922304446,
    0.8335906151,
    0.8180110004,
    0.6506512947,
)


def _points(num: int, outlier: int | None = None) -> list[Submitted]:
    return [Submitted(k + 1, f"run{k}", CV[k], BOARD[k], k == outlier) for k in range(num)]


def test_there_is_no_ledger_before_a_submission(tmp_path: Path) -> None:
    assert ledger_view(gather(make_problem(tmp_path).home), None) is None


def test_the_verdict_rests_on_both_scores_and_the_newest_comes_first(tmp_path: Path) -> None:
    home = make_problem(tmp_path).home
    for k, (cv, board) in enumerate(zip(CV, BOARD, strict=True)):
        ledger_add(home, run=f"run{k}", cv=cv, public=board, comment="<b>", display=QUIET)
    ledger_add(home, run="not uploaded", cv=0.9, display=QUIET)
    view = ledger_view(gather(home), None)
    assert view is not None
    (board,) = view["boards"]
    assert board["verdict"] == "ranking can be trusted, level cannot"
    assert board["num"] == "7 submissions"
    assert [row["run"] for row in view["rows"][:2]] == ["not uploaded", "run6"]
    assert view["rows"][0]["gap"] is None
    assert abs(view["rows"][1]["gap"] - (CV[6] - BOARD[6])) < 1e-12
    assert view["uploads"].startswith("7 uploads on ")


def test_a_gap_disappoints_where_lower_is_better_too(tmp_path: Path) -> None:
    home = make_problem(tmp_path, "regression").home
    ledger_add(home, run="a", cv=1.0, public=1.5, display=QUIET)
    view = ledger_view(gather(home), None)
    assert view is not None
    assert view["rows"][0]["gap"] == 0.5


def test_a_board_that_nobody_knows_has_no_picture(tmp_path: Path) -> None:
    home = make_problem(tmp_path, rules={"daily_submissions": 5}).home
    ledger_add(home, run="a", cv=0.8, display=QUIET)
    view = ledger_view(gather(home), None)
    assert view is not None
    assert view["boards"] == []
    assert view["uploads"].startswith("0 of 5 uploads on ")


def test_labels_cover_neither_each_other_nor_points() -> None:
    crowd = [Submitted(k, f"a run with a long name {k}", 0.8, 0.7, False) for k in range(20)]
    drawn = cv_board_chart([*crowd, *_points(7)], None, board="public", about="crowd")
    heights = [float(y) for y in re.findall(r'y="([\d.]+)"[^>]*class="named"', drawn)]
    assert 0 < len(heights) < 20


def test_an_outlier_is_a_diamond_and_named() -> None:
    drawn = cv_board_chart(_points(7, outlier=6), (1.6, -0.6), board="public", about="seven")
    assert drawn.count("<path") == 1
    assert "7 \u2068run6\u2069</text>" in drawn


def test_one_submission_or_equal_scores_are_drawn() -> None:
    for points in (_points(1), _points(1) * 3):
        drawn = cv_board_chart(points, None, board="public", about="one")
        assert "nan" not in drawn
        assert drawn.count("<circle") == len(points)


def test_a_level_line_is_drawn() -> None:
    drawn = cv_board_chart(_points(7), (0.0, 0.75), board="public", about="level")
    assert 'class="line a"' in drawn
