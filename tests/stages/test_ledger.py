from __future__ import annotations

import io
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from foldwise.errors import ConfigError, DataError, RunError
from foldwise.home import Home
from foldwise.publish import publish_bytes, publish_text
from foldwise.stages.display import Display
from foldwise.stages.ledger import ledger_add, ledger_import, ledger_list
from foldwise.stages.ledgering.listing import uploads_line, uploads_on
from foldwise.stages.ledgering.row import Row
from foldwise.stages.ledgering.rows import read_rows
from foldwise.stages.ledgering.store import read_store, write_store
from foldwise.stages.submit import submit
from foldwise.tasks.problem import Problem

from ..choosing.test_trust import CV, LB
from .small_competition import QUIET, make_problem, write_run

KAGGLE = """fileName,date,description,status,publicScore,privateScore
submission.csv,2025-03-02 10:00:00.123000,second try,SubmissionStatus.COMPLETE,0.81,
submission.csv,2025-03-01 09:00:00,first try,SubmissionStatus.COMPLETE,0.80,
bad.csv,2025-03-01 08:00:00,,SubmissionStatus.ERROR,,
"""


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foldwise.stages.scoring.intervals.RESAMPLES", 30)
    monkeypatch.setattr("foldwise.stages.scoring.headline.FOLD_DRAWS", 20)


@pytest.fixture
def problem(tmp_path: Path) -> Problem:
    return make_problem(tmp_path / "comp", thumbs=False, rules={"daily_submissions": 2})


@pytest.fixture
def home(problem: Problem) -> Home:
    return problem.home


def submitted(problem: Problem, *names: str) -> None:
    for seed, name in enumerate(names):
        write_run(problem, name, seed=seed)
        submit(problem.home, name, problem=problem, display=QUIET)


def shown(home: Home, csv: Path | None = None) -> str:
    out = io.StringIO()
    ledger_list(home, csv=csv, display=Display(Console(file=out, width=200, soft_wrap=True)))
    return out.getvalue()


def written(path: Path, text: str) -> Path:
    publish_text(path, text)
    return path


def test_a_submission_gets_a_row_with_its_score_and_how_it_was_got(problem: Problem) -> None:
    write_run(problem, "a")
    done = submit(problem.home, "a", problem=problem, display=QUIET)
    (row,) = read_store(problem.home.ledger)
    facts = done.entry.facts
    assert (row.number, row.run, row.folder) == (1, "a", "0001-a")
    assert (row.cv, row.cv_how) == (facts["score"], facts["how"]["got"])
    assert (row.cv_low, row.cv_high) == (facts["interval"]["low"], facts["interval"]["high"])
    assert (row.source, row.metric, row.public, row.uploaded) == (
        "made here",
        "accuracy",
        None,
        None,
    )


def test_submissions_without_a_row_are_healed(problem: Problem) -> None:
    submitted(problem, "a", "b")
    wanted = [replace(row, key=0) for row in read_rows(problem.home)]
    problem.home.ledger.unlink()  # As before there was one, or killed before it was written.
    assert read_rows(problem.home) == wanted
    assert not problem.home.ledger.exists()
    ledger_add(problem.home, "b", public=0.8, display=QUIET)
    stored = read_store(problem.home.ledger)
    assert [(row.run, row.number, row.public) for row in stored] == [("a", 1, None), ("b", 2, 0.8)]


def test_scores_are_added_to_the_last_submission_of_a_run_or_by_number(problem: Problem) -> None:
    submitted(problem, "a", "b")
    home = problem.home
    ledger_add(home, "a", public=0.7, comment="first\nline", display=QUIET)
    ledger_add(home, "2", public=0.6, private=0.5, at="2025-03-01T09:30+01:00", display=QUIET)
    first, second = read_rows(home)
    assert (first.public, first.comment) == (0.7, "first line")
    assert first.uploaded is not None
    assert (second.public, second.private, second.uploaded) == (0.6, 0.5, "2025-03-01T08:30:00Z")
    assert second.cv_how == "cross-fitted"


def test_the_same_scores_again_change_nothing(home: Home) -> None:
    first = ledger_add(home, run="mate", cv=0.8, public=0.7, display=QUIET)
    assert ledger_add(home, run="mate", cv=0.8, public=0.7, display=QUIET) == first
    assert ledger_add(home, "mate", public=0.7, display=QUIET) == first
    assert read_rows(home) == [first]


