"""What every metric of the table must do."""

from __future__ import annotations

import inspect
import itertools
import subprocess
import sys

import numpy as np
import pytest

from foldwise.metrics import METRICS, Metric, bind

from .cases import cases, perfect_for, rows_for

CASES = list(cases())


@pytest.mark.parametrize(("name", "task"), CASES)
@pytest.mark.parametrize("seed", range(3))
def test_weights_are_repeated_rows_and_weight_0_is_no_row(name: str, task: str, seed: int) -> None:
    metric = METRICS[name]
    preds, target = rows_for(metric, task, seed)
    times = np.random.default_rng(100 + seed).integers(0, 4, len(target))
    assert (times == 0).any()
    rows = np.repeat(np.arange(len(target)), times)
    repeated = metric(preds[rows], target[rows])
    assert metric(preds, target, times) == pytest.approx(repeated, rel=1e-12)
    assert metric(preds, target, 0.3 * times) == pytest.approx(repeated, rel=1e-9)


@pytest.mark.parametrize(("name", "task"), CASES)
def test_no_weights_are_equal_weights(name: str, task: str) -> None:
    metric = METRICS[name]
    preds, target = rows_for(metric, task, 0)
    equal = metric(preds, target, np.full(len(target), 2.5))
    assert metric(preds, target) == pytest.approx(equal, rel=1e-12)


@pytest.mark.parametrize(("name", "task"), CASES)
def test_the_order_of_rows_is_of_no_matter(name: str, task: str) -> None:
    metric = METRICS[name]
    rng = np.random.default_rng(0)
    preds, target = rows_for(metric, task, 1)
    weight, order = rng.random(len(target)), rng.permutation(len(target))
    moved = metric(preds[order], target[order], weight[order])
    assert metric(preds, target, weight) == pytest.approx(moved, rel=1e-12)


@pytest.mark.parametrize(("name", "task"), CASES)
def test_perfect_predictions_beat_middling_ones_and_stay_in_range(name: str, task: str) -> None:
    metric = METRICS[name]
    preds, target = rows_for(metric, task, 2)
    best = metric(perfect_for(metric, preds, target), target)
    middling = metric(preds, target)
    assert (best > middling) == metric.higher_is_better
    assert best != middling
    assert metric.lowest <= min(best, middling)
    assert max(best, middling) <= metric.highest
    bound = metric.highest if metric.higher_is_better else metric.lowest
    assert best == pytest.approx(bound, abs=1e-12)


@pytest.mark.parametrize(("name", "task"), CASES)
def test_prepared_metrics_agree_with_plain_ones(name: str, task: str) -> None:
    metric = METRICS[name]
    assert metric.prepare is not None
    preds, target = rows_for(metric, task, 3)
    prepared = metric.prepared(preds, target)
    for seed in range(3):
        weight = np.random.default_rng(seed).integers(0, 3, len(target)).astype(float)
        assert prepared(weight) == metric(preds, target, weight)
    assert prepared(None) == metric(preds, target)


@pytest.mark.parametrize(("name", "task"), CASES)
@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.full(60, -1.0), "0 or more"),
        (np.full(60, np.nan), "finite"),
        (np.zeros(60), "all row weights are 0"),
        (np.ones(59), "shape"),
    ],
)
def test_impossible_weights_are_refused(
    name: str, task: str, weight: np.ndarray, message: str
) -> None:
    metric = METRICS[name]
    preds, target = rows_for(metric, task, 0)
    with pytest.raises(ValueError, match=message):
        metric(preds, target, weight)


@pytest.mark.parametrize(("name", "task"), CASES)
def test_rows_that_do_not_fit_are_refused(name: str, task: str) -> None:
    metric = METRICS[name]
    preds, target = rows_for(metric, task, 0)
    with pytest.raises(ValueError, match="shape"):
        metric(preds[:-1], target)
    with pytest.raises(ValueError, match=r"rows|NaN|hold"):
        metric(preds[:0], target[:0])
    if metric.takes == "masks":  # Counts check themselves as they are made.
        return
    spoilt = preds.astype(float)
    spoilt[3] = np.nan
    with pytest.raises(ValueError, match=r"NaN|whole"):
        metric(spoilt, target)


@pytest.mark.parametrize("name", METRICS)
def test_options_are_keyword_only_and_bind(name: str) -> None:
    metric = METRICS[name]
    parameters = list(inspect.signature(metric.function).parameters.values())
    data = ["counts", "weight"] if metric.takes == "masks" else ["preds", "target", "weight"]
    options = parameters[len(data) :]
    assert [p.name for p in parameters[: len(data)]] == data
    assert all(p.kind is inspect.Parameter.KEYWORD_ONLY for p in options)
    assert bind(METRICS, name) is metric
    defaults = {p.name: p.default for p in options}
    bound = bind(METRICS, {"name": name, **defaults})
    preds, target = rows_for(metric, metric.tasks[0], 0)
    assert bound(preds, target) == bound.prepared(preds, target)(None) == metric(preds, target)


def test_words_are_lower_case_and_name_one_metric_each() -> None:
    words = list(itertools.chain.from_iterable(metric.words for metric in METRICS.values()))
    assert all(metric.words for metric in METRICS.values())
    assert len(words) == len(set(words))
    assert all(word == word.lower().strip() for word in words)


@pytest.mark.parametrize("name", METRICS)
def test_the_longest_phrase_in_its_own_label_names_the_metric(name: str) -> None:
    text = METRICS[name].label.lower()
    found = [(len(w), key) for key, m in METRICS.items() for w in m.words if w in text]
    assert max(found)[1] == name


def test_metrics_import_neither_torch_nor_scikit_learn() -> None:
    code = "import sys, foldwise.metrics, foldwise.metrics.bootstrap as b; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "sklearn"} & set(done.stdout.split())


def test_a_metric_of_ones_own_binds_like_those_of_the_table(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "own_metric_of_test.py").write_text(
        "from foldwise.metrics import Metric\n"
        "def within(preds, target, weight=None, *, grades: int = 1):\n"
        "    return float((abs(preds - target) <= grades).mean())\n"
        "near = Metric(within, higher_is_better=True, takes='answers', label='near')\n"
    )
    spec = {"name": "own_metric_of_test:near", "grades": 2}
    metric = bind(METRICS, spec, code=tmp_path)
    assert isinstance(metric, Metric)
    assert metric(np.array([0, 1, 4]), np.array([2, 1, 1])) == pytest.approx(2 / 3)
