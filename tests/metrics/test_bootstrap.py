from __future__ import annotations

import numpy as np
import pytest

from foldwise.metrics import METRICS
from foldwise.metrics.bootstrap import (
    FEWEST,
    interval,
    paired_interval,
    paired_intervals,
    resampled_scores,
)

from .cases import cases, rows_for


@pytest.mark.parametrize(("name", "task"), list(cases()))
def test_every_metric_has_an_interval_around_its_score(name: str, task: str) -> None:
    metric = METRICS[name]
    preds, target = rows_for(metric, task, 0)
    found = interval(metric, preds, target, num=200)
    assert found is not None
    assert found.low < metric(preds, target) < found.high
    plain = interval(lambda *rows: metric(*rows), preds, target, num=200)
    assert found == plain
    paired = paired_interval(
        metric, preds, preds, target, num=50, higher_is_better=metric.higher_is_better
    )
    assert paired.point == 0
    assert paired.interval is not None
    assert paired.interval.low == paired.interval.high == 0


def test_the_interval_of_a_mean_is_the_normal_one() -> None:
    errors = np.abs(np.random.default_rng(0).normal(size=1000))
    found = interval(METRICS["mae"], errors, np.zeros(1000), num=2000)
    assert found is not None
    half = 1.96 * errors.std() / np.sqrt(1000)
    assert found.low == pytest.approx(errors.mean() - half, abs=0.1 * half)
    assert found.high == pytest.approx(errors.mean() + half, abs=0.1 * half)
    narrow = interval(METRICS["mae"], errors, np.zeros(1000), num=2000, level=0.5)
    assert narrow is not None
    assert narrow.high - narrow.low == pytest.approx(2 * half * 0.6745 / 1.96, rel=0.1)


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(1)
    covered = 0
    for seed in range(120):
        right = (rng.random(150) < 0.7).astype(int)
        found = interval(METRICS["accuracy"], right, np.ones(150, dtype=int), num=120, seed=seed)
        assert found is not None
        covered += found.low <= 0.7 <= found.high
    assert 0.88 <= covered / 120 <= 0.99


def test_groups_of_equal_rows_are_as_wide_as_their_number_says() -> None:
    rng = np.random.default_rng(2)
    right = rng.integers(0, 2, 60)
    target, groups = np.ones(60 * 10, dtype=int), np.repeat(np.arange(60), 10)
    once = interval(METRICS["accuracy"], right, target[:60], seed=3)
    grouped = interval(METRICS["accuracy"], np.repeat(right, 10), target, groups=groups, seed=3)
    rows = interval(METRICS["accuracy"], np.repeat(right, 10), target, seed=3)
    assert once is not None
    assert grouped is not None
    assert rows is not None
    assert (grouped.low, grouped.high) == pytest.approx((once.low, once.high))
    assert rows.high - rows.low < 0.5 * (grouped.high - grouped.low)
    assert grouped.covers == "60 groups resampled, 1000 times"
    assert once.covers == "60 rows resampled, 1000 times"


def test_names_and_order_of_groups_are_of_no_matter_to_their_number() -> None:
    preds, target = rows_for(METRICS["accuracy"], "multiclass", 0)
    numbers = np.arange(60) // 2
    names = np.array([f"patient {number:03d}" for number in numbers], dtype=object)
    by_number = interval(METRICS["accuracy"], preds, target, groups=numbers)
    assert by_number == interval(METRICS["accuracy"], preds, target, groups=names)


def test_too_few_groups_or_rows_have_no_interval() -> None:
    preds, target = rows_for(METRICS["accuracy"], "multiclass", 0)
    groups = np.arange(60) % FEWEST
    assert interval(METRICS["accuracy"], preds, target, groups=groups) is not None
    few = np.minimum(groups, FEWEST - 2)
    assert interval(METRICS["accuracy"], preds, target, groups=few) is None
    assert interval(METRICS["accuracy"], preds[:19], target[:19]) is None
    gain = paired_interval(
        METRICS["accuracy"], preds, target, target, groups=few, higher_is_better=True
    )
    assert gain.point > 0
    assert gain.interval is None


def test_rows_of_weight_0_are_absent() -> None:
    metric = METRICS["accuracy"]
    preds, target = rows_for(metric, "multiclass", 0)
    weight = np.tile([1.0, 0.0, 2.0], 20)
    groups, kept = np.arange(60) // 2, weight > 0
    assert interval(metric, preds, target, weight=weight) == interval(
        metric, preds[kept], target[kept], weight=weight[kept]
    )
    assert interval(metric, preds, target, weight=weight, groups=groups) == interval(
        metric, preds[kept], target[kept], weight=weight[kept], groups=groups[kept]
    )
    assert interval(metric, preds, target, weight=(np.arange(60) < 19).astype(float)) is None


def test_undefined_resamples_are_skipped_and_counted() -> None:
    target = np.zeros(40, dtype=int)
    target[0] = 1  # A resample misses it with chance (1 - 1/40)^40 = 0.363.
    scores = np.random.default_rng(0).random((40, 1))
    found = interval(METRICS["roc_auc"], scores, target, num=1000)
    assert found is not None
    assert 300 < found.num_skipped < 430
    assert interval(METRICS["accuracy"], target, target).num_skipped == 0


