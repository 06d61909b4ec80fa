import numpy as np
import pytest

from foldwise.auditing.likeness import find_alike, fit_likeness, looks_of, measure_likeness
from tests.auditing.photos import draw_photos, save_again


def measured(thumbs, pairs):
    rows = np.arange(len(thumbs))
    return measure_likeness(looks_of(fit_likeness(thumbs), thumbs, rows), pairs)


@pytest.mark.parametrize("num", [2, 10, 400])
@pytest.mark.parametrize("common", [0.0, 0.8])
def test_a_photo_saved_again_is_alike_and_another_one_is_not(num, common):
    photos = draw_photos(num, common=common)
    both = np.concatenate([photos, save_again(photos)])
    copies = np.column_stack([np.arange(num), np.arange(num) + num])
    others = np.column_stack([np.arange(num), (np.arange(num) + 1) % num + num])
    alike, difference = measured(both, copies)
    assert alike.min() > 0.9
    assert difference.max() < 4
    unlike, _ = measured(both, others)
    assert unlike.max() < 0.82


def test_images_of_one_kind_correlate_highly_and_are_still_told_apart():
    photos = draw_photos(400, common=0.9)
    flat = photos.reshape(400, -1).astype(float)
    plain = np.corrcoef(flat)[np.arange(399), np.arange(1, 400)]
    pairs = np.column_stack([np.arange(399), np.arange(1, 400)])
    likeness, _ = measured(photos, pairs)
    assert plain.mean() > 0.9
    assert np.abs(likeness).max() < 0.82


def test_flat_images_are_alike_only_when_their_levels_are_equal():
    levels = np.array([10, 10, 11, 14, 200], dtype=np.uint8)
    flat = np.broadcast_to(levels[:, None, None, None], (5, 32, 32, 3))
    photos = np.concatenate([flat, draw_photos(20)])
    pairs = np.array([[0, 1], [0, 2], [0, 3], [0, 4], [0, 10]])
    likeness, difference = measured(photos, pairs)
    assert likeness.tolist() == [1, 1, -1, -1, -1]
    assert difference[:4].tolist() == [0, 1, 4, 190]


def test_no_images_and_no_pairs_are_no_trouble():
    none = np.empty((0, 32, 32, 3), dtype=np.uint8)
    likeness, difference = measured(none, np.empty((0, 2), dtype=int))
    assert len(likeness) == len(difference) == 0


@pytest.mark.parametrize("max_difference", [3.0, 40.0])
def test_the_short_way_finds_the_pairs_that_measuring_all_would(max_difference):
    photos = draw_photos(60, common=0.5)
    flat = np.broadcast_to(np.arange(20, dtype=np.uint8)[:, None, None, None], (20, 32, 32, 3))
    thumbs = np.concatenate([photos, save_again(photos), flat])
    every = np.argwhere(np.triu(np.ones((140, 140), dtype=bool), 1))
    few = every[np.random.default_rng(0).permutation(len(every))[:90]]  # Not as one matrix.
    looks = looks_of(fit_likeness(thumbs), thumbs, np.arange(140))
    for pairs in (every, few):
        likeness, difference = measure_likeness(looks, pairs)
        wanted = np.flatnonzero((likeness >= 0.5) & (difference <= max_difference))
        kept, *values = find_alike(looks, pairs, min_likeness=0.5, max_difference=max_difference)
        assert kept.tolist() == wanted.tolist()
        assert np.allclose(values, [likeness[wanted], difference[wanted]], atol=1e-5)
