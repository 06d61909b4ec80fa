import hashlib
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from foldwise.auditing.duplicates import find_duplicates
from foldwise.data.hashes import near_pairs, phash
from tests.auditing.packs import read_pack, read_thumb
from tests.auditing.photos import draw_photos, save_again


def _all_near(hashes, max_distance):
    bits = np.bitwise_count(hashes[:, None] ^ hashes[None, :])
    return [np.argwhere(np.triu(bits <= max_distance, k=1))]


def _planted(num=60):
    """Photos; 0 again at 60 (same bytes), 1 saved again at 61, 2 under a false hash of 3."""
    photos = draw_photos(num)
    thumbs = np.concatenate([photos, photos[:1], save_again(photos[1:2])])
    sha256 = [hashlib.sha256(thumb.tobytes()).hexdigest() for thumb in thumbs]
    hashes = np.random.default_rng(0).integers(0, 2**63, num + 2, dtype=np.uint64)
    hashes[60] = hashes[0]
    hashes[61] = hashes[1] ^ np.uint64(0b1011)
    hashes[2] = hashes[3]
    return sha256, hashes, thumbs


def _found(table):
    return [tuple(pair) for pair in table[["i", "j"]].to_numpy().tolist()]


def test_planted_copies_are_found_and_a_false_hash_is_not():
    report = find_duplicates(*_planted(), _all_near)
    assert _found(report.pairs) == [(0, 60), (1, 61)]
    assert report.pairs["kind"].tolist() == ["exact", "near"]
    assert report.pairs["distance"].tolist() == [0, 3]
    assert report.pairs["mean_abs_difference"].iloc[1] == pytest.approx(2.6, abs=1)
    assert report.num_candidates == 2
    linked = np.flatnonzero(np.bincount(report.groups)[report.groups] > 1)
    assert linked.tolist() == [0, 1, 60, 61]
    assert report.groups[0] == report.groups[60] != report.groups[1] == report.groups[61]


def test_hashes_further_apart_than_allowed_are_no_candidates():
    report = find_duplicates(*_planted(), _all_near, max_distance=2)
    assert _found(report.pairs) == [(0, 60)]


def test_twins_and_label_conflicts_are_the_pairs_that_differ():
    splits = ["train"] * 60 + ["test", "train"]
    labels = ["cow"] * 60 + [None, "cat"]
    report = find_duplicates(*_planted(), _all_near, splits=splits, labels=labels)
    assert _found(report.twins) == [(0, 60)]
    assert _found(report.label_conflicts) == [(1, 61)]
    assert report.label_conflicts["kind"].tolist() == ["near"]


def test_the_third_copy_in_test_is_a_twin_of_both_in_train():
    sha256, hashes, thumbs = _planted()
    thirds = [1, 61]  # Same bytes as 61, so near to 1 and equal to 61.
    splits = ["train"] * 62 + ["test"]
    report = find_duplicates(
        [*sha256, sha256[61]],
        np.append(hashes, hashes[61]),
        np.concatenate([thumbs, thumbs[61:]]),
        _all_near,
        splits=splits,
    )
    assert _found(report.twins) == [(row, 62) for row in thirds]


def test_a_thousand_equal_images_make_a_short_report():
    thumbs = np.zeros((1000, 32, 32, 3), dtype=np.uint8)
    labels = np.arange(1000) % 2
    report = find_duplicates(
        ["same"] * 1000, np.zeros(1000, dtype=np.uint64), thumbs, _all_near, labels=labels
    )
    assert len(report.pairs) == 999
    assert set(report.groups) == {0}
    assert _found(report.label_conflicts) == [(0, 1)]
    assert report.num_candidates == 0