def test_a_metric_undefined_in_most_resamples_has_no_interval() -> None:
    calls = iter(range(10_000))

    def moody(preds: np.ndarray, target: np.ndarray, weight: np.ndarray | None) -> float:
        if next(calls) % 3:
            raise ValueError("not today")
        return 1.0

    assert interval(moody, np.zeros(30), np.zeros(30), num=100) is None


def test_what_is_undefined_on_all_rows_raises() -> None:
    ones = np.ones(30, dtype=int)
    with pytest.raises(ValueError, match="one grade"):
        interval(METRICS["qwk"], ones, ones)
    with pytest.raises(ValueError, match="shape"):
        interval(METRICS["accuracy"], ones, ones, groups=np.arange(29))
    with pytest.raises(ValueError, match="level"):
        interval(METRICS["accuracy"], ones, ones, level=95)


def test_the_same_seed_draws_the_same_and_another_another() -> None:
    preds, target = rows_for(METRICS["rmse"], "regression", 0)
    first = interval(METRICS["rmse"], preds, target, num=100, seed=5)
    assert first == interval(METRICS["rmse"], preds, target, num=100, seed=5)
    assert first != interval(METRICS["rmse"], preds, target, num=100, seed=6)


@pytest.mark.parametrize("name", ["accuracy", "mae"])
def test_a_gain_is_positive_where_the_second_is_better(name: str) -> None:
    metric = METRICS[name]
    target = np.random.default_rng(0).integers(0, 4, 200)
    bad, good = target.copy(), target.copy()
    bad[:100], good[:50] = (target[:100] + 1) % 4, (target[:50] + 1) % 4
    gain = paired_interval(
        metric, bad, good, target, higher_is_better=metric.higher_is_better, num=300
    )
    assert gain.point == pytest.approx(abs(metric(good, target) - metric(bad, target)))
    assert gain.interval is not None
    assert 0 < gain.interval.low < gain.point < gain.interval.high


def test_pairing_takes_out_what_both_find_hard() -> None:
    rng = np.random.default_rng(4)
    hard = 10 * np.abs(rng.normal(size=300))
    better = hard - 0.1 + 0.02 * rng.normal(size=300)
    zero, metric = np.zeros(300), METRICS["mae"]
    gain = paired_interval(metric, hard, np.abs(better), zero, higher_is_better=False)
    alone = interval(metric, hard, zero)
    assert gain.interval is not None
    assert alone is not None
    assert gain.interval.low > 0
    assert gain.interval.high - gain.interval.low < 0.05 * (alone.high - alone.low)


@pytest.mark.parametrize(("num_columns", "num"), [(50, 1000), (250, 400), (2000, 200)])
def test_long_inputs_get_fewer_resamples_but_never_less_than_200(
    num_columns: int, num: int
) -> None:
    preds = np.zeros((1000, num_columns))
    found = interval(lambda preds, target, weight: 1.0, preds, preds[:, 0], num=1000)
    assert found is not None
    assert found.covers == f"1000 rows resampled, {num} times"


def test_gains_over_several_are_those_over_each_of_them() -> None:
    metric = METRICS["accuracy"]
    rng = np.random.default_rng(5)
    target = rng.integers(0, 3, 90)
    preds, *others = (
        np.where(rng.random(90) < right, target, rng.integers(0, 3, 90))
        for right in (0.8, 0.6, 0.3)
    )
    groups = np.arange(90) // 3
    found = paired_intervals(
        metric, others, preds, target, higher_is_better=True, groups=groups, num=60
    )
    for gain, other in zip(found, others, strict=True):
        alone = paired_interval(
            metric, other, preds, target, higher_is_better=True, groups=groups, num=60
        )
        assert gain == alone


def test_a_reference_that_is_often_undefined_takes_no_interval_from_the_others() -> None:
    def positive(preds: np.ndarray, target: np.ndarray, weight: np.ndarray | None = None) -> float:
        times = np.ones(len(preds)) if weight is None else weight
        return float((preds * times).sum() / times.sum()) if preds[0] == 1 else float("nan")

    ones, zeros = np.ones(40), np.zeros(40)
    good, bad = paired_intervals(positive, [ones, zeros], ones, ones, higher_is_better=True, num=30)
    assert good.interval is not None
    assert bad.interval is None


def test_several_scores_of_the_same_resamples_have_the_intervals_of_each_alone() -> None:
    metric = METRICS["accuracy"]
    preds, target = rows_for(metric, "multiclass", 0)
    groups = np.arange(60) // 2
    found = resampled_scores(metric, [preds, target], target, groups=groups)
    alone = interval(metric, preds, target, groups=groups)
    assert found is not None
    assert alone is not None
    assert np.quantile(found.scores[:, 0], [0.025, 0.975]) == pytest.approx([alone.low, alone.high])
    assert (found.scores[:, 1] == 1).all()
    assert (found.num_units, found.covers) == (30, alone.covers)
    assert resampled_scores(metric, [preds[:19]], target[:19]) is None