def test_a_comment_after_an_equal_score_is_kept(home: Home) -> None:
    first = ledger_add(home, run="mate", public=0.5, display=QUIET)
    second = ledger_add(home, run="mate", public=0.5, comment="second", display=QUIET)
    assert read_rows(home) == [second] == [replace(first, comment="second")]


def test_a_time_and_a_comment_complete_an_imported_row(home: Home, tmp_path: Path) -> None:
    ledger_import(home, written(tmp_path / "s.csv", "run,public\nmate,0.5\n"), display=QUIET)
    ledger_add(home, run="mate", public=0.5, comment="mine", at="2025-03-01", display=QUIET)
    (row,) = read_rows(home)
    assert (row.source, row.comment, row.uploaded) == ("imported", "mine", "2025-03-01T00:00:00Z")


def test_an_equal_score_at_another_time_is_another_upload(home: Home) -> None:
    for at in ("2025-03-01", "2025-03-02", "2025-03-01"):
        ledger_add(home, run="mate", public=0.5, at=at, display=QUIET)
    assert [(row.number, row.uploaded) for row in read_rows(home)] == [
        (1, "2025-03-01T00:00:00Z"),
        (2, "2025-03-02T00:00:00Z"),
    ]


def test_only_a_public_score_that_is_news_counts_as_an_upload_now(
    problem: Problem, tmp_path: Path
) -> None:
    submitted(problem, "a")
    home = problem.home
    assert ledger_add(home, "a", private=0.5, display=QUIET).uploaded is None
    assert ledger_add(home, run="mate", private=0.5, display=QUIET).uploaded is None
    ledger_import(home, written(tmp_path / "s.csv", "run,public\nb,0.5\n"), display=QUIET)
    assert ledger_add(home, "b", public=0.5, comment="x", display=QUIET).uploaded is None
    assert ledger_add(home, "a", public=0.5, display=QUIET).uploaded is not None


def test_a_score_that_differs_is_refused_unless_it_is_to_be_replaced(home: Home) -> None:
    ledger_add(home, run="mate", cv=0.8, public=0.7, display=QUIET)
    with pytest.raises(RunError, match=r"public of 1 \(mate\) is 0.7 already, found 0.6"):
        ledger_add(home, "1", public=0.6, display=QUIET)
    assert read_rows(home)[0].public == 0.7
    ledger_add(home, "1", public=0.6, replace_scores=True, display=QUIET)
    assert read_rows(home)[0].public == 0.6


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"which": "1", "public": 1.2}, "--public: found 1.2, wanted a finite number"),
        ({"which": "1", "private": float("nan")}, "--private: found nan"),
        ({"which": "1", "cv": float("inf")}, "--cv: found inf"),
        ({"which": "1"}, "found nothing to note"),
        ({"public": 0.5}, "name one submission"),
        ({"which": "1", "run": "b", "cv": 0.5}, "name one submission"),
        ({"run": " ", "cv": 0.5}, "--run: found an empty name"),
        ({"run": "b", "comment": "x"}, "needs --cv, --public or --private"),
        ({"which": "1", "at": "soon"}, "--at: found 'soon'"),
    ],
)
def test_wrong_options_are_refused(home: Home, given: dict[str, object], message: str) -> None:
    ledger_add(home, run="mate", cv=0.8, display=QUIET)
    with pytest.raises(ConfigError, match=message):
        ledger_add(home, **given, display=QUIET)  # type: ignore[arg-type]
    assert len(read_rows(home)) == 1


def test_an_infinite_score_is_refused_where_the_metric_has_no_upper_end(tmp_path: Path) -> None:
    home = make_problem(tmp_path, "regression", thumbs=False).home
    with pytest.raises(ConfigError, match="--cv: found inf"):
        ledger_add(home, run="a", cv=float("inf"), display=QUIET)


def test_an_unknown_submission_is_refused_with_those_known(home: Home) -> None:
    ledger_add(home, run="mate", cv=0.8, display=QUIET)
    with pytest.raises(RunError) as caught:
        ledger_add(home, "7", public=0.5, display=QUIET)
    assert "known: 1 (mate)" in caught.value.remedy


