"""Test sequences are decided whole, in their order, whatever the order of rows in a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from foldwise import predictions as predictions_file
from foldwise import samples as samples_file
from foldwise.predictions import Predictions
from foldwise.samples import Samples
from foldwise.stages.submit import submit
from foldwise.tables import write_csv
from foldwise.tasks.problem import Problem, open_problem

from ..ordered_competition import LENGTH, ordered_problem, wavering_run
from ..small_competition import QUIET


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foldwise.stages.scoring.intervals.RESAMPLES", 60)
    monkeypatch.setattr("foldwise.stages.scoring.headline.FOLD_DRAWS", 20)


def smoothed(folder: Path, reach: float = 30.0) -> Problem:
    steps = [{"name": "moving_average", "reach": reach}]
    return ordered_problem(folder, steps=steps, submission={"decision": "fixed", "gives": "scores"})


def handed_in(problem: Problem) -> pd.DataFrame:
    entry = submit(problem.home, "a", problem=problem, display=QUIET).entry
    return pd.read_csv(entry.file).set_index("id")


def slow(test: Predictions, problem: Problem) -> pd.DataFrame:
    """The mean over each test row and its neighbours on the clock, by pandas."""
    frame = pd.DataFrame(test.scores, index=test.ids, columns=list(test.columns))
    ids = problem.test.ids
    tracks = pd.Series(problem.test.cells("track"), index=ids)
    frames = pd.Series(problem.test.cells("frame"), index=ids).astype(int)
    found = []
    for _, rows in frame.groupby(tracks):
        ranked = rows.loc[frames[rows.index].sort_values().index]
        found.append(ranked.rolling(3, center=True, min_periods=1).mean())
    return pd.concat(found)


def test_a_test_sequence_is_smoothed_in_its_order(tmp_path: Path) -> None:
    problem = smoothed(tmp_path)
    run = wavering_run(problem)
    found, expected = handed_in(problem), slow(predictions_file.read(run.test), problem)
    pd.testing.assert_frame_equal(
        found, expected.loc[found.index], check_names=False, atol=1e-6, rtol=1e-5
    )


def test_the_order_of_rows_in_tables_and_sample_changes_nothing(tmp_path: Path) -> None:
    problem = smoothed(tmp_path)
    wavering_run(problem)
    plain = handed_in(problem)
    rng = np.random.default_rng(0)
    ids = rng.permutation(problem.test.ids)
    data = problem.home.path / "data"
    data.mkdir()
    scores = {name: ["0.5"] * len(ids) for name in problem.competition.classes}
    write_csv(data / "sample.csv", pd.DataFrame({"id": ids, **scores}))
    text = problem.home.competition.read_text()
    problem.home.competition.write_text(
        text.replace("sample_submission: null", "sample_submission: sample.csv")
    )
    again = handed_in(open_problem(problem.home))
    assert again.index.tolist() == ids.tolist()
    pd.testing.assert_frame_equal(again.loc[plain.index], plain)


def test_a_row_that_the_sample_does_not_ask_for_is_a_neighbour_all_the_same(
    tmp_path: Path,
) -> None:
    problem = smoothed(tmp_path)
    wavering_run(problem)
    plain = handed_in(problem)
    data = problem.home.path / "data"
    data.mkdir()
    ids = problem.test.ids[::2]
    scores = {name: ["0.5"] * len(ids) for name in problem.competition.classes}
    write_csv(data / "sample.csv", pd.DataFrame({"id": ids, **scores}))
    text = problem.home.competition.read_text()
    problem.home.competition.write_text(
        text.replace("sample_submission: null", "sample_submission: sample.csv")
    )
    again = handed_in(open_problem(problem.home))
    pd.testing.assert_frame_equal(again, plain.loc[ids], check_names=False)


def test_a_damaged_test_image_is_no_neighbour(tmp_path: Path) -> None:
    problem = smoothed(tmp_path)
    run = wavering_run(problem)
    frame = samples_file.read(problem.home.samples).frame
    lost = problem.test.ids[5]
    frame.loc[frame["id"] == lost, "damaged"] = "gone"
    samples_file.write(problem.home.samples, Samples(frame))
    test = predictions_file.read(run.test)
    left = test.take(test.ids != lost)
    predictions_file.write(run.test, left)
    problem = open_problem(problem.home)
    found = handed_in(problem)
    np.testing.assert_allclose(found.loc[lost], left.scores.mean(axis=0), rtol=1e-5)
    # The gap is as long as the reach: neighbours of the lost row see one side only.
    beside = problem.test.ids[4]
    rows = [row for row in (3, 4) if row // LENGTH == 5 // LENGTH]
    own = dict(zip(left.ids, left.scores, strict=True))
    expected = np.mean([own[problem.test.ids[row]] for row in rows], axis=0)
    np.testing.assert_allclose(found.loc[beside], expected, rtol=1e-5)
