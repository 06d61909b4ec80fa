from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from foldwise import predictions as predictions_file
from foldwise import samples as samples_file
from foldwise.config.competition import Competition
from foldwise.config.loading import from_values
from foldwise.config.plan import Plan
from foldwise.config.writing import write_yaml
from foldwise.decide import Decision
from foldwise.errors import ConfigError, RunError
from foldwise.home import Home
from foldwise.json_files import read_json
from foldwise.publish import publish_bytes, publish_text
from foldwise.samples import Samples
from foldwise.stages.blend import blend
from foldwise.stages.evaluate import evaluate
from foldwise.stages.submit import Submitted, submit
from foldwise.stages.submitting.cells import cell_check
from foldwise.stages.submitting.checks import check_submission
from foldwise.stages.submitting.founding import Founding, best_run, is_better
from foldwise.stages.submitting.shape import Shape
from foldwise.stages.submitting.table_checks import check_file
from foldwise.tables import read_table
from foldwise.tasks import TASKS
from foldwise.tasks.problem import Problem, open_problem

from .small_competition import QUIET, make_problem, write_run
from .wrong_submissions import ANSWERS, ANY, SCORES, matches

SCORES_ASKED = {"submission": {"gives": "scores"}, "metric": "log_loss"}


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foldwise.stages.scoring.intervals.RESAMPLES", 30)
    monkeypatch.setattr("foldwise.stages.scoring.headline.FOLD_DRAWS", 20)


def with_sample(
    folder: Path, header: str, row: str, task: str = "multiclass", **changes: Any
) -> Problem:
    """A competition with a sample submission whose ids are in falling order."""
    problem = make_problem(
        folder, task, thumbs=False, tables={"sample_submission": "sample.csv"}, **changes
    )
    rows = [f"{name}{row}" for name in problem.test.ids[::-1]]
    publish_text(folder / "data" / "sample.csv", "\n".join([header, *rows]) + "\n")
    return problem


def handed_in(problem: Problem, name: str | None = None) -> Submitted:
    done = submit(problem.home, name, problem=problem, display=QUIET)
    assert done is not None
    return done


def cells(path: Path) -> pd.DataFrame:
    return read_table(path).frame


def test_answers_are_written_in_the_samples_shape(tmp_path: Path) -> None:
    problem = with_sample(tmp_path, "id,label", ",ape")
    write_run(problem, "a")
    done = handed_in(problem, "a")
    frame = cells(done.entry.file)
    assert list(frame.columns) == ["id", "label"]
    assert list(frame["id"]) == list(problem.test.ids[::-1])
    test = predictions_file.read(problem.home.run("a").test).align(problem.test.ids, name="a")
    classes = np.array(problem.competition.classes)
    assert list(frame["label"]) == list(classes[test.scores.argmax(1)][::-1])
    assert check_submission(problem.home, problem.home.submission) == []
    assert problem.home.submission.read_bytes() == done.entry.file.read_bytes()


def test_scores_are_written_by_name_with_six_digits(tmp_path: Path) -> None:
    problem = with_sample(tmp_path, "id,cow,ape,bear", ",0.2,0.3,0.5", **SCORES_ASKED)
    write_run(problem, "a")
    frame = cells(handed_in(problem, "a").entry.file)
    assert list(frame.columns) == ["id", "cow", "ape", "bear"]
    test = predictions_file.read(problem.home.run("a").test).align(problem.test.ids, name="a")
    expected = [f"{value:.6g}" for value in test.scores[::-1, problem.columns.index("cow")]]
    assert list(frame["cow"]) == expected


def test_a_column_may_hold_a_class_of_another_name(tmp_path: Path) -> None:
    problem = with_sample(
        tmp_path,
        "id,target",
        ",0.5",
        submission={"gives": "scores", "columns": {"target": "bear"}},
        metric="log_loss",
    )
    write_run(problem, "a")
    frame = cells(handed_in(problem, "a").entry.file)
    test = predictions_file.read(problem.home.run("a").test).align(problem.test.ids, name="a")
    bear = test.scores[::-1, problem.columns.index("bear")]
    assert frame["target"].astype(float).to_numpy() == pytest.approx(bear, rel=1e-5)


