from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from foldwise import predictions as predictions_file
from foldwise.decide import Decision, Step
from foldwise.predictions import Predictions
from foldwise.publish import publish_json
from foldwise.rundir import RunDir
from foldwise.stages.submitting.answering import merged_answers, read_parts
from foldwise.tasks.problem import Problem

from ..small_competition import make_problem, write_run


def cuts(*values: float) -> Decision:
    return Decision((Step("cuts", {"values": list(values)}, fitted=True),))


def with_units(problem: Problem, run: RunDir, names: tuple[str, ...]) -> None:
    for number, name in enumerate(names):
        scores = np.full((len(problem.test), len(problem.columns)), float(number))
        path = run.path / "units" / name / "test.parquet"
        predictions_file.write(path, Predictions(problem.test.ids, scores, problem.columns))
    publish_json(run.path / "merged.json", {name: {} for name in names})


def test_by_default_the_mean_of_all_fold_models_is_decided_once(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, "ordinal", thumbs=False)
    run = write_run(problem, "a")
    with_units(problem, run, ("fold0-seed0", "fold1-seed0", "fold2-seed0"))
    (part,) = read_parts(problem, run)
    np.testing.assert_array_equal(part.test.scores, predictions_file.read(run.test).scores)


def test_each_fold_model_decides_by_itself_when_asked(tmp_path: Path) -> None:
    changes = {"submission": {"test_merge": "per_fold_decision", "decision": "fitted"}}
    problem = make_problem(tmp_path, "ordinal", thumbs=False, **changes)
    run = write_run(problem, "a")
    with_units(problem, run, ("fold0-seed0", "fold0-seed1", "fold1-seed0", "fold2-seed0"))
    parts = read_parts(problem, run)
    assert [float(part.test.scores[0, 0]) for part in parts] == [0.5, 2.0, 3.0]
    assert len({str(part.decision) for part in parts}) == 3


def test_a_refit_on_all_rows_has_no_fold_models(tmp_path: Path) -> None:
    changes = {"submission": {"test_merge": "per_fold_decision"}}
    problem = make_problem(tmp_path, "ordinal", thumbs=False, **changes)
    run = write_run(problem, "a")
    with_units(problem, run, ("fold0-seed0", "fold1-seed0", "fold2-seed0", "all-seed0"))
    whole = predictions_file.read(run.test).scores
    for part in read_parts(problem, run):
        np.testing.assert_array_equal(part.test.scores, whole)


def test_grades_are_averaged_and_halves_go_up(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, "ordinal", thumbs=False)
    scores = [np.array([[1.4], [0.2]]), np.array([[2.6], [0.3]])]
    decisions = [cuts(0.5, 1.5, 2.5, 3.5), cuts(0.5, 1.0, 2.0, 2.5)]
    assert [d.answers(s).tolist() for d, s in zip(decisions, scores, strict=True)] == [
        [1, 0],
        [4, 0],
    ]
    assert merged_answers(problem, scores, decisions).tolist() == [3, 0]


def test_classes_are_voted_on_and_the_mean_score_breaks_a_tie(tmp_path: Path) -> None:
    problem = make_problem(tmp_path, "multiclass", thumbs=False)
    surest = Decision((Step("argmax", {}, fitted=False),))
    scores = [np.array([[0.5, 0.4, 0.1]]), np.array([[0.1, 0.8, 0.1]])]
    assert merged_answers(problem, scores, [surest] * 2).tolist() == [1]
    third = np.array([[0.4, 0.3, 0.3]])
    assert merged_answers(problem, [*scores, third], [surest] * 3).tolist() == [0]


@pytest.mark.parametrize(("mean", "expected"), [(0.45, 0), (0.55, 1)])
def test_half_the_votes_for_a_label_are_settled_by_its_mean_score(
    tmp_path: Path, mean: float, expected: int
) -> None:
    problem = make_problem(tmp_path, "multilabel", thumbs=False, metric="macro_f1")
    half = Decision((Step("thresholds", {"values": 0.5}, fitted=False),))
    scores = [np.full((1, 3), mean + 0.3), np.full((1, 3), mean - 0.3)]
    assert merged_answers(problem, scores, [half] * 2).tolist() == [[expected] * 3]
