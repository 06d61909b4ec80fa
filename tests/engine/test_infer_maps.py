"""Maps of masks: views brought back, resized once, rounded, and never held all at once."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import expit
from torch.nn import functional

from foldwise.data.batches import Source
from foldwise.engine.infer_maps import infer_maps, infer_native, map_batch
from foldwise.engine.viewing import check_shown
from foldwise.errors import ConfigError, RunError
from foldwise.maps.levels import ERROR
from foldwise.views import views_of

SIDE = 16
IMAGES = np.random.default_rng(0).integers(0, 256, (11, SIDE, SIDE, 3)).astype(np.uint8)
SOURCE = Source(lambda name: IMAGES[int(name)], np.arange(11).astype(str), np.arange(11), SIDE)
SIZES = np.array([[SIDE, SIDE], [24, 40], [9, 31], [40, 8]] * 3)[:11]


def pixelwise(images: torch.Tensor) -> torch.Tensor:
    """(B, 2, H, W) logits that depend on nothing beside each pixel."""
    return (images[:, :2].float() - 128.0) / 32.0


def maps(forward: Any = pixelwise, *, views: Any = ("identity",), **options: Any) -> list[Any]:
    return infer_maps(
        forward,
        SOURCE,
        SIZES,
        list[np.ndarray],
        **{
            "activate": torch.sigmoid,
            "views": views_of(list(views)),
            "batch": 4,
            "device": torch.device("cpu"),
            "workers": 0,
            **options,
        },
    )


def test_maps_are_the_activated_logits_resized_once_within_the_stated_error() -> None:
    probs = expit((IMAGES[:, :, :, :2].astype(float) - 128) / 32).transpose(0, 3, 1, 2)
    for row, found in enumerate(maps()):
        height, width = SIZES[row]
        assert found.dtype == np.uint8
        wanted = functional.interpolate(
            torch.from_numpy(probs[row : row + 1]),
            (height, width),
            mode="bilinear",
            antialias=bool(min(height, width) < SIDE),
        )[0].numpy()
        assert np.abs(found / 255 - wanted).max() <= ERROR + 1e-6


def test_enlarged_maps_interpolate_between_pixel_centres() -> None:
    ramp = np.tile(np.array([0, 255], np.uint8).repeat(3).reshape(1, 2, 3), (2, 1, 1))
    two = Source(lambda name: ramp, np.array(["0"]), np.array([0]), 2)
    (found,) = infer_maps(
        lambda images: images[:, :1].float() / 255,
        two,
        np.array([[2, 4]]),
        list[np.ndarray],
        activate=lambda logits: logits,
        views=views_of(["identity"]),
        batch=1,
        device=torch.device("cpu"),
        workers=0,
    )
    # By hand: centres at 1/4 and 3/4 of each pixel of the two.
    assert found.tolist() == [[[0, 64, 191, 255]] * 2]


@pytest.mark.parametrize("view", ["hflip", "vflip", "rot90", "rot180", "rot270", "transpose"])
def test_a_network_that_knows_no_place_gives_the_same_maps_in_every_symmetry(view: str) -> None:
    for one, other in zip(maps(), maps(views=[view]), strict=True):
        assert np.array_equal(one, other)


def test_views_are_averaged_as_probabilities_by_their_weights() -> None:
    def by_place(images: torch.Tensor) -> torch.Tensor:
        """What is found grows to the right, whatever is shown."""
        row = torch.linspace(-4, 4, images.shape[3])
        return row.expand(len(images), 2, images.shape[2], -1)

    found = maps(by_place, views=["identity", "hflip", "vflip"])[0]
    right = expit(np.linspace(-4, 4, SIDE))
    wanted = (2 * right + right[::-1]) / 3
    assert np.abs(found / 255 - wanted).max() <= ERROR + 1e-6


def test_pixels_that_a_view_did_not_show_do_not_count_in_it() -> None:
    ones = partial(torch.full_like, fill_value=4.0)
    found = maps(lambda images: ones(images[:, :2].float()), views=["identity", "centre_crop"])
    assert all(abs(int(level) - 255 * expit(4.0)) <= 0.5 for level in np.unique(found[0]))


def test_exclusive_classes_share_each_pixel() -> None:
    for found in maps(activate=partial(torch.softmax, dim=1)):
        assert np.abs(found.astype(int).sum(axis=0) - 255).max() <= 1


@pytest.mark.parametrize("batch", [1, 3, 64])
def test_a_map_does_not_depend_on_the_batch_it_was_in(batch: int) -> None:
    for one, other in zip(maps(), maps(batch=batch), strict=True):
        assert np.array_equal(one, other)


def test_memory_that_runs_out_begins_anew_in_smaller_batches_and_is_told() -> None:
    calls, told = [], []

    def late(images: torch.Tensor) -> torch.Tensor:
        calls.append(len(images))
        if calls == [4, 4]:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB\nmore")
        return pixelwise(images)

    found = maps(late, halved=lambda batch, problem: told.append((batch, problem)))
    assert len(found) == len(SIZES)
    assert all(np.array_equal(one, other) for one, other in zip(found, maps(), strict=True))
    assert told == [(2, "CUDA out of memory. Tried to allocate 2 GiB")]
    assert calls == [4, 4, *[2] * 6]


def test_where_one_image_is_too_much_the_error_says_what_would_help() -> None:
    def never(images: torch.Tensor) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    with pytest.raises(RunError, match="in scoring with one image at a time"):
        maps(never)


def test_maps_are_handed_on_as_they_come() -> None:
    passed: list[int] = []

    def counted(images: torch.Tensor) -> torch.Tensor:
        passed.append(len(images))
        return pixelwise(images)

    def first_two(found: Iterator[np.ndarray]) -> int:
        next(found), next(found)
        return len(passed)

    num = infer_maps(
        counted,
        SOURCE,
        SIZES,
        first_two,
        activate=torch.sigmoid,
        views=views_of(["identity"]),
        batch=2,
        device=torch.device("cpu"),
        workers=0,
    )
    assert num == 1


def test_progress_counts_samples_up_to_the_last() -> None:
    done: list[int] = []
    maps(views=["identity", "hflip"], progress=done.append)
    assert done == list(range(1, 12))


def test_fewer_images_go_at_once_the_larger_they_are() -> None:
    sizes = [32, 128, 224, 512, 1024, 2048]
    batches = [map_batch(size) for size in sizes]
    assert batches == sorted(batches, reverse=True)
    assert batches[0] == 64
    assert batches[-1] == 1


def test_views_that_leave_pixels_out_are_refused() -> None:
    check_shown(views_of(["identity", "centre_crop"]), 32)
    check_shown(views_of(["five_crop"]), 32)
    with pytest.raises(ConfigError, match="of an image's pixels are in none of the views"):
        check_shown(views_of(["two_crop"]), 32)


OWN = [np.random.default_rng(n).integers(0, 256, (h, w, 3)).astype(np.uint8)
       for n, (h, w) in enumerate([(24, 40), (9, 31), (64, 33)])]  # fmt: skip
NATIVE = Source(lambda name: OWN[int(name)], np.arange(3).astype(str), np.arange(3), SIDE)


def native(forward: Any = pixelwise, *, views: Any = ("identity",), **options: Any) -> list[Any]:
    return infer_native(
        forward,
        NATIVE,
        list[np.ndarray],
        **{
            "activate": torch.sigmoid,
            "views": views_of(list(views)),
            "tile": None,
            "overlap": 0.25,
            "batch": 4,
            "device": torch.device("cpu"),
            "workers": 0,
            **options,
        },
    )


def test_images_of_their_own_size_are_answered_pixel_by_pixel() -> None:
    for image, found in zip(OWN, native(), strict=True):
        probs = expit((image[:, :, :2].astype(float) - 128) / 32).transpose(2, 0, 1)
        assert found.shape == probs.shape
        assert np.abs(found / 255 - probs).max() <= ERROR + 1e-6


@pytest.mark.parametrize("view", ["hflip", "vflip", "rot90", "rot270", "transverse"])
def test_turned_images_that_are_not_square_come_back_as_they_were(view: str) -> None:
    shown: list[tuple[int, ...]] = []

    def seen(images: torch.Tensor) -> torch.Tensor:
        shown.append(tuple(images.shape[2:]))
        return pixelwise(images)

    for one, other in zip(native(), native(seen, views=[view]), strict=True):
        assert np.array_equal(one, other)
    turns = view in ("rot90", "rot270", "transverse")
    assert shown[0] == ((40, 24) if turns else (24, 40))


@pytest.mark.parametrize("views", [["identity"], ["identity", "rot90", "hflip"]])
def test_tiles_of_one_size_add_up_to_the_image(views: list[str]) -> None:
    sizes = set()

    def seen(tiles: torch.Tensor) -> torch.Tensor:
        sizes.add(tuple(tiles.shape[2:]))
        assert len(tiles) <= 4
        return pixelwise(tiles)

    for one, other in zip(native(views=views), native(seen, views=views, tile=16), strict=True):
        assert np.abs(one.astype(int) - other.astype(int)).max() <= 1
    assert (16, 16) in sizes
    assert max(max(size) for size in sizes) == 16


def test_tiles_go_in_smaller_batches_where_memory_runs_out() -> None:
    told = []

    def small(tiles: torch.Tensor) -> torch.Tensor:
        if len(tiles) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return pixelwise(tiles)

    found = native(small, tile=16, halved=lambda batch, problem: told.append(batch))
    assert told == [2]
    assert all(np.array_equal(a, b) for a, b in zip(found, native(tile=16, batch=2), strict=True))