def test_a_column_that_nobody_can_tell_is_refused_with_the_key_to_set(tmp_path: Path) -> None:
    problem = with_sample(tmp_path, "id,ape,bear,cows", ",0.2,0.3,0.5", **SCORES_ASKED)
    write_run(problem, "a")
    with pytest.raises(ConfigError, match=r"column 'cows' .* did you mean 'cow'") as caught:
        handed_in(problem, "a")
    assert "submission: {columns:" in caught.value.remedy


@pytest.mark.parametrize(
    ("task", "header", "columns"),
    [
        ("ordinal", "id,grade", {}),
        ("ordinal", "id,diagnosis", {}),
        ("multilabel", "id,car,sign,tree", {}),
        ("multilabel", "id,tree,A,car", {"A": "sign"}),
        ("regression", "id,age", {}),
    ],
)
def test_every_task_gives_a_valid_submission(
    tmp_path: Path, task: str, header: str, columns: dict[str, str]
) -> None:
    row = ",0" * header.count(",")
    problem = with_sample(tmp_path, header, row, task, submission={"columns": columns})
    write_run(problem, "a")
    done = handed_in(problem, "a")
    assert check_submission(problem.home, done.entry.file) == []
    assert ",".join(cells(done.entry.file).columns) == header


@pytest.mark.parametrize("task", ["multiclass", "ordinal", "multilabel", "regression"])
def test_without_a_sample_the_target_columns_are_given_sorted_by_id(
    tmp_path: Path, task: str
) -> None:
    problem = make_problem(tmp_path, task, thumbs=False)
    write_run(problem, "a")
    frame = cells(handed_in(problem, "a").entry.file)
    assert list(frame.columns) == ["id", *problem.competition.columns.target]
    assert list(frame["id"]) == sorted(problem.test.ids)


def test_rows_are_divided_by_their_sum_where_the_samples_sum_to_one(tmp_path: Path) -> None:
    problem = with_sample(tmp_path, "id,ape,bear,cow", ",0.2,0.3,0.5", **SCORES_ASKED)
    run = write_run(problem, "a")
    test = predictions_file.read(run.test)
    predictions_file.write(run.test, test.with_scores(test.scores * 0.8))
    done = handed_in(problem, "a")
    sums = cells(done.entry.file)[["ape", "bear", "cow"]].astype(float).sum(axis=1)
    assert sums.to_numpy() == pytest.approx(1, abs=1e-5)
    assert any("divided by its sum" in note for note in done.notes)


def test_damaged_test_images_get_the_mean_and_other_missing_ids_stop_it(tmp_path: Path) -> None:
    problem = with_sample(tmp_path, "id,ape,bear,cow", ",0.2,0.3,0.5", **SCORES_ASKED)
    frame = samples_file.read(problem.home.samples).frame
    frame.loc[frame["id"] == "x0003", "damaged"] = "truncated"
    samples_file.write(problem.home.samples, Samples(frame))
    problem = open_problem(problem.home)
    run = write_run(problem, "a")
    done = handed_in(problem, "a")
    written = cells(done.entry.file).set_index("id").astype(float)
    test = predictions_file.read(run.test)
    assert written.loc["x0003"].to_numpy() == pytest.approx(test.scores.mean(axis=0), rel=1e-5)
    assert done.notes == ("1 damaged test images get the mean of all test scores: x0003",)
    predictions_file.write(run.test, test.take(np.arange(2, len(test))))
    with pytest.raises(RunError, match=r"2 of 30 ids of .*sample\.csv have no prediction: "):
        handed_in(problem, "a")


def test_the_entry_tells_where_the_file_came_from(tmp_path: Path) -> None:
    problem = with_sample(tmp_path, "id,label", ",ape", undecided=["metric: a guess"])
    write_run(problem, "a")
    done = handed_in(problem, "a")
    assert done.entry.path.name == "0001-a"
    facts = json.loads((done.entry.path / "entry.json").read_text("utf-8"))
    scores = read_json(problem.home.run("a").scores)
    assert facts["run"] == "a"
    assert facts["score"] == scores["score"]
    assert facts["how"]["got"] == "cross-fitted"
    assert Decision.from_json(facts["decision"]) == problem.default_decision()
    assert facts["undecided"] == ["metric: a guess"]
    assert facts["run_commit"] == "abc"
    assert facts["founding"]["num_folds"] == 3
    remembered = read_json(problem.home.stamp("submission"))
    assert remembered["entry"] == "0001-a"
    assert remembered["sha256"] == facts["submission_sha256"]


