from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import fft

from foldwise.data.decode import decode
from foldwise.data.hashes import near_pairs, phash

from .pictures import coded, photo


def brute_force(hashes: np.ndarray, max_distance: int) -> np.ndarray:
    pairs = [
        (i, j)
        for i in range(len(hashes))
        for j in range(i + 1, len(hashes))
        if int(hashes[i] ^ hashes[j]).bit_count() <= max_distance
    ]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def found_by(hashes: np.ndarray, max_distance: int, **options: int) -> np.ndarray:
    """All blocks as one sorted array."""
    blocks = [np.empty((0, 2), np.int64), *near_pairs(hashes, max_distance, **options)]
    pairs = np.concatenate(blocks)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def groups_of(num: int, pairs: np.ndarray) -> list[int]:
    parent = list(range(num))

    def root(row: int) -> int:
        while parent[row] != row:
            row = parent[row]
        return row

    for i, j in pairs:
        a, b = sorted((root(i), root(j)))
        parent[b] = a
    return [root(row) for row in range(num)]


def test_phash_is_the_dct_of_scipy_against_its_median() -> None:
    for seed in range(20):
        pixels = photo(32, 32, 1, seed=seed)
        low = fft.dctn(pixels.astype(float), norm="ortho")[:8, :8]
        bits = "".join("1" if bit else "0" for bit in (low > np.median(low)).ravel())
        assert phash(pixels[:, :, None]) == int(bits, 2)


def test_phash_survives_recompression_and_resizing() -> None:
    distances, strangers = [], []
    for seed in range(30):
        pixels = photo(180, 240, seed=seed)
        original = phash(pixels)
        again = decode(coded(pixels, "JPEG", quality=70), channels=3).pixels
        smaller = np.asarray(Image.fromarray(pixels).resize((120, 90), Image.BICUBIC))
        distances += [(original ^ phash(other)).bit_count() for other in (again, smaller)]
        strangers.append((original ^ phash(photo(180, 240, seed=seed + 100))).bit_count())
    assert max(distances) <= 4
    assert min(strangers) >= 12


def test_flat_images_share_one_hash() -> None:
    found = {
        phash(np.full(shape, value, np.uint8))
        for value in (1, 77, 128, 255)
        for shape in ((28, 28, 1), (100, 64, 3), (300, 301, 3))
    }
    assert len(found) == 1


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    num=st.integers(0, 60),
    max_distance=st.integers(0, 20),
    bits=st.sampled_from([4, 12, 64]),
)
def test_near_pairs_are_those_of_brute_force(
    seed: int, num: int, max_distance: int, bits: int
) -> None:
    rng = np.random.default_rng(seed)
    # Few distinct bits make many equal and near hashes and fill single buckets.
    mask = np.uint64((1 << bits) - 1)
    hashes = rng.integers(0, 2**64, num, dtype=np.uint64) & mask
    found = found_by(hashes, max_distance)
    assert found.tolist() == brute_force(hashes, max_distance).tolist()


@pytest.mark.parametrize("max_distance", [0, 3, 8, 14])
def test_near_pairs_finds_planted_neighbours_in_large_buckets(max_distance: int) -> None:
    rng = np.random.default_rng(5)
    hashes = rng.integers(0, 2**64, 1500, dtype=np.uint64)
    hashes[:700] &= np.uint64(0xFFFF_0000_0000_0000)  # One bucket of 700 in most slices.
    hashes[1300:] = hashes[1100:1300]
    for row in range(1300, 1500):
        for bit in rng.choice(64, rng.integers(0, 10), replace=False):
            hashes[row] ^= np.uint64(1 << int(bit))
    distance = np.bitwise_count(hashes[:, None] ^ hashes[None, :])
    expected = np.argwhere(np.triu(distance <= max_distance, 1))
    found = found_by(hashes, max_distance)
    assert len(expected) > 0
    assert (found == expected).all()


def test_all_pairs_of_many_equal_hashes_come_in_blocks() -> None:
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**64, 3000, dtype=np.uint64)
    hashes[100:2500] = hashes[0]
    hashes[2600:2700] = hashes[0] ^ np.uint64(5)
    found = found_by(hashes, 4)
    distance = np.bitwise_count(hashes[:, None] ^ hashes[None, :])
    assert (found == np.argwhere(np.triu(distance <= 4, 1))).all()
    assert max(len(block) for block in near_pairs(hashes, 4)) <= 1 << 20


def test_beyond_a_limit_rows_of_one_hash_are_paired_with_the_first_only() -> None:
    hashes = np.full(50_000, 1 << 63, np.uint64)
    hashes[40_000] ^= np.uint64(1)
    num_pairs = 0
    for block in near_pairs(hashes, 8):
        assert len(block) <= 1 << 20
        assert (block[:, 0] < 1024).all() or (block == 40_000).any(axis=1).all()
        num_pairs += len(block)
    assert num_pairs == 1024 * 1023 // 2 + 1024 * (49_999 - 1024) + 1024


def test_a_limit_on_equal_hashes_keeps_the_groups_of_hashes() -> None:
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**64, 400, dtype=np.uint64)
    hashes[100:300] = hashes[0]
    hashes[350] = hashes[0] ^ np.uint64(5)
    found = found_by(hashes, 4, max_equal=20)
    assert groups_of(400, found) == groups_of(400, brute_force(hashes, 4))
