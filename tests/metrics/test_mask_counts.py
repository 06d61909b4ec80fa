"""Counts of masks against pixels, and how metrics of masks are bound, joined and resampled."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from foldwise.errors import ConfigError
from foldwise.masks.runs import encode
from foldwise.metrics import METRICS, bind
from foldwise.metrics.bootstrap import interval, paired_interval
from foldwise.metrics.mask_counts import MaskCounts, count_masks, joined

from .mask_cases import overlapping, runs_of


def _by_pixels(answers, truths, ignored) -> list[np.ndarray]:
    """`common`, `answered` and `true`, one number a mask."""
    found = []
    for answer, truth, hidden in zip(answers, truths, ignored, strict=True):
        seen = answer & ~hidden
        found.append([each.sum(axis=(1, 2)) for each in (seen & truth, seen, truth)])
    return list(np.array(found).swapaxes(0, 1))


def test_counts_from_runs_are_those_of_pixels() -> None:
    masks = overlapping()
    nothing = [np.zeros_like(each) for each in masks.ignored]
    counts = masks.counts
    common, answered, true = _by_pixels(masks.answers, masks.truths, nothing)
    assert counts.common.shape == (12, 3)
    np.testing.assert_array_equal(counts.common, common)
    np.testing.assert_array_equal(counts.answered, answered)
    np.testing.assert_array_equal(counts.true, true)
    assert ((counts.common > 0) & (counts.common < counts.true)).sum() > 5
    np.testing.assert_array_equal(counts.union, answered + true - common)


def test_what_is_not_counted_is_in_no_count_given_by_image_or_by_mask() -> None:
    masks = overlapping()
    common, answered, true = _by_pixels(masks.answers, masks.truths, masks.ignored)
    by_image = encode(masks.ignored)
    by_mask = encode([each for each in masks.ignored for _ in range(3)])
    assert (answered < masks.counts.answered).any()
    for ignored in (by_image, by_mask):
        counts = count_masks(*masks.runs, 3, ignored)
        np.testing.assert_array_equal(counts.common, common)
        np.testing.assert_array_equal(counts.answered, answered)
        np.testing.assert_array_equal(counts.true, true)


def test_a_truth_that_reaches_into_what_is_not_counted_is_refused_by_its_place() -> None:
    truth = np.zeros((2, 2, 3, 4), bool)
    truth[1, 0, 2, 1:3] = True
    hidden = np.zeros((2, 3, 4), bool)
    hidden[1, :, 2] = True
    truths = runs_of(list(truth))
    with pytest.raises(ValueError, match="class number 0 in image number 1 reaches"):
        count_masks(truths, truths, 2, encode(hidden))


def test_numbers_of_masks_that_do_not_fit_are_refused() -> None:
    answers, truths = overlapping().runs
    some = np.arange(30)
    with pytest.raises(ValueError, match="30 answers and 36 truths are not 3 an image each"):
        count_masks(answers.take(some), truths, 3)
    with pytest.raises(ValueError, match="are not 5 an image"):
        count_masks(answers, truths, 5)
    with pytest.raises(ValueError):
        count_masks(answers, truths, 3, answers.take(np.arange(5)))


def test_counts_that_cannot_be_are_refused() -> None:
    ones = np.ones((2, 3), np.int64)
    with pytest.raises(ValueError, match="one shape"):
        MaskCounts(ones, ones, ones[:1])
    with pytest.raises(ValueError, match="at most both areas"):
        MaskCounts(2 * ones, ones, 3 * ones)
    with pytest.raises(ValueError, match="at least 0"):
        MaskCounts(-ones, ones, ones)


def test_parts_of_the_samples_are_joined_to_the_counts_of_all() -> None:
    counts = overlapping().counts
    whole = joined([counts[:5], counts[np.arange(5, 7)], counts[np.arange(12) > 6]])
    for name in ("common", "answered", "true"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(counts, name))
    metric = METRICS["boundary_f"].with_options({"tolerance": 0.05})
    lines = metric.count(*overlapping().runs, 3)
    again = joined([lines[:5], lines[5:]])
    np.testing.assert_array_equal(again.found, lines.found)
    assert again.tolerance == 0.05
    numbers = np.arange(6).reshape(3, 2)
    np.testing.assert_array_equal(joined([numbers[:1], numbers[1:]]), numbers)


def test_intervals_resample_counts_by_group_and_read_no_mask_again() -> None:
    masks = overlapping(num=40)
    metric, counts = METRICS["mean_dice"], masks.counts
    groups = np.arange(40) % 25
    found = interval(metric, counts, counts.true, groups=groups, num=200)
    assert found is not None
    assert found.covers == "25 groups resampled, 200 times"
    scores = np.array([metric(counts[[i]], counts.true[[i]]) for i in range(40)])
    plain = interval(METRICS["mae"], scores, np.zeros(40), groups=groups, num=200)
    assert (found.low, found.high) == pytest.approx((plain.low, plain.high))
    better = MaskCounts(counts.true, counts.true, counts.true)
    gain = paired_interval(
        metric, counts, better, counts.true, groups=groups, num=200, higher_is_better=True
    )
    assert gain.point == pytest.approx(1 - metric(counts, counts.true))
    assert gain.interval is not None
    assert 0 < gain.interval.low < gain.point < gain.interval.high


def test_counts_of_many_images_get_fewer_resamples_as_long_arrays_do() -> None:
    ones = np.ones((30, 20_000), np.int64)
    found = interval(METRICS["mean_dice"], MaskCounts(ones, ones, ones), ones, num=1000)
    assert found is not None
    assert found.covers == "30 rows resampled, 200 times"


def test_counts_and_targets_of_other_rows_are_refused() -> None:
    counts = overlapping().counts
    with pytest.raises(ValueError, match="12 rows, not of 11"):
        METRICS["mean_iou"](counts, counts.true[:11])


OWN = """
import numpy as np
from foldwise.masks.runs import decode
from foldwise.metrics import Metric

