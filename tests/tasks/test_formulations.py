import numpy as np
import pytest
import torch

from foldwise.errors import DataError
from foldwise.losses import LOSSES
from foldwise.metrics import METRICS
from foldwise.predictions import Predictions
from foldwise.tasks import TASKS
from foldwise.tasks.task import merge

CLASSES = ("0", "1", "2", "3", "4")
CASES = [(task, name) for task in TASKS for name in TASKS[task].formulations]


def make_target(task: str, num: int = 40) -> np.ndarray:
    rng = np.random.default_rng(0)
    if task == "multilabel":
        return rng.integers(0, 2, (num, len(CLASSES)))
    if task == "regression":
        return rng.normal(size=num)
    return rng.integers(0, len(CLASSES), num)


def perfect_logits(task: str, name: str, target: np.ndarray) -> np.ndarray:
    encoded = TASKS[task].formulations[name].encode(target, len(CLASSES))
    solver = TASKS[task].formulations[name].solver
    if solver == "softmax":
        return 30.0 * np.eye(len(CLASSES))[encoded]
    return 60.0 * (encoded - 0.5) if solver == "sigmoid" else encoded.astype(float)


@pytest.mark.parametrize(("task", "name"), CASES)
def test_perfect_logits_lose_nothing_and_are_decided_right(task, name):
    value, formulation = TASKS[task], TASKS[task].formulations[name]
    target = make_target(task)
    logits = perfect_logits(task, name, target)
    assert logits.shape[1] == formulation.num_outputs(len(CLASSES))
    encoded = torch.from_numpy(formulation.encode(target, len(CLASSES)))
    for loss in formulation.losses:
        losses = LOSSES[loss](torch.from_numpy(logits).float(), encoded)
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
    ],
)
def test_ordinal_formulations_meet_on_one_scale(name, raw, common, grade):
    task = TASKS["ordinal"]
    scores = task.formulations[name].to_common(np.array([raw]), 5)
    assert scores[0, 0] == pytest.approx(common)
    assert task.decision(5, None, None).answers(scores).tolist() == [grade]


def test_answers_are_written_as_labels():
    columns = TASKS["multiclass"].answers(np.array([1, 0]), ("cat", "dog"), 1, None)
    assert columns == [["dog", "cat"]]
    flags = TASKS["multilabel"].answers(np.array([[1, 0], [1, 1]]), ("a", "b"), 2, None)
    assert flags == [["1", "1"], ["0", "1"]]
    joined = TASKS["multilabel"].answers(np.array([[1, 0], [1, 1]]), ("a", "b"), 1, " ")
    assert joined == [["a", "a b"]]


def test_an_unknown_label_names_the_nearest_class():
    with pytest.raises(DataError, match="did you mean 'horse'"):
        TASKS["multiclass"].target([["horse", "hrose"]], ("cow", "horse"), None)
    with pytest.raises(DataError, match="not finite"):
        TASKS["regression"].target([["1", "nan"]], (), None)
    with pytest.raises(DataError, match="holds 0 and 1"):
        TASKS["multilabel"].target([["0", "2"]], ("a",), None)


def test_labels_split_by_a_separator():
    target = TASKS["multilabel"].target([["a b", "", "b"]], ("a", "b"), " ")
    assert target.tolist() == [[1, 1], [0, 0], [0, 1]]


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
