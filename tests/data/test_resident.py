"""Batches made on the device are, bit for bit, those made image by image."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from foldwise import parts, seeding
from foldwise.data.augment import AUGMENTS, Augment
from foldwise.data.batch_resize import is_exact
from foldwise.data.batch_views import MOVES
from foldwise.data.batches import Batch, Source, epoch_order, train_batches
from foldwise.data.resident import Resident, hold

CPU = torch.device("cpu")
CHAINS: list[list[Any]] = [
    [],
    ["crop", "hflip"],
    ["shift", "hflip", "cutout"],
    ["rot90", "crop", "rot90", "vflip"],
    [{"name": "crop", "scale": [0.05, 0.4], "ratio": [0.3, 3.0]}, "cutout", "vflip", "shift"],
    ["hflip", "jitter", "crop", "cutout"],
    ["crop", "jitter", "rot90", "blur"],
    ["rotate", "shift", "rand_augment"],
]


def make_source(side: int = 20, size: int = 16, channels: int = 3, num: int = 23) -> Source:
    rng = np.random.default_rng(0)
    pixels = {
        str(i): rng.integers(0, 256, (side, side, channels), dtype=np.uint8) for i in range(num)
    }
    counters = np.array([seeding.key("sample", str(i)) for i in range(num)])
    return Source(pixels.__getitem__, np.array(list(pixels), dtype=object), counters, size)


def bound(chain: list[Any]) -> list[Augment]:
    return [parts.bind(AUGMENTS, spec, what="augmentation") for spec in chain]


def held(source: Source, augments: list[Augment], device: torch.device = CPU) -> Resident:
    found = hold(source.get, source.hashes, augments, sizes=[source.size], device=device)
    assert found is not None
    return found


def made(
    source: Source, augments: list[Augment], resident: Resident | None, **how: int
) -> list[Batch]:
    order = epoch_order(len(source), 7)
    options: dict[str, int] = {"batch": 8, "key": 3, "workers": 0, **how}
    return list(train_batches(source, order, augments=augments, resident=resident, **options))


def assert_same(source: Source, augments: list[Augment]) -> None:
    wanted = made(source, augments, None)
    found = made(source, augments, held(source, augments))
    for one, other in zip(wanted, found, strict=True):
        assert one.rows.tolist() == other.rows.tolist()
        assert torch.equal(one.images, other.images)
        assert one.images.stride() == other.images.stride()


@pytest.mark.parametrize("chain", CHAINS, ids=str)
@pytest.mark.parametrize(("side", "size"), [(20, 16), (16, 16), (14, 24)])
def test_chains_give_the_bits_of_single_images(chain, side, size):
    assert_same(make_source(side, size), bound(chain))


@pytest.mark.parametrize("name", AUGMENTS)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_every_augmentation_gives_the_bits_of_single_images(name, channels):
    assert_same(make_source(channels=channels), bound([name, "hflip"]))
    assert_same(make_source(channels=channels), bound(["crop", name]))


@pytest.mark.parametrize("name", MOVES)
def test_many_draws_of_what_moves_pixels_agree(name):
    assert_same(make_source(13, 13, num=400), bound([name]))
    assert_same(make_source(13, 9, num=400), bound(["crop", name]))


def test_workers_and_batches_change_no_bits():
    source, augments = make_source(), bound(["crop", "hflip", "cutout"])
    resident = held(source, augments)
    whole = torch.cat([item.images for item in made(source, augments, resident)])
    for how in ({"workers": 3}, {"batch": 5}, {"batch": 64}):
        assert torch.equal(
            torch.cat([item.images for item in made(source, augments, resident, **how)]), whole
        )


@pytest.mark.parametrize(("side", "size"), [(32, 32), (37, 32), (64, 56), (28, 64), (64, 12)])
def test_a_resize_in_batch_is_that_of_single_images(side, size):
    assert is_exact(side, size, 3, CPU)


def test_what_cannot_be_held_is_left_to_single_images():
    source = make_source()
    augments = bound(["hflip"])

    def is_held(of: Source, device: torch.device = CPU, chain: list[Augment] = augments) -> bool:
        found = hold(of.get, of.hashes, chain, sizes=[of.size], device=device)
        return found is not None

    assert is_held(source)
    assert not is_held(make_source(side=65))
    wide = {**{sha: source.get(sha) for sha in source.hashes}, "0": np.zeros((20, 22, 3), np.uint8)}
    assert not is_held(Source(wide.__getitem__, source.hashes, source.counters, 16))
    one = {**wide, "0": source.get("0"), "9": np.zeros((18, 18, 3), np.uint8)}
    assert not is_held(Source(one.__getitem__, source.hashes, source.counters, 16))
    assert not is_held(make_source(channels=5))
    assert not is_held(source, torch.device("meta"), bound(["jpeg"]))