def _noisy_frames(num, cameras=1):
    """Frames of fixed cameras: hardly anything changes, in the picture or in its hash."""
    rng = np.random.default_rng(1)
    camera = np.arange(num) % cameras
    scenes = draw_photos(cameras + 38)
    noise = rng.integers(-2, 3, (num, 32, 32, 3), dtype=np.int8)
    frames = np.clip(scenes[camera].astype(np.int16) + noise, 0, 255).astype(np.uint8)
    hashes = np.full(num, 0x5A5A_0F0F_1234_9876, dtype=np.uint64)
    for bit in (3, 17, 40):
        hashes ^= rng.integers(0, 2, num, dtype=np.uint64) << np.uint64(bit)
    others = scenes[cameras:]
    far = rng.integers(0, 2**63, len(others), dtype=np.uint64)
    return (
        [str(k) for k in range(num + len(others))],
        np.concatenate([hashes, far]),
        np.concatenate([frames, others]),
        camera,
    )


def test_a_crowd_is_grouped_as_without_the_cap_and_its_list_is_cut():
    sha256, hashes, thumbs, _ = _noisy_frames(400, cameras=3)
    whole = find_duplicates(sha256, hashes, thumbs, near_pairs)
    cut = find_duplicates(sha256, hashes, thumbs, near_pairs, max_listed=100)
    assert not whole.is_cut
    assert len(whole.pairs) > 20_000
    assert cut.is_cut
    assert cut.groups.tolist() == whole.groups.tolist()


def test_thousands_of_alike_frames_cost_little_memory_and_stay_apart_by_camera():
    sha256, hashes, thumbs, camera = _noisy_frames(2000, cameras=40)
    tracemalloc.start()
    report = find_duplicates(sha256, hashes, thumbs, near_pairs, max_listed=5000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 150e6
    assert report.is_cut
    assert len(report.pairs) < 70_000
    assert report.groups[:2000].tolist() == camera.tolist()
    assert len(set(report.groups)) == 40 + 38


def test_equal_hashes_are_compared_on_pixels_not_only_with_the_first():
    photos = draw_photos(60)
    thumbs = np.concatenate([photos, save_again(photos[5:])])
    num = len(thumbs)
    report = find_duplicates(
        [str(k) for k in range(num)], np.zeros(num, dtype=np.uint64), thumbs, near_pairs
    )
    assert _found(report.pairs) == [(row, row + 55) for row in range(5, 60)]


def test_no_duplicates_make_an_empty_report():
    photos = draw_photos(5)
    report = find_duplicates(list("abcde"), np.arange(5, dtype=np.uint64) << 8, photos, _all_near)
    assert report.pairs.empty
    assert report.groups.tolist() == [0, 1, 2, 3, 4]
    assert report.twins.empty
    assert report.label_conflicts.empty


def _report(name, label):
    table, paths = read_pack(name)
    hashes = []
    for path in paths:
        with Image.open(path) as image:
            hashes.append(phash(np.asarray(image.convert("RGB"))))
    return table, find_duplicates(
        [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths],
        np.array(hashes, dtype=np.uint64),
        np.stack([read_thumb(path) for path in paths]),
        near_pairs,
        splits=table["split"],
        labels=table[label],
    )


@pytest.mark.real
def test_copies_inside_animals_tail_are_found_and_none_across_its_split():
    table, report = _report("animals-tail", "target")
    kinds = report.pairs["kind"].value_counts()
    assert kinds["exact"] == len(table) - 686  # 686 different contents.
    assert 3 <= kinds["near"] <= 6
    assert report.twins.empty
    assert report.label_conflicts.empty


@pytest.mark.real
def test_retinas_that_look_alike_give_no_false_alarm():
    _, report = _report("retina28", "grade")
    assert report.num_candidates > 1000
    assert set(report.pairs["kind"]) == {"near"}
    assert len(report.pairs) < 35
    assert report.pairs["mean_abs_difference"].max() < 2.5
    assert report.label_conflicts.empty


@pytest.mark.real
def test_frames_called_duplicates_belong_to_one_track():
    _, report = _report("sign-tracks", "track")
    assert len(report.pairs) > 50
    assert report.twins.empty
    assert report.label_conflicts.empty
