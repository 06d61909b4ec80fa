from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from foldwise.decide.decision import Decision, Step
from foldwise.errors import DataError
from foldwise.losses import LOSSES
from foldwise.losses.terms import total
from foldwise.maps.maps import Maps
from foldwise.masks.runs import decode
from foldwise.metrics import METRICS
from foldwise.predictions import Predictions
from foldwise.tables import Table
from foldwise.tasks import TASKS
from foldwise.tasks.task import merge

CLASSES = ("0", "1", "2", "3", "4")
CASES = [
    (task, name)
    for task in TASKS
    for name in TASKS[task].formulations
    if TASKS[task].kind == "vector"
]


def make_target(task: str, num: int = 40) -> np.ndarray:
    rng = np.random.default_rng(0)
    if task == "multilabel":
        return rng.integers(0, 2, (num, len(CLASSES)))
    if task == "regression":
        return rng.normal(size=num)
    return rng.integers(0, len(CLASSES), num)


def perfect_logits(task: str, name: str, target: np.ndarray) -> np.ndarray:
    encoded = TASKS[task].formulations[name].encode(target, len(CLASSES))
    if TASKS[task].formulations[name].has_prototypes:
        return 30.0 * np.eye(len(CLASSES))[encoded] - 30.0
    solver = TASKS[task].formulations[name].solver
    if solver in ("softmax", "two_step"):
        logits = 30.0 * np.eye(len(CLASSES))[encoded]
        if solver == "two_step":
            logits[:, 0] = 60.0 * (encoded > 0) - 30.0
        return logits
    return encoded.astype(float) if solver == "linear" else 60.0 * (encoded - 0.5)


@pytest.mark.parametrize(("task", "name"), CASES)
def test_perfect_logits_lose_nothing_and_are_decided_right(task, name):
    value, formulation = TASKS[task], TASKS[task].formulations[name]
    target = make_target(task)
    logits = perfect_logits(task, name, target)
    assert logits.shape[1] == formulation.num_outputs(len(CLASSES))
    encoded = torch.from_numpy(formulation.encode(target, len(CLASSES)))
    for loss in formulation.losses:
        losses = total(LOSSES[loss](torch.from_numpy(logits).float(), encoded))
        assert losses.shape == (len(target),)
        assert float(losses.max()) < 1e-3
    raw = formulation.activate(logits)
    assert raw.shape[1] == len(formulation.raw_columns(CLASSES))
    scores = formulation.to_common(raw, len(CLASSES))
    assert scores.shape[1] == len(value.columns(CLASSES, ("y",)))
    answers = value.decision(len(CLASSES), None, None).answers(scores)
    assert np.allclose(answers, target, atol=1e-5)
    # Regression and borders keep a grade inside its cuts, not on the whole number.
    assert np.allclose(scores, value.one_hot(target, len(CLASSES)), atol=0.3)


@pytest.mark.parametrize("name", TASKS["segmentation"].formulations)
def test_perfect_logits_of_masks_lose_nothing_and_are_decided_right(name):
    value, formulation = TASKS["segmentation"], TASKS["segmentation"].formulations[name]
    rng, num_classes = np.random.default_rng(0), len(CLASSES)
    if formulation.is_exclusive:
        target = rng.integers(0, num_classes, (3, 8, 9)).astype(np.uint8)
        truth = np.eye(num_classes, dtype=bool)[target].transpose(0, 3, 1, 2)
        decision = Decision((Step("surest_class"),))
    else:
        truth = rng.random((3, num_classes, 8, 9)) < 0.3
        target, decision = truth.astype(np.uint8), value.decision(num_classes, None, None)
    logits = 60.0 * (truth - 0.5)
    for loss in formulation.losses:
        losses = total(LOSSES[loss](torch.from_numpy(logits).float(), torch.from_numpy(target)))
        assert losses.shape == (3,)
        assert float(losses.max()) < 1e-3, loss
    levels = np.round(255 * formulation.activate(logits)).astype(np.uint8)
    maps = Maps(np.full((3, 2), (8, 9)), num_classes, np.arange(3), lambda row: levels[row])
    assert (np.stack(decode(decision.answers(maps).runs)) == truth.reshape(-1, 8, 9)).all()


@pytest.mark.parametrize("task", TASKS)
def test_every_task_names_metrics_that_can_score_it(task):
    for name in TASKS[task].metrics:
        assert task in METRICS[name].tasks


