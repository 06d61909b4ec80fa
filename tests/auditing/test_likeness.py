import numpy as np
import pytest

from foldwise.auditing.likeness import fit_likeness, measure_likeness
from tests.auditing.photos import draw_photos, save_again


@pytest.mark.parametrize("num", [2, 10, 400])
@pytest.mark.parametrize("common", [0.0, 0.8])
def test_a_photo_saved_again_is_alike_and_another_one_is_not(num, common):
    photos = draw_photos(num, common=common)
    both = np.concatenate([photos, save_again(photos)])
    copies = np.column_stack([np.arange(num), np.arange(num) + num])
    others = np.column_stack([np.arange(num), (np.arange(num) + 1) % num + num])
    fitted = fit_likeness(both)
    alike, difference = measure_likeness(fitted, both, copies)
    assert alike.min() > 0.9
    assert difference.max() < 4
    unlike, _ = measure_likeness(fitted, both, others)
    assert unlike.max() < 0.82


def test_images_of_one_kind_correlate_highly_and_are_still_told_apart():
    photos = draw_photos(400, common=0.9)
    flat = photos.reshape(400, -1).astype(float)
    plain = np.corrcoef(flat)[np.arange(399), np.arange(1, 400)]
    pairs = np.column_stack([np.arange(399), np.arange(1, 400)])
    likeness, _ = measure_likeness(fit_likeness(photos), photos, pairs)
    assert plain.mean() > 0.9
    assert np.abs(likeness).max() < 0.82


def test_flat_images_are_alike_only_when_their_levels_are_equal():
    levels = np.array([10, 10, 11, 14, 200], dtype=np.uint8)
    flat = np.broadcast_to(levels[:, None, None, None], (5, 32, 32, 3))
    photos = np.concatenate([flat, draw_photos(20)])
    pairs = np.array([[0, 1], [0, 2], [0, 3], [0, 4], [0, 10]])
    likeness, difference = measure_likeness(fit_likeness(photos), photos, pairs)
    assert likeness.tolist() == [1, 1, -1, -1, -1]
    assert difference[:4].tolist() == [0, 1, 4, 190]


def test_no_images_and_no_pairs_are_no_trouble():
    none = np.empty((0, 32, 32, 3), dtype=np.uint8)
    likeness, difference = measure_likeness(fit_likeness(none), none, np.empty((0, 2), dtype=int))
    assert len(likeness) == len(difference) == 0