def test_the_same_content_makes_no_new_entry(tmp_path: Path) -> None:
    problem = with_sample(tmp_path, "id,label", ",ape")
    write_run(problem, "a")
    first, second = handed_in(problem, "a"), handed_in(problem, "a")
    assert (first.is_new, second.is_new) == (True, False)
    assert second.entry.path == first.entry.path
    assert second.is_current
    write_run(problem, "b", seed=3)
    assert handed_in(problem, "b").entry.path.name == "0002-b"


def test_what_a_killed_submit_left_is_cleared_and_its_number_used_again(tmp_path: Path) -> None:
    problem = with_sample(tmp_path, "id,label", ",ape")
    write_run(problem, "a")
    left = problem.home.submissions / "0001-zz"
    publish_text(left / "submission.csv", "half")
    publish_text(problem.home.submissions / "0009-mine" / "notes.txt", "keep")
    assert handed_in(problem, "a").entry.path.name == "0001-a"
    assert not left.exists()
    assert (problem.home.submissions / "0009-mine" / "notes.txt").exists()


def test_a_better_score_replaces_the_file_and_a_worse_one_does_not(tmp_path: Path) -> None:
    problem = with_sample(tmp_path, "id,label", ",ape")
    for name, noise in (("middle", 0.6), ("good", 0.3), ("poor", 0.9)):
        write_run(problem, name, noise=noise)
    assert handed_in(problem, "middle").is_current
    good = handed_in(problem, "good")
    assert good.is_current
    poor = handed_in(problem, "poor")
    assert not poor.is_current
    assert "not better founded than good" in poor.reason
    assert problem.home.submission.read_bytes() == good.entry.file.read_bytes()


def test_more_complete_folds_win_over_a_higher_score(tmp_path: Path) -> None:
    problem = with_sample(tmp_path, "id,label", ",ape")
    write_run(problem, "quick", noise=0.1, folds=(0,))
    write_run(problem, "whole", noise=0.9)
    assert handed_in(problem, "quick").is_current
    whole = handed_in(problem, "whole")
    assert whole.is_current
    assert "3 complete folds against 1" in whole.reason
    assert not handed_in(problem, "quick").is_current
    assert best_run(problem.home, problem=problem) == "whole"


def test_an_optimistic_score_does_not_win_over_a_cross_fitted_one(tmp_path: Path) -> None:
    problem = with_sample(tmp_path, "id,label", ",ape")
    write_run(problem, "honest", noise=0.8)
    write_run(problem, "hopeful", noise=0.1, train={"stop": "validation"})
    assert handed_in(problem, "hopeful").is_current
    assert handed_in(problem, "honest").is_current
    assert not handed_in(problem, "hopeful").is_current
    assert best_run(problem.home, problem=problem) == "honest"


def test_the_same_run_with_new_test_scores_replaces_its_file(tmp_path: Path) -> None:
    problem = with_sample(tmp_path, "id,label", ",ape")
    run = write_run(problem, "a")
    handed_in(problem, "a")
    test = predictions_file.read(run.test)
    predictions_file.write(run.test, test.with_scores(np.roll(test.scores, 1, axis=1)))
    done = handed_in(problem, "a")
    assert done.is_new
    assert done.is_current


def test_a_file_that_is_no_longer_valid_is_replaced(tmp_path: Path) -> None:
    problem = with_sample(tmp_path, "id,label", ",ape")
    for name, noise in (("good", 0.2), ("poor", 0.9)):
        write_run(problem, name, noise=noise)
    handed_in(problem, "good")
    sample = tmp_path / "data" / "sample.csv"
    publish_text(sample, sample.read_text("utf-8").replace("id,label", "id,animal"))
    done = handed_in(problem, "poor")
    assert done.is_current
    assert "not valid any more" in done.reason