@pytest.mark.parametrize(
    ("name", "raw", "common", "grade"),
    [
        ("regression", [2.7], 2.875, 3),
        ("borders", [0.9, 0.8, 0.1, 0.1], 1.875, 2),
        ("expectation", [0.2, 0.7, 0.1, 0.0, 0.0], 0.9, 1),
        ("classes", [0.2, 0.7, 0.1, 0.0, 0.0], 0.9, 1),
        ("two_step", [0.5, 0.1, 0.2, 0.7, 0.0], 0.5 * (0.1 + 0.4 + 2.1), 1),
        ("coral", [0.9, 0.8, 0.1, 0.0], 1.8, 2),
        ("corn", [0.9, 0.8, 0.1, 0.0], 1.8, 2),
    ],
)
def test_ordinal_formulations_meet_on_one_scale(name, raw, common, grade):
    task = TASKS["ordinal"]
    scores = task.formulations[name].to_common(np.array([raw]), 5)
    assert scores[0, 0] == pytest.approx(common)
    assert task.decision(5, None, None).answers(scores).tolist() == [grade]


def test_chances_of_corn_are_those_of_all_borders_before():
    formulation = TASKS["ordinal"].formulations["corn"]
    raw = formulation.activate(
        np.log(np.array([[0.8, 0.5], [0.1, 0.9]]) / [[0.2, 0.5], [0.9, 0.1]])
    )
    assert np.allclose(raw, [[0.8, 0.4], [0.1, 0.09]])


def test_two_steps_give_the_expected_grade_of_both():
    formulation = TASKS["ordinal"].formulations["two_step"]
    raw = formulation.activate(np.array([[0.0, np.log(3.0), 0.0]]))
    assert np.allclose(raw, [[0.5, 0.75, 0.25]])
    assert formulation.raw_columns(("none", "some", "much")) == (
        "above none", "grade some if above none", "grade much if above none",
    )  # fmt: skip


def test_sigmoids_of_exclusive_classes_are_normalised_and_never_divided_by_nothing():
    formulation = TASKS["multiclass"].formulations["sigmoid"]
    scores = formulation.to_common(np.array([[0.6, 0.3, 0.3], [0.0, 0.0, 0.0]]), 3)
    assert np.allclose(scores, [[0.5, 0.25, 0.25], [1 / 3, 1 / 3, 1 / 3]])
    sure = formulation.to_common(formulation.activate(np.array([[-800.0, 9.0]])), 2)
    assert np.allclose(sure, [[0.0, 1.0]])


def test_similarities_become_shares_of_their_sum_however_far_the_prototypes():
    formulation = TASKS["multiclass"].formulations["affinity"]
    raw = formulation.activate(np.log([[0.6, 0.3, 0.3]]))
    assert np.allclose(formulation.to_common(raw, 3), [[0.5, 0.25, 0.25]])
    far = formulation.activate(np.array([[-2000.0, -2000.0 + np.log(3.0)]]))
    assert np.allclose(far, [[0.25, 0.75]])


def test_answers_are_written_as_labels():
    columns = TASKS["multiclass"].answers(np.array([1, 0]), ("cat", "dog"), 1, None)
    assert columns == [["dog", "cat"]]
    flags = TASKS["multilabel"].answers(np.array([[1, 0], [1, 1]]), ("a", "b"), 2, None)
    assert flags == [["1", "1"], ["0", "1"]]
    joined = TASKS["multilabel"].answers(np.array([[1, 0], [1, 1]]), ("a", "b"), 1, " ")
    assert joined == [["a", "a b"]]


def target(task, *columns, classes=(), separator=None):
    names = [f"c{place}" for place in range(len(columns))]
    frame = pd.DataFrame(dict(zip(names, columns, strict=True)), dtype=object)
    table = Table(Path("train.csv"), frame, np.arange(2, len(frame) + 2))
    return TASKS[task].target(table, names, classes, separator)


def test_an_unknown_label_names_its_line_and_the_nearest_class():
    cells = ["horse", "hrose", "cow", "hrose"]
    with pytest.raises(DataError) as caught:
        target("multiclass", cells, classes=("cow", "horse"))
    assert caught.value.problems == (
        "train.csv:3: column 'c0': found 'hrose' (and 1 more rows), which is none of the 2 "
        "classes; did you mean 'horse'?",
    )


