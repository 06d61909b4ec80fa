"""IoU and pixel accuracy against scikit-learn on flattened pixels, and pycocotools."""

from __future__ import annotations

import numpy as np
import pytest
from pycocotools import mask as coco
from sklearn.metrics import accuracy_score, jaccard_score

from foldwise.metrics.mask_counts import MaskCounts
from foldwise.metrics.segmentation import (
    iou_per_class,
    mean_iou,
    mean_iou_per_image,
    pixel_accuracy,
)

from .mask_cases import exclusive, overlapping


def _labels(images: list[np.ndarray]) -> np.ndarray:
    """(P,) classes of all pixels of all images."""
    return np.concatenate([image.argmax(axis=0).ravel() for image in images])


def test_iou_and_accuracy_of_exclusive_classes_are_scikit_learns() -> None:
    masks = exclusive()
    truth, answer = _labels(masks.truths), _labels(masks.answers)
    assert set(truth) == {0, 1, 2, 3}
    oracle = jaccard_score(truth, answer, average=None, labels=range(4))
    np.testing.assert_allclose(iou_per_class(masks.counts), oracle)
    assert mean_iou(masks.counts) == pytest.approx(oracle.mean())
    assert pixel_accuracy(masks.counts) == pytest.approx(accuracy_score(truth, answer))


def test_rows_weigh_as_their_pixels_would() -> None:
    masks = exclusive()
    weight = np.random.default_rng(1).uniform(0, 3, 8)
    truth, answer = _labels(masks.truths), _labels(masks.answers)
    pixels = np.repeat(weight, [image[0].size for image in masks.truths])
    oracle = jaccard_score(truth, answer, average="macro", sample_weight=pixels)
    assert mean_iou(masks.counts, weight) == pytest.approx(oracle)
    oracle = accuracy_score(truth, answer, sample_weight=pixels)
    assert pixel_accuracy(masks.counts, weight) == pytest.approx(oracle)


def test_iou_per_image_is_the_mean_of_scikit_learns_over_the_classes_in_each() -> None:
    masks = exclusive()
    each = [
        jaccard_score(t.argmax(axis=0).ravel(), a.argmax(axis=0).ravel(), average="macro")
        for t, a in zip(masks.truths, masks.answers, strict=True)
    ]
    assert mean_iou_per_image(masks.counts) == pytest.approx(np.mean(each))


def _coco_iou(answer: np.ndarray, truth: np.ndarray) -> float:
    one, two = (coco.encode(np.asfortranarray(mask, np.uint8)) for mask in (answer, truth))
    return float(coco.iou([one], [two], [0])[0, 0])


def test_iou_of_overlapping_classes_is_pycocotools() -> None:
    masks = overlapping()
    found = iou_per_class(masks.counts)
    for c in range(3):  # Pooled: the pixels of all images in one column.
        pooled = [
            np.concatenate([image[c].ravel() for image in images])[:, None]
            for images in (masks.answers, masks.truths)
        ]
        assert found[c] == pytest.approx(_coco_iou(*pooled))
    counts, images = masks.counts, zip(masks.answers, masks.truths, strict=True)
    only = MaskCounts(counts.common[:, [1]], counts.answered[:, [1]], counts.true[:, [1]])
    each = [_coco_iou(answer[1], truth[1]) for answer, truth in images]
    assert mean_iou_per_image(only) == pytest.approx(np.mean(each))


def test_classes_that_are_nowhere_do_not_count_and_answered_ones_do() -> None:
    common, answered = np.array([[3, 0, 0], [1, 0, 0]]), np.array([[4, 2, 0], [1, 0, 0]])
    counts = MaskCounts(common, answered, common)
    assert iou_per_class(counts)[:2].tolist() == [0.8, 0.0]
    assert np.isnan(iou_per_class(counts)[2])
    assert mean_iou(counts) == pytest.approx(0.4)
    assert mean_iou(counts, np.array([0.0, 1.0])) == 1.0  # Class 1 is in no row that counts.
    assert mean_iou_per_image(counts) == pytest.approx((0.75 / 2 + 1) / 2)


def test_nothing_at_all_is_right_image_by_image_and_undefined_by_class() -> None:
    zeros = np.zeros((2, 3), np.int64)
    counts = MaskCounts(zeros, zeros, zeros)
    assert mean_iou_per_image(counts) == 1.0
    with pytest.raises(ValueError, match="no class is in any truth"):
        mean_iou(counts)
    with pytest.raises(ValueError, match="pixel accuracy is undefined"):
        pixel_accuracy(counts)
