"""Maps: levels, files, and what is taken, joined and averaged of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from foldwise.errors import DataError
from foldwise.maps.files import read_maps, write_maps
from foldwise.maps.levels import ERROR, least_level, to_levels, to_probs
from foldwise.maps.maps import Maps, constant_maps, joined, levels_apart, mean

SIZES = [(3, 5), (1, 1), (7, 2), (4, 4)]
NAMES = ["a", "b", "c", "d"]


def some_maps(seed: int = 0, num_classes: int = 2) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, (num_classes, *size), dtype=np.uint8) for size in SIZES]


def stored(path: Path, maps: list[np.ndarray]) -> Maps:
    write_maps(path, len(maps[0]), zip(NAMES, maps, strict=True))
    return read_maps(path)[1]


def test_a_level_is_the_nearest_one() -> None:
    probs = np.random.default_rng(0).random((50, 40))
    probs[0, :3] = 0.0, 1.0, 0.5
    levels = to_levels(probs)
    assert levels.dtype == np.uint8
    off = np.abs(to_probs(levels) - probs)
    assert off.max() <= ERROR + 1e-6
    assert to_levels(to_probs(np.arange(256, dtype=np.uint8))).tolist() == list(range(256))


@pytest.mark.parametrize("threshold", [0.0, 0.001, 0.1, 0.5, 0.7, 254.5 / 255, 1.0])
def test_a_threshold_is_passed_from_its_least_level_on(threshold: float) -> None:
    passed = [level for level in range(256) if level / 255 >= threshold - 1e-12]
    assert least_level(threshold) == min(passed, default=256)


def test_maps_come_back_as_they_were(tmp_path: Path) -> None:
    maps = some_maps()
    write_maps(tmp_path / "maps.arrow", 2, zip(NAMES, maps, strict=True))
    names, found = read_maps(tmp_path / "maps.arrow")
    assert names.tolist() == NAMES
    assert found.shape == (4, 2)
    assert found.sizes.tolist() == [list(size) for size in SIZES]
    for row, levels in enumerate(maps):
        np.testing.assert_array_equal(found.read(row), levels)
    taken = found[np.array([2, 0])]
    np.testing.assert_array_equal(taken.read(0), maps[2])
    few = found[np.array([False, True, False, True])]
    assert few.sizes.tolist() == [[1, 1], [4, 4]]
    assert [levels.shape for levels in few] == [(2, 1, 1), (2, 4, 4)]


def test_no_maps_are_a_file_too(tmp_path: Path) -> None:
    write_maps(tmp_path / "maps.arrow", 3, [])
    names, found = read_maps(tmp_path / "maps.arrow")
    assert len(names) == len(found) == 0
    assert found.shape == (0, 3)


def test_joined_maps_stand_one_after_the_other(tmp_path: Path) -> None:
    parts = [stored(tmp_path / f"{seed}.arrow", some_maps(seed)) for seed in (0, 1)]
    every = joined([parts[0][np.array([3])], parts[1], parts[0][np.array([], dtype=int)]])
    wanted = [some_maps(0)[3], *some_maps(1)]
    assert len(every) == 5
    for levels, own in zip(every, wanted, strict=True):
        np.testing.assert_array_equal(levels, own)
    np.testing.assert_array_equal(every[np.array([4])].read(0), wanted[4])


@pytest.mark.parametrize("weights", [None, [1.0, 2.0, 0.5]])
def test_a_mean_is_rounded_to_the_nearest_level(
    tmp_path: Path, weights: list[float] | None
) -> None:
    maps = [some_maps(seed) for seed in range(3)]
    parts = [stored(tmp_path / f"{seed}.arrow", each) for seed, each in enumerate(maps)]
    found = mean(parts, weights)
    for row in range(4):
        exact = np.average([each[row] for each in maps], axis=0, weights=weights)
        assert np.abs(found.read(row) - exact).max() <= 0.5 + 1e-4


def test_maps_of_other_sizes_have_no_mean(tmp_path: Path) -> None:
    one = stored(tmp_path / "1.arrow", some_maps())
    with pytest.raises(ValueError, match="different sizes"):
        mean([one, one[np.array([1, 0, 2, 3])]])


def test_a_damaged_map_is_named(tmp_path: Path) -> None:
    path = tmp_path / "maps.arrow"
    stored(path, some_maps())
    spoiled = bytearray(path.read_bytes())
    place = spoiled.find(b"\x28\xb5\x2f\xfd")  # A zstd frame begins so.
    spoiled[place + 9] ^= 1
    path.write_bytes(bytes(spoiled))
    names, again = read_maps(path)
    with pytest.raises(DataError, match=f"the map of {names[0]} is damaged"):
        again.read(0)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DataError, match="damaged"):
        read_maps(path)
    with pytest.raises(DataError, match="no such file"):
        read_maps(tmp_path / "absent.arrow")


def test_memory_does_not_grow_with_the_number_of_maps(tmp_path: Path) -> None:
    """A process that may have 400 MiB beside what it starts with writes and averages 1.2 GB."""
    code = f"""
import resource, numpy as np
from pathlib import Path
from foldwise.maps.files import read_maps, write_maps
from foldwise.maps.maps import mean
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_DATA, (used + (400 << 20),) * 2)
one = np.zeros((4, 512, 512), np.uint8)
one[:, 100:200, 50:90] = np.arange(40)
path = Path({str(tmp_path)!r}) / "maps.arrow"
write_maps(path, 4, ((str(n), one) for n in range(1200)))
found = read_maps(path)[1]
write_maps(path.with_name("mean.arrow"), 4, zip(map(str, range(1200)), mean([found, found])))
assert (read_maps(path.with_name("mean.arrow"))[1].read(1199) == one).all()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


def test_constant_maps_say_the_same_of_every_pixel() -> None:
    sizes = np.array(SIZES)
    found = constant_maps(sizes, np.array([0, 200], np.uint8))
    for levels, size in zip(found, SIZES, strict=True):
        np.testing.assert_array_equal(levels, np.stack([np.zeros(size), np.full(size, 200)]))
    each = constant_maps(sizes, np.arange(8, dtype=np.uint8).reshape(4, 2))
    assert [levels.max(axis=(1, 2)).tolist() for levels in each] == [[0, 1], [2, 3], [4, 5], [6, 7]]


def test_levels_apart_is_the_largest_difference() -> None:
    maps = some_maps()
    others = [levels.copy() for levels in maps]
    others[2][1, 3, 0] = 255 if maps[2][1, 3, 0] < 128 else 0
    wanted = max(np.abs(a.astype(int) - b).max() for a, b in zip(maps, others, strict=True))
    first, second = (
        Maps(np.array(SIZES), 2, np.arange(4), part.__getitem__) for part in (maps, others)
    )
    assert levels_apart(first, second) == wanted > 100
    assert levels_apart(first, first) == 0
    assert levels_apart(first[np.array([], int)], first[np.array([], int)]) == 0