def test_a_file_of_the_users_own_is_moved_aside_not_overwritten(tmp_path: Path) -> None:
    problem = with_sample(tmp_path, "id,label", ",ape")
    write_run(problem, "a")
    publish_text(problem.home.submission, "mine\n")
    done = handed_in(problem, "a")
    assert done.is_current
    assert (tmp_path / "submission-yours-1.csv").read_text("utf-8") == "mine\n"


def test_a_retrained_run_is_compared_with_the_record_of_its_submission(tmp_path: Path) -> None:
    problem = with_sample(tmp_path, "id,label", ",ape")
    write_run(problem, "a", noise=0.3)
    before = handed_in(problem, "a")
    write_run(problem, "a", noise=1.2)
    after = handed_in(problem, "a")
    assert after.is_new
    assert not after.is_current
    assert problem.home.submission.read_bytes() == before.entry.file.read_bytes()


def test_the_plain_mean_is_taken_unless_a_run_beats_it(tmp_path: Path) -> None:
    problem = with_sample(tmp_path, "id,label", ",ape")
    for seed, name in enumerate("ab"):
        write_run(problem, name, noise=0.6, seed=seed)
        evaluate(problem.home, name, problem=problem, display=QUIET)
    blend(problem.home, "mean", problem=problem, display=QUIET)
    blend(problem.home, "fitted", method="greedy", problem=problem, display=QUIET)
    assert best_run(problem.home, problem=problem) == "mean"
    write_run(problem, "star", noise=0.05, seed=7)
    evaluate(problem.home, "star", problem=problem, display=QUIET)
    assert best_run(problem.home, problem=problem) == "star"
    assert handed_in(problem).entry.facts["run"] == "star"


def test_a_run_that_seems_better_than_the_mean_does_not_replace_it(tmp_path: Path) -> None:
    problem = with_sample(tmp_path, "id,grade", ",0", "ordinal")
    write_run(problem, "a", noise=0.5, seed=3)
    write_run(problem, "b", noise=0.95, seed=103)
    single = evaluate(problem.home, "a", problem=problem, display=QUIET)
    record = blend(problem.home, "mean", members=["a", "b"], problem=problem, display=QUIET)
    assert record["gain"]["verdict"] == "undecided"
    assert single["score"] > record["naive_score"] + 0.02
    assert best_run(problem.home, problem=problem) == "mean"
    assert handed_in(problem, "mean").is_current
    alone = handed_in(problem, "a")
    assert not alone.is_current
    assert "a against mean: +0.0" in alone.reason


def test_a_file_that_two_runs_gave_rests_on_the_better_founded(tmp_path: Path) -> None:
    problem = with_sample(tmp_path, "id,label", ",ape")
    for name, noise in (("poor", 0.9), ("good", 0.2), ("middle", 0.5)):
        write_run(problem, name, noise=noise)
    same = predictions_file.read(problem.home.run("good").test)
    predictions_file.write(problem.home.run("poor").test, same)
    handed_in(problem, "good")
    poor = handed_in(problem, "poor")
    assert poor.is_new
    assert poor.is_current
    assert read_json(problem.home.stamp("submission"))["run"] == "good"
    assert not handed_in(problem, "middle").is_current


def test_a_mean_that_loses_is_no_default(tmp_path: Path) -> None:
    problem = with_sample(tmp_path, "id,label", ",ape")
    write_run(problem, "a", noise=0.3)
    for seed, name in enumerate("bcd", start=1):
        write_run(problem, name, noise=2.5, seed=seed)
    evaluate(problem.home, "a", problem=problem, display=QUIET)
    every = {"name": "mean", "comparable": False}
    record = blend(
        problem.home, "mean", method=every, members=list("abcd"), problem=problem, display=QUIET
    )
    assert record["gain"]["verdict"] == "loss"
    assert best_run(problem.home, problem=problem) == "a"


