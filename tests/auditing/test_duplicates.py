import hashlib

import numpy as np
import pytest
from PIL import Image

from foldwise.auditing.duplicates import find_duplicates
from foldwise.data.hashes import near_pairs, phash
from tests.auditing.packs import read_pack, read_thumb
from tests.auditing.photos import draw_photos, save_again


def _all_near(hashes, max_distance):
    bits = np.bitwise_count(hashes[:, None] ^ hashes[None, :])
    return np.argwhere(np.triu(bits <= max_distance, k=1))


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
