"""Batches of samples with several images: their order, their draws, and each image once."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
import torch

from foldwise import parts, seeding
from foldwise.data.augment import AUGMENTS, Augment
from foldwise.data.batches import Source, epoch_order, eval_batches, train_batches

_KINDS = ("shared", "independent")


def single(num: int = 12) -> Source:
    rng = np.random.default_rng(0)
    pixels = {str(i): rng.integers(0, 256, (24, 24, 3), dtype=np.uint8) for i in range(num)}
    counters = np.array([seeding.key("sample", str(i)) for i in range(num)])
    return Source(pixels.__getitem__, np.array(list(pixels), dtype=object), counters, 16)


def several(draws: Literal["shared", "independent"] = "shared") -> Source:
    """Image i beside image i + 1."""
    source = single()
    hashes = np.stack([source.hashes, np.roll(source.hashes, -1)], axis=1)
    return replace(source, hashes=hashes, draws=draws)


def bound(*names: str) -> list[Augment]:
    return [parts.bind(AUGMENTS, name, what="augmentation") for name in names]


def trained(source: Source, augments: list[Augment], workers: int = 0) -> torch.Tensor:
    """(N, V * C, S, S) of all rows in order."""
    found = list(
        train_batches(
            source, np.arange(len(source)), batch=5, augments=augments, key=3, workers=workers
        )
    )
    return torch.cat([item.images for item in found])


def test_channels_are_those_of_the_images_in_their_order() -> None:
    alone = next(eval_batches(single(), batch=12, workers=0)).images
    found = next(eval_batches(several(), batch=12, workers=0)).images
    assert found.shape == (12, 6, 16, 16)
    assert torch.equal(found[:, :3], alone)
    assert torch.equal(found[:, 3:], alone.roll(-1, 0))


def test_a_sample_of_one_image_is_fed_as_ever() -> None:
    source = single()
    twofold = replace(source, hashes=source.hashes[:, None])
    for augments in ([], bound("crop", "hflip", "jitter")):
        assert torch.equal(trained(source, augments), trained(twofold, augments))


@pytest.mark.parametrize("name", AUGMENTS)
def test_shared_draws_change_equal_images_alike(name: str) -> None:
    source = single()
    twice = replace(source, hashes=np.stack([source.hashes, source.hashes], axis=1))
    found = trained(twice, bound(name))
    assert torch.equal(found[:, :3], found[:, 3:])
    assert torch.equal(found[:, :3], trained(source, bound(name)))


def test_independent_draws_change_equal_images_each_in_its_way() -> None:
    source = single()
    hashes = np.stack([source.hashes, source.hashes], axis=1)
    found = trained(replace(source, hashes=hashes, draws="independent"), bound("crop", "hflip"))
    assert torch.equal(found[:, :3], trained(source, bound("crop", "hflip")))
    differs = (found[:, :3] != found[:, 3:]).flatten(1).any(dim=1)
    assert differs.all()


@pytest.mark.parametrize("draws", _KINDS)
@pytest.mark.parametrize("workers", [0, 1, 2, 4])
def test_what_a_sample_is_fed_depends_on_it_alone(
    draws: Literal["shared", "independent"], workers: int
) -> None:
    source, augments = several(draws), bound("crop", "rotate", "jitter")
    wanted = trained(source, augments)
    for batch in (1, 12):
        order = epoch_order(len(source), 9)
        for item in train_batches(
            source, order, batch=batch, augments=augments, key=3, workers=workers
        ):
            for row, image in zip(item.rows, item.images, strict=True):
                assert _hash(image) == _hash(wanted[int(row)])


def test_images_apart_stand_once_each_and_first_ones_come_first() -> None:
    images, places = several().apart()
    assert images.hashes.tolist() == [str(i) for i in range(12)]
    assert places.tolist() == [[i, (i + 1) % 12] for i in range(12)]
    assert images.columns is None
    neighbours = np.stack([np.roll(single().hashes, -1), single().hashes], axis=1)
    neighbours[-1, 0] = neighbours[-1, 1]  # The end repeats.
    framed = replace(single(), hashes=neighbours)
    images, places = framed.apart()
    assert images.hashes.tolist() == [str(i) for i in range(12)]
    assert images.hashes[places].tolist() == neighbours.tolist()
    shown = several().take(np.array([3, 0]))
    images, places = shown.apart()
    assert images.hashes.tolist() == ["3", "0", "4", "1"]
    assert images.hashes[places].tolist() == shown.hashes.tolist()


def _hash(image: torch.Tensor) -> str:
    return hashlib.sha256(image.contiguous().numpy().tobytes()).hexdigest()