def test_numbers_of_both_kinds_never_meet(problem: Problem) -> None:
    submitted(problem, "a")
    assert ledger_add(problem.home, run="mate", cv=0.5, display=QUIET).number == 2
    write_run(problem, "b", seed=5)
    done = submit(problem.home, "b", problem=problem, display=QUIET)
    assert done.entry.path.name == "0003-b"
    assert [row.number for row in read_rows(problem.home)] == [1, 2, 3]


def test_two_submits_at_once_get_a_row_each(problem: Problem) -> None:
    for seed, name in enumerate("ab"):
        write_run(problem, name, seed=seed)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda name: submit(problem.home, name, display=QUIET), "ab"))
    stored = read_store(problem.home.ledger)
    assert [row.number for row in stored] == [1, 2]
    assert sorted(row.run for row in stored) == ["a", "b"]


def test_the_real_ledger_gives_its_verdict_in_the_list(home: Home) -> None:
    for number, (cv, lb) in enumerate(zip(CV, LB, strict=True)):
        ledger_add(home, run=f"m{number}", cv=cv, public=lb, display=QUIET)
    text = shown(home)
    assert "ranking can be trusted, level cannot\n" in text
    assert "uploads used today: 7 of 2; none is left" in text
    assert "+0.07591" in text  # The gap of the first.
    assert "0.87644 (given)" in text


def test_an_empty_ledger_can_be_listed_and_is_not_made(home: Home, tmp_path: Path) -> None:
    assert "too few submissions to tell" in shown(home, tmp_path / "scores.csv")
    assert not home.submissions.exists()
    assert ledger_import(home, tmp_path / "scores.csv", display=QUIET) == []


def test_scores_of_another_metric_are_left_out_and_said(home: Home, tmp_path: Path) -> None:
    file = written(tmp_path / "x.csv", "run,cv,public,metric\na,0.7,0.6,log_loss\nb,0.7,0.6,\n")
    ledger_import(home, file, display=QUIET)
    assert ledger_list(home, display=QUIET).public.num == 1
    assert "1 submissions have scores of another metric" in shown(home)


def test_a_comment_is_no_markup(home: Home) -> None:
    ledger_add(home, run="a", cv=0.5, comment="[red]tta[/] [x]", display=QUIET)
    assert "[red]tta[/] [x]" in shown(home)


def test_only_uploads_of_the_day_count() -> None:
    times = ["2025-03-01T23:59:59Z", "2025-03-02T00:00:00Z", None]
    rows = [Row("a", "imported", uploaded=time) for time in times]
    assert uploads_on(rows, "2025-03-02") == 1
    assert uploads_line(1, 2) == "uploads used today: 1 of 2; a day ends at midnight UTC"


def test_a_narrow_terminal_cuts_nothing_off(home: Home) -> None:
    ledger_add(home, run="mate-with-a-long-name", cv=0.5, public=0.4, display=QUIET)
    out = io.StringIO()
    ledger_list(home, display=Display(Console(file=out, width=80, soft_wrap=True)))
    assert "…" not in out.getvalue()


def test_a_narrow_terminal_folds_names_and_keeps_other_words_whole(problem: Problem) -> None:
    submitted(problem, "tf-efficientnet-b0-reg-a")
    home = problem.home
    ledger_add(home, "1", public=0.71, private=0.7, comment="with flips", display=QUIET)
    ledger_add(home, run="mate", cv=0.5, public=0.4, at="2025-03-01", display=QUIET)
    out = io.StringIO()
    ledger_list(home, display=Display(Console(file=out, width=80, soft_wrap=True)))
    lines = out.getvalue().splitlines()
    words = " ".join(lines).split()
    assert max(map(len, lines[: lines.index("")] if "" in lines else lines[:12])) <= 80
    for word in ("(cross-fitted)", "0.71000", "0.70000", "2025-03-01", "comment", "flips"):
        assert word in words
    letters = "".join(word for word in words if set(word) <= set("tf-efficientnet-b0-reg-a"))
    assert "tf-efficientnet-b0-reg-a" in letters


def test_a_wide_terminal_breaks_no_line(home: Home) -> None:
    ledger_add(home, run="mate", cv=0.5, public=0.4, at="2025-03-01T09:30", display=QUIET)
    assert "2025-03-01 09:30" in shown(home)
    assert "0.50000 (given)" in shown(home)