def share_hit(counts, weight=None, *, above: float = 0.5):
    hit = (counts.common > above * counts.true).mean(axis=1)
    return float(np.average(hit, weights=weight))

def count_holes(answers, truths, num_classes, ignored=None, *, size: int = 1):
    holes = [size * (1 - mask).sum() for mask in decode(answers)]
    return np.array(holes).reshape(-1, num_classes)

def mean_holes(counts, weight=None, *, size: int = 1):
    return float(np.average(counts.mean(axis=1), weights=weight))

hits = Metric(share_hit, higher_is_better=True, takes="masks", label="hits")
holes = Metric(
    mean_holes, higher_is_better=False, takes="masks", label="holes", count=count_holes
)
"""


def test_a_metric_of_ones_own_reads_counts_or_counts_masks_its_own_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "own_masks_of_test.py").write_text(OWN)
    masks = overlapping(num=24)
    hits = bind(METRICS, {"name": "own_masks_of_test:hits", "above": 0.8}, code=tmp_path)
    counts = hits.count(*masks.runs, 3)
    expected = (counts.common > 0.8 * counts.true).mean()
    assert hits(counts, counts.true) == pytest.approx(expected)
    assert interval(hits, counts, counts.true, num=50) is not None
    holes = bind(METRICS, {"name": "own_masks_of_test:holes", "size": 2}, code=tmp_path)
    rows = holes.count(*masks.runs, 3)
    by_pixels = [2 * (~answer).sum() / 3 for answer in masks.answers]
    assert holes(rows, counts.true) == pytest.approx(np.mean(by_pixels))
    assert interval(holes, rows, counts.true, num=50) is not None
    with pytest.raises(ConfigError, match="size"):
        bind(METRICS, {"name": "own_masks_of_test:hits", "size": 1}, code=tmp_path)
