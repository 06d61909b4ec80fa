"""Training batches of masks: the same for any batch and threads, and right in what they hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from foldwise import parts, seeding
from foldwise.data.batches import Batch, Source, epoch_order
from foldwise.data.mask_augment import MaskAugments, bound_augments
from foldwise.data.mask_batches import Truth, train_mask_batches
from foldwise.errors import DataError
from foldwise.masks import IGNORED
from foldwise.masks.runs import encode

SIZE = (16, 24)
SPECS: list[parts.Spec] = [
    {"name": "mask_crop", "scale": [0.8, 1.25]},
    "hflip",
    {"name": "rotate", "degrees": 5},
    "jitter",
]


def masks(num: int = 9) -> np.ndarray:
    """(num, 2, 40, 50) bool; every third sample is clean."""
    rng = np.random.default_rng(0)
    found = rng.random((num, 2, 10, 10)).repeat(4, 2).repeat(5, 3) < 0.2
    found[::3] = False
    return found


def source(num: int = 9) -> Source:
    """Images that show their masks: the first in red, the second in green."""
    shown = [np.stack([*each, each[0] & False], axis=2) for each in masks(num)]
    pixels = {str(row): 200 * image.astype(np.uint8) for row, image in enumerate(shown)}
    counters = np.array([seeding.key("sample", name) for name in pixels])
    return Source(pixels.__getitem__, np.array(list(pixels), dtype=object), counters, 16)


def truth(num: int = 9, *, is_exclusive: bool = False) -> Truth:
    return Truth(encode(masks(num).reshape(-1, 40, 50)), 2, is_exclusive)


def batches(
    order: np.ndarray,
    *,
    batch: int = 4,
    workers: int = 0,
    key: int = 3,
    first: int = 0,
    augments: MaskAugments | None = None,
) -> list[Batch]:
    return list(
        train_mask_batches(
            source(),
            truth(),
            order,
            batch=batch,
            augments=augments or bound_augments(SPECS, SIZE),
            key=key,
            workers=workers,
            first=first,
        )
    )


def rows(found: list[Batch]) -> list[tuple[int, torch.Tensor, torch.Tensor]]:
    return [
        (int(row), image, target)
        for item in found
        if item.target is not None
        for row, image, target in zip(item.rows, item.images, item.target, strict=True)
    ]


@pytest.mark.parametrize("workers", [0, 1, 3])
@pytest.mark.parametrize("batch", [1, 4, 30])
def test_a_sample_does_not_depend_on_batch_or_workers(batch: int, workers: int) -> None:
    order = epoch_order(9, 5)
    found = rows(batches(order, batch=batch, workers=workers))
    for one, other in zip(found, rows(batches(order)), strict=True):
        assert one[0] == other[0]
        assert torch.equal(one[1], other[1])
        assert torch.equal(one[2], other[2])


def test_left_out_batches_change_nothing_in_the_others() -> None:
    order = epoch_order(9, 5)
    for one, other in zip(batches(order, first=1), batches(order)[1:], strict=True):
        assert torch.equal(one.images, other.images)


def test_a_row_that_is_drawn_again_and_another_epoch_are_cut_anew() -> None:
    (_, first, _), (_, again, _) = rows(batches(np.array([1, 1])))
    ((_, later, _),) = rows(batches(np.array([1]), key=4))
    assert not torch.equal(first, again)
    assert not torch.equal(first, later)
    assert torch.equal(rows(batches(np.array([1])))[0][1], first)


def test_images_and_masks_agree_and_lie_as_told() -> None:
    augments = bound_augments(SPECS[:3], SIZE)
    found = batches(epoch_order(9, 5), augments=augments)
    for row, image, target in rows(found):
        assert image.shape == (3, *SIZE)
        assert target.shape == (2, *SIZE)
        assert target.dtype == torch.uint8
        counted = target != IGNORED
        assert ((image[:2] > 100) == (target == 1))[counted].float().mean() > 0.93
        assert bool((target == 1).any()) <= bool(row % 3)
    assert found[0].images.is_contiguous(memory_format=torch.channels_last)
    assert sum(bool((target == 1).any()) for _, _, target in rows(found)) > 3


def test_exclusive_classes_are_one_number_for_a_pixel() -> None:
    classes = np.random.default_rng(1).integers(0, 2, (9, 40, 50))
    runs = encode([image == number for image in classes for number in range(2)])
    (item,) = train_mask_batches(
        source(),
        Truth(runs, 2, is_exclusive=True),
        np.arange(9),
        batch=9,
        augments=bound_augments([], (40, 50)),
        key=1,
        workers=0,
    )
    assert item.target is not None
    assert np.array_equal(item.target.numpy(), classes)


def test_which_classes_are_there_is_told_by_sample() -> None:
    present = masks().any(axis=(2, 3))
    assert np.array_equal(truth().present(), present)
    for rows in (np.array([7, 2, 2]), present[:, 0]):
        assert np.array_equal(truth().take(rows).present(), present[rows])
        assert np.array_equal(
            truth().take(rows).of(1).areas, truth().of(np.arange(9)[rows][1]).areas
        )


def test_images_of_one_sample_are_moved_alike() -> None:
    two = source()
    two = Source(two.get, np.stack([two.hashes, two.hashes], axis=1), two.counters, 16)
    (item,) = train_mask_batches(
        two,
        truth(),
        np.arange(9),
        batch=9,
        augments=bound_augments(SPECS, SIZE),
        key=1,
        workers=0,
    )
    assert item.images.shape == (9, 6, *SIZE)
    assert torch.equal(item.images[:, :3], item.images[:, 3:])


def test_images_of_one_sample_must_be_of_one_size() -> None:
    pixels = {"a": np.zeros((40, 50, 3), np.uint8), "b": np.zeros((30, 50, 3), np.uint8)}
    two = Source(pixels.__getitem__, np.array([["a", "b"]], dtype=object), np.array([1]), 16)
    found = train_mask_batches(
        two,
        truth(1),
        np.arange(1),
        batch=1,
        augments=bound_augments(SPECS, SIZE),
        key=1,
        workers=0,
    )
    with pytest.raises(DataError, match=r"differ in size.*30 x 50, 40 x 50"):
        next(found)


@pytest.mark.parametrize("is_exclusive", [False, True])
def test_pixels_that_do_not_count_reach_the_target_wherever_they_are_moved(
    is_exclusive: bool,
) -> None:
    hidden = np.zeros((9, 40, 50), bool)
    hidden[:, :, :20] = True
    every = truth(is_exclusive=is_exclusive)
    told = replace(every, ignored=encode(hidden))
    for rows in (np.arange(9), np.array([7, 2])):
        items = [
            next(
                train_mask_batches(
                    source().take(rows),
                    each.take(rows),
                    np.arange(len(rows)),
                    batch=9,
                    augments=bound_augments([{"name": "hflip", "p": 1.0}], (40, 50)),
                    key=1,
                    workers=0,
                )
            )
            for each in (told, every)
        ]
        found, plain = (item.target for item in items)
        assert found is not None
        assert plain is not None
        assert (found[..., 30:] == IGNORED).all()
        assert torch.equal(found[..., :30], plain[..., :30])