def test_columns_that_nobody_filled_are_left_out_of_the_list(home: Home) -> None:
    ledger_add(home, run="mate", cv=0.5, public=0.4, display=QUIET)
    head = shown(home).splitlines()[0]
    assert "public" in head
    assert "private" not in head
    assert "comment" not in head


def test_an_export_takes_the_place_of_nothing_but_an_export(home: Home, tmp_path: Path) -> None:
    ledger_add(home, run="mate", cv=0.5, display=QUIET)
    for path in (home.competition, written(tmp_path / "k.csv", KAGGLE), home.submissions):
        before = path.read_bytes() if path.is_file() else b""
        with pytest.raises(DataError, match="no export of the ledger") as caught:
            ledger_list(home, csv=path, display=QUIET)
        assert "another name" in caught.value.remedy
        assert before == (path.read_bytes() if path.is_file() else b"")
    export = tmp_path / "export.csv"
    ledger_list(home, csv=export, display=QUIET)
    ledger_add(home, run="other", cv=0.6, display=QUIET)
    ledger_list(home, csv=export, display=QUIET)
    assert "other" in export.read_text(encoding="utf-8")


def test_kaggles_list_is_imported_once(home: Home, tmp_path: Path) -> None:
    file = written(tmp_path / "kaggle.csv", KAGGLE)
    assert len(ledger_import(home, file, display=QUIET)) == 3
    assert ledger_import(home, file, display=QUIET) == []
    newest = read_rows(home)[0]
    assert (newest.run, newest.public, newest.status) == ("submission", 0.81, "complete")
    assert newest.time == newest.uploaded == "2025-03-02T10:00:00Z"
    assert "error" in shown(home)


def test_private_scores_are_filled_in_later(home: Home, tmp_path: Path) -> None:
    ledger_import(home, written(tmp_path / "k.csv", KAGGLE), display=QUIET)
    newer = "new.csv,2025-03-03 10:00:00,,SubmissionStatus.PENDING,,\n"
    lines = KAGGLE.replace("0.81,", "0.81,0.79").replace("0.80,", "0.80,0.78").splitlines(True)
    file = written(tmp_path / "k.csv", "".join([lines[0], newer, *lines[1:]]))
    assert len(ledger_import(home, file, display=QUIET)) == 3
    assert [row.private for row in read_rows(home)] == [0.79, 0.78, None, None]


def test_kaggles_list_finds_submissions_made_here(problem: Problem, tmp_path: Path) -> None:
    submitted(problem, "a", "b")
    text = (
        "fileName,date,description,status,publicScore,privateScore\n"
        "0001-a.csv.zip,2025-03-01 09:00:00,,complete,0.7,\n"
        "submission.csv,2025-03-01 10:00:00,0002-b with care,complete,0.6,\n"
    )
    file = written(tmp_path / "kaggle.csv", text)
    ledger_import(problem.home, file, display=QUIET)
    rows = read_rows(problem.home)
    assert [(row.run, row.public) for row in rows] == [("a", 0.7), ("b", 0.6)]
    assert ledger_import(problem.home, file, display=QUIET) == []


def test_plain_headers_are_recognised_and_others_named(home: Home, tmp_path: Path) -> None:
    file = written(tmp_path / "s.csv", "Model;OOF;Leaderboard;lr\na;0.7;0.6;1e-3\na;0.7;0.6;2e-3\n")
    out = io.StringIO()
    display = Display(Console(file=out, width=200, soft_wrap=True))
    assert len(ledger_import(home, file, display=display)) == 2
    assert "columns that were not used: lr" in out.getvalue()
    assert ledger_import(home, file, display=QUIET) == []
    assert [(r.run, r.cv, r.public, r.cv_how) for r in read_rows(home)] == [
        ("a", 0.7, 0.6, "given")
    ] * 2


def test_an_export_comes_back_whole(problem: Problem, tmp_path: Path) -> None:
    submitted(problem, "a", "b")
    home = problem.home
    ledger_add(home, "b", public=0.1 + 0.2, comment='=1+1, "quoted"', display=QUIET)
    ledger_add(home, run="-mate", cv=2 / 3, comment="''tis", at="2025-03-01", display=QUIET)
    first = tmp_path / "first.csv"
    rows = ledger_list(home, csv=first, display=QUIET).rows
    assert ledger_import(home, first, display=QUIET) == []
    assert "'=1+1" in first.read_text(encoding="utf-8")
    other = make_problem(tmp_path / "other", thumbs=False).home
    ledger_import(other, first, display=QUIET)
    known = [replace(row, key=0, folder=None, source="imported") for row in rows]
    assert [replace(row, key=0) for row in read_rows(other)] == known