@pytest.mark.parametrize(
    ("task", "columns", "words"),
    [
        ("regression", [["1", "nan"]], "train.csv:3: column 'c0': found 'nan', wanted a finite"),
        ("regression", [["1", "1,5"]], "write the decimal comma as a point"),
        ("regression", [["1", "1_000"]], "found '1_000'"),
        ("regression", [["1", "٣"]], "found '٣'"),
        ("ordinal", [["0", ""]], "train.csv:3: column 'c0': found an empty cell, wanted a label"),
        ("multiclass", [["0", "1,5"]], "write the decimal comma"),
        ("multiclass", [["0", "NaN"]], "found 'NaN', wanted a label"),
        ("multiclass", [["0", "1 "]], "without blanks"),
        ("multiclass", [["0", "1"], ["1", "1"]], r"train.csv:3: columns c0, c1: found 2 ones"),
        ("multiclass", [["0", "1"], ["1", ""]], "train.csv:3: column 'c1': found an empty cell"),
        ("multilabel", [["0", "2"]], "train.csv:3: column 'c0': found '2', wanted 0 or 1"),
    ],
)
def test_a_spoiled_label_is_named_with_its_line(task, columns, words):
    with pytest.raises(DataError, match=words):
        target(task, *columns, classes=("0", "1"))


def test_whole_numbers_with_a_point_are_the_same_classes():
    assert target("ordinal", ["1.0", "0", "1"], classes=("0", "1")).tolist() == [1, 0, 1]


def test_labels_split_by_a_separator():
    found = target("multilabel", ["a b", "", "b"], classes=("a", "b"), separator=" ")
    assert found.tolist() == [[1, 1], [0, 0], [0, 1]]
    with pytest.raises(DataError, match=r"train.csv:3: column 'c0': found 'c'"):
        target("multilabel", ["a b", "a c"], classes=("a", "b"), separator=" ")


def test_a_balanced_test_moves_the_decision_to_rare_classes():
    task = TASKS["multiclass"]
    train, test = np.array([0.9, 0.1]), np.array([0.5, 0.5])
    scores = np.array([[0.7, 0.3]])
    assert task.decision(2, train, train).answers(scores).tolist() == [0]
    assert task.decision(2, train, test).answers(scores).tolist() == [1]


def test_merge_is_the_mean_of_scores_and_raw():
    ids = np.array(["a", "b"], dtype=object)
    one = Predictions(ids, np.array([[0.0], [1.0]]), ("x",), np.ones((2, 2)), ("p", "q"))
    two = Predictions(ids, np.array([[1.0], [1.0]]), ("x",), np.zeros((2, 2)), ("p", "q"))
    merged = merge([one, two])
    assert merged.scores.tolist() == [[0.5], [1.0]]
    assert merged.raw is not None
    assert merged.raw.tolist() == [[0.5, 0.5], [0.5, 0.5]]


@pytest.mark.parametrize(("task", "name"), CASES)
def test_weighted_means_over_views_stay_on_the_common_scale(task, name):
    formulation = TASKS[task].formulations[name]
    rng = np.random.default_rng(0)
    columns = TASKS[task].columns(CLASSES, ("y",))
    ids = np.array([str(n) for n in range(50)], dtype=object)
    raw_columns = formulation.raw_columns(CLASSES)
    parts = []
    for _ in range(3):
        logits = rng.normal(0, 3, (50, formulation.num_outputs(len(CLASSES))))
        logits = -np.abs(logits) if formulation.has_prototypes else logits
        raw = formulation.activate(logits)
        scores = formulation.to_common(raw, len(CLASSES))
        parts.append(Predictions(ids, scores, columns, raw=raw, raw_columns=raw_columns))
    found = merge(parts, weights=[2.0, 1.0, 0.5])
    for values, each in (
        (found.scores, [part.scores for part in parts]),
        (found.raw, [part.raw for part in parts]),
    ):
        assert (values >= np.min(each, axis=0) - 1e-12).all()
        assert (values <= np.max(each, axis=0) + 1e-12).all()
        if np.allclose(np.sum(each, axis=2), 1):
            assert np.allclose(values.sum(axis=1), 1)
    assert np.allclose(
        found.scores, (2 * parts[0].scores + parts[1].scores + 0.5 * parts[2].scores) / 3.5
    )
    alike = merge(parts, weights=[1.0, 1.0, 1.0])
    assert (alike.scores == np.mean([part.scores for part in parts], axis=0)).all()
    assert (alike.scores == merge(parts).scores).all()