def test_runs_on_other_folds_or_metrics_are_no_candidates(tmp_path: Path) -> None:
    problem = with_sample(tmp_path, "id,label", ",ape")
    write_run(problem, "a", noise=0.5)
    evaluate(problem.home, "a", problem=problem, display=QUIET)
    text = problem.home.competition.read_text("utf-8")
    publish_text(problem.home.competition, text.replace("metric: accuracy", "metric: macro_f1"))
    with pytest.raises(RunError, match="no run has been evaluated"):
        best_run(problem.home)


def test_the_plans_choice_is_handed_in_once_it_has_scores(tmp_path: Path) -> None:
    problem = with_sample(tmp_path, "id,label", ",ape")
    write_yaml(problem.home.plan, Plan(recipes={"a": {}}, submit="a"), overwrite=True)
    write_run(problem, "b", noise=0.2)
    evaluate(problem.home, "b", problem=problem, display=QUIET)
    assert handed_in(problem).entry.facts["run"] == "b"
    write_run(problem, "a", noise=0.9)
    assert handed_in(problem).entry.facts["run"] == "a"
    assert handed_in(problem, "best").entry.facts["run"] == "b"


def founded(**changes: Any) -> Founding:
    values = {"run": "x", "num_folds": 3, "is_honest": True, "rank": 1, "score": 0.5, "held": None}
    return Founding(**{**values, **changes})


def test_ties_keep_the_old_file() -> None:
    assert not is_better(founded(), founded())[0]
    assert is_better(founded(score=0.6), founded())[0]
    assert is_better(founded(score=0.1), founded(score=None))[0]
    assert not is_better(founded(score=None), founded(score=None))[0]


def test_check_says_that_a_right_file_is_right_and_writes_nothing(tmp_path: Path) -> None:
    problem = with_sample(tmp_path, "id,label", ",ape")
    sample = tmp_path / "data" / "sample.csv"
    assert check_submission(problem.home, sample) == []
    assert not problem.home.submissions.exists()
    wrong = tmp_path / "wrong.csv"
    publish_text(wrong, sample.read_text("utf-8").replace("x0003,ape", "x0003,apf"))
    (found,) = check_submission(problem.home, wrong)
    assert re.search(r"wrong\.csv:28: .* did you mean 'ape'", found)


def test_crlf_quotes_and_no_last_line_end_are_right(tmp_path: Path) -> None:
    problem = with_sample(tmp_path, "id,label", ",ape")
    data = (tmp_path / "data" / "sample.csv").read_bytes()
    for number, same in enumerate(
        [data.replace(b"\n", b"\r\n"), data.rstrip(), data.replace(b"ape", b'"ape"'), data + b"\n"]
    ):
        file = tmp_path / f"same{number}.csv"
        publish_bytes(file, same)
        assert check_submission(problem.home, file) == []


@pytest.fixture(scope="module")
def answers_asked(tmp_path_factory: pytest.TempPathFactory) -> Home:
    folder = tmp_path_factory.mktemp("answers")
    problem = with_sample(folder, "id,label", ",ape")
    _rising(folder)
    return problem.home


@pytest.fixture(scope="module")
def scores_asked(tmp_path_factory: pytest.TempPathFactory) -> Home:
    folder = tmp_path_factory.mktemp("scores")
    problem = with_sample(folder, "id,ape,bear,cow", ",0.2,0.3,0.5", **SCORES_ASKED)
    _rising(folder)
    return problem.home


def _rising(folder: Path) -> None:
    """Put the sample's rows in rising order, so that line n + 2 holds id n."""
    sample = folder / "data" / "sample.csv"
    header, *rows = sample.read_text("utf-8").splitlines()
    publish_text(sample, "\n".join([header, *sorted(rows)]) + "\n")


def _checked(home: Home, edit: Any, folder: Path) -> list[str]:
    file = folder / "file.csv"
    file.write_bytes(edit((home.path / "data" / "sample.csv").read_bytes()))
    return check_submission(home, file)


@pytest.mark.parametrize("case", [*ANY, *ANSWERS])
def test_wrong_answers_are_refused_with_line_and_fix(
    answers_asked: Home, tmp_path: Path, case: str
) -> None:
    edit, words = {**ANY, **ANSWERS}[case]
    problems = _checked(answers_asked, edit, tmp_path)
    assert matches(problems, words), problems