def test_wrong_lines_are_refused_all_at_once(home: Home, tmp_path: Path) -> None:
    text = "run,date,cv,public\na,soon,0.7,0.6\nb,,abc,0.6\nc,,0.7,1.5\nd,,0.7,inf\n"
    file = written(tmp_path / "s.csv", text)
    with pytest.raises(DataError) as caught:
        ledger_import(home, file, display=QUIET)
    for line, word in ((2, "soon"), (3, "abc"), (4, "1.5"), (5, "inf")):
        assert any(f"s.csv:{line}: " in p and word in p for p in caught.value.problems)
    assert read_rows(home) == []


def test_lines_that_contradict_the_ledger_are_refused_all_at_once(
    home: Home, tmp_path: Path
) -> None:
    file = written(tmp_path / "k.csv", KAGGLE)
    ledger_import(home, file, display=QUIET)
    before = read_rows(home)
    written(file, KAGGLE.replace("0.81", "0.82").replace("0.80", "0.83"))
    with pytest.raises(DataError) as caught:
        ledger_import(home, file, display=QUIET)
    assert [problem.split(": ")[0][-2:] for problem in caught.value.problems] == [":2", ":3"]
    assert read_rows(home) == before
    ledger_import(home, file, replace_scores=True, display=QUIET)
    assert [row.public for row in read_rows(home)] == [0.82, 0.83, None]


@pytest.mark.parametrize(
    ("header", "message"),
    [("run,colour", "wanted one of scores"), ("lb,public", "'lb', 'public' all mean public")],
)
def test_headers_that_cannot_be_told_are_refused(
    home: Home, tmp_path: Path, header: str, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        ledger_import(home, written(tmp_path / "s.csv", f"{header}\n1,0.5\n"), display=QUIET)


@pytest.mark.parametrize("kind", ["text", "cut", "other"])
def test_a_damaged_store_is_one_clear_error(home: Home, kind: str) -> None:
    for number in range(40):
        write_store(home.ledger, [Row(f"r{number}", "imported", comment="x" * 500)])
    data = home.ledger.read_bytes()
    if kind == "other":
        home.ledger.unlink()
        with sqlite3.connect(home.ledger) as connection:
            connection.execute("CREATE TABLE other (a)")
        connection.close()
    else:
        publish_bytes(home.ledger, b"hello" * 99 if kind == "text" else data[: len(data) // 2])
    with pytest.raises(DataError, match=r"ledger.db: damaged") as caught:
        ledger_list(home, display=QUIET)
    assert "move it away" in caught.value.remedy


def test_a_damaged_store_does_not_keep_one_from_handing_in(problem: Problem) -> None:
    home = problem.home
    publish_bytes(home.ledger, b"hello" * 99)
    write_run(problem, "a")
    out = io.StringIO()
    display = Display(Console(file=out, width=300, soft_wrap=True))
    assert submit(home, "a", problem=problem, display=display).is_new
    assert home.submission.exists()
    assert "0001-a is not stored in the ledger yet" in out.getvalue()
    home.ledger.unlink()
    assert [row.run for row in read_rows(home)] == ["a"]


def test_a_store_of_a_newer_foldwise_is_refused(home: Home) -> None:
    write_store(home.ledger, [Row("a", "imported")])
    with sqlite3.connect(home.ledger) as connection:
        connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(DataError, match="found format 99, wanted at most 1"):
        read_rows(home)


def test_an_empty_store_is_what_a_kill_at_the_very_start_leaves(home: Home) -> None:
    publish_bytes(home.ledger, b"")
    assert read_rows(home) == []
    assert ledger_add(home, run="a", cv=0.5, display=QUIET).number == 1


def test_several_rows_are_stored_all_or_none(home: Home) -> None:
    rows = [Row("a", "imported"), Row(None, "imported")]  # type: ignore[arg-type]
    with pytest.raises(DataError):
        write_store(home.ledger, rows)
    assert read_store(home.ledger) == []
