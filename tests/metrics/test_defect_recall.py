from __future__ import annotations

import numpy as np
import pytest

from foldwise.metrics.defect_recall import recall_of_defects
from foldwise.metrics.mask_counts import MaskCounts

from .mask_cases import overlapping

#: Two classes; groups a, a, b, c: class 0 is in a twice and in b, class 1 in c alone.
COUNTS = MaskCounts(
    common=np.array([[1, 0], [6, 0], [0, 0], [0, 4]]),
    answered=np.array([[1, 5], [9, 0], [2, 0], [0, 9]]),
    true=np.array([[10, 0], [10, 0], [5, 0], [0, 5]]),
)
GROUPS = np.array(["a", "a", "b", "c"])


def test_a_group_is_found_if_one_of_its_images_is_hit() -> None:
    found = recall_of_defects(COUNTS, GROUPS)
    assert found.there.tolist() == [2, 1]
    assert found.hit.tolist() == [1, 1]
    assert found.per_class.tolist() == [0.5, 1.0]
    assert found.overall == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("measure", "above", "hit"),
    [
        ("overlap", 0.59, [1, 1]),
        ("overlap", 0.6, [0, 1]),
        ("overlap", 0.8, [0, 0]),
        ("iou", 0.4, [1, 0]),
        ("iou", 0.39, [1, 1]),
        ("iou", 0.47, [0, 0]),
    ],
)
def test_a_hit_is_above_the_bound_by_overlap_with_the_truth_or_by_iou(
    measure, above: float, hit: list[int]
) -> None:
    # Image 1 of a: overlap 6/10, IoU 6/13; c: overlap 4/5, IoU 4/10.
    assert recall_of_defects(COUNTS, GROUPS, measure=measure, above=above).hit.tolist() == hit


def test_without_groups_every_image_is_one_and_what_is_nowhere_has_no_recall() -> None:
    found = recall_of_defects(COUNTS)
    assert found.there.tolist() == [3, 1]
    assert found.hit.tolist() == [2, 1]
    nowhere = recall_of_defects(COUNTS[:3], GROUPS[:3])
    assert np.isnan(nowhere.per_class[1])
    assert nowhere.overall == 0.5
    assert np.isnan(recall_of_defects(COUNTS[:0]).overall)


def test_groups_are_counted_as_pixels_say() -> None:
    masks = overlapping(num=30)
    groups = np.random.default_rng(0).integers(0, 9, 30)
    found = recall_of_defects(masks.counts, groups, measure="iou", above=0.3)
    for c in range(3):
        there, hit = set(), set()
        for answer, truth, group in zip(masks.answers, masks.truths, groups, strict=True):
            if truth[c].any():
                there.add(group)
                if (answer[c] & truth[c]).sum() / (answer[c] | truth[c]).sum() > 0.3:
                    hit.add(group)
        assert (found.hit[c], found.there[c]) == (len(hit), len(there))
    assert (found.hit < found.there).any()


def test_groups_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="groups have shape"):
        recall_of_defects(COUNTS, GROUPS[:2])