@pytest.mark.parametrize("case", [*ANY, *SCORES])
def test_wrong_scores_are_refused_with_line_and_fix(
    scores_asked: Home, tmp_path: Path, case: str
) -> None:
    edit, words = {**ANY, **SCORES}[case]
    problems = _checked(scores_asked, edit, tmp_path)
    assert matches(problems, words), problems


def test_wrong_files_are_counted() -> None:
    assert len({*ANY, *ANSWERS, *SCORES}) >= 60


def test_all_problems_come_at_once_and_are_counted(answers_asked: Home, tmp_path: Path) -> None:
    def spoil(data: bytes) -> bytes:
        rows = data.decode().splitlines()
        rows[3], rows[4], rows[5] = "x0001,ape", "zz,ape", "x0004,apf"
        return ("\n".join([f"{rows[0]},more", *(f"{row},1" for row in rows[1:])]) + "\n").encode()

    problems = _checked(answers_asked, spoil, tmp_path)
    for words in ("'more' is not asked for", "'zz' is not asked", "already", "missing", "'ape'"):
        assert matches(problems, words), (words, problems)
    assert all("file.csv" in problem for problem in problems)


def test_no_file_another_kind_and_a_folder_are_said(answers_asked: Home, tmp_path: Path) -> None:
    assert matches(check_submission(answers_asked, tmp_path / "none.csv"), "cannot be read")
    assert matches(check_submission(answers_asked, tmp_path / "a.xlsx"), "wanted a .csv file")
    (tmp_path / "folder.csv").mkdir()
    assert matches(check_submission(answers_asked, tmp_path / "folder.csv"), "cannot be read")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("car  tree", "found label an empty cell, wanted classes with ' ' between them"),
        ("car car", "found label 'car' twice"),
        ("car,tree", "found label 'car,tree'"),
        ("cars", "did you mean 'car'"),
    ],
)
def test_several_labels_in_a_cell_are_checked_one_by_one(
    tmp_path: Path, wrong: str, words: str
) -> None:
    values = {
        "name": "x",
        "data": ".",
        "tables": {"train": "t.csv"},
        "images": {"kind": "folder"},
        "columns": {"id": "id", "target": ["labels"], "separator": " "},
        "task": "multilabel",
        "classes": ["car", "sign", "tree"],
        "metric": "macro_f1",
    }
    competition = from_values(values, Competition, source="test")
    shape = Shape(("id", "labels"), "id", ("1", "2"), {"labels": "labels"}, False, None)
    check = cell_check(competition, TASKS["multilabel"])
    file = tmp_path / "file.csv"
    publish_text(file, "id,labels\n1,car tree\n2,\n")
    assert check_file(file, shape, check) == []
    publish_text(file, f'id,labels\n1,"{wrong}"\n2,\n')
    assert matches(check_file(file, shape, check), f":2: column 'labels': .*{words}")


@pytest.mark.real
@pytest.mark.parametrize("name", ["animals-tail", "fundus-grade", "retina28", "sign-tracks"])
def test_real_sample_submissions_are_tables_with_ids(name: str) -> None:
    folder = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / name
    if not folder.is_dir():
        pytest.skip("the data sets are not beside the checkout")
    table = read_table(folder / "sample_submission.csv")
    header = tuple(table.frame.columns)
    ids = tuple(table.frame["id"])
    shape = Shape(header, "id", ids, {c: c for c in header[1:]}, len(header) > 2, table.path)
    values = {
        "name": name,
        "data": ".",
        "tables": {"train": "train.csv"},
        "images": {"kind": "folder"},
        "columns": {"id": "id", "target": [header[1]]},
        "task": "multiclass",
        "classes": list(header[1:]) if len(header) > 2 else [str(n) for n in range(30)],
        "metric": "accuracy",
        "submission": {"gives": "scores" if len(header) > 2 else "answers"},
    }
    competition = from_values(values, Competition, source="test")
    check = cell_check(competition, TASKS["multiclass"])
    assert check_file(table.path, shape, check) == []
