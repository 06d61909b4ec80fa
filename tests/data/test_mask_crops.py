"""Crops of images with masks: what they show, how often, and that image and masks agree."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from foldwise import parts, seeding
from foldwise.data.augment import AUGMENTS
from foldwise.data.draws import NUM_DRAWS
from foldwise.data.mask_augment import CHANGES, bound_augments
from foldwise.data.mask_crops import MOVES, Scene, drawn_pixel, mask_crop
from foldwise.data.mask_windows import mask_pixels
from foldwise.data.placement import Placement
from foldwise.errors import ConfigError
from foldwise.masks import IGNORED
from foldwise.masks.runs import Runs, encode

SIZE = (24, 40)


def draws(num: int, each: int = NUM_DRAWS) -> list[list[float]]:
    return seeding.uniforms(seeding.key("test"), np.arange(num), each).tolist()


def scratches() -> np.ndarray:
    """(3, 90, 160) bool: a large one, one of two pixels, and nothing."""
    masks = np.zeros((3, 90, 160), bool)
    masks[0, 10:80, 20:40] = True
    masks[1, 60, 130:132] = True
    return masks


def test_every_set_pixel_is_drawn_as_often_as_the_next() -> None:
    masks = np.random.default_rng(0).random((1, 7, 9)) < 0.4
    area = int(masks.sum())
    runs = encode(masks)
    found = [drawn_pixel(runs, 0.7, (number + 0.5) / area) for number in range(area)]
    places = sorted((int(y * 7), int(x * 9)) for y, x in found)  # type: ignore[misc]  # Not empty.
    assert places == sorted(map(tuple, np.argwhere(masks[0]).tolist()))


def test_every_mask_is_drawn_as_often_as_the_next_but_empty_ones() -> None:
    runs = encode(scratches())
    found = [drawn_pixel(runs, draw, 0.5) for draw in (0.0, 0.49, 0.5, 0.999)]
    assert [point is not None and point[1] > 0.5 for point in found] == [False, False, True, True]
    assert drawn_pixel(runs.take(np.array([2])), 0.3, 0.3) is None


@pytest.mark.parametrize("scale", [(1.0, 1.0), (0.5, 2.0)])
def test_a_crop_near_something_shows_some_of_it(scale: tuple[float, float]) -> None:
    truth = encode(scratches())
    seen = np.zeros(3)
    for drawn in draws(300):
        placement = mask_crop(
            Placement.whole(90, 160), drawn, Scene((90, 160), truth, SIZE), near=1.0, scale=scale
        )
        assert (placement.height, placement.width) == SIZE
        shown = mask_pixels(truth, placement, (90, 160))
        assert (shown != IGNORED).all()
        # Where it is made half as large, two pixels may fall between.
        assert (shown == 1).any() or scale[0] < 1
        seen += (shown == 1).any(axis=(1, 2))
    assert seen[1] > 120
    assert seen[0] > 140


def test_a_crop_of_a_turned_image_shows_what_was_drawn_too() -> None:
    masks = np.zeros((1, 90, 160), bool)
    masks[0, 7:9, 150:152] = True
    augments = bound_augments(["rot90", "hflip", {"name": "mask_crop", "near": 1.0}], SIZE)
    for drawn in draws(40, augments.num_draws):
        _, shown = augments.apply(np.zeros((90, 160, 3), np.uint8), encode(masks), drawn)
        assert shown.shape == (1, *SIZE)
        assert (shown == 1).any()


def test_what_is_drawn_lies_anywhere_in_the_crop() -> None:
    truth = encode([np.pad(np.ones((1, 1), bool), [(50, 49), (60, 59)])])
    found = np.zeros((2, 4))
    for drawn in draws(400):
        placement = mask_crop(
            Placement.whole(100, 120), drawn, Scene((100, 120), truth, (8, 8)), near=1.0
        )
        (y,), (x,) = np.nonzero(mask_pixels(truth, placement, (100, 120))[0])
        found[0, y // 2] += 1
        found[1, x // 2] += 1
    assert found.min() > 70


def test_any_window_is_as_likely_as_the_next_where_there_is_nothing() -> None:
    nothing = encode([np.zeros((12, 13), bool)])
    found = np.zeros((3, 4))
    for drawn in draws(1200):
        placement = mask_crop(
            Placement.whole(12, 13), drawn, Scene((12, 13), nothing, (10, 10)), near=0.9
        )
        aligned = placement.aligned
        assert aligned is not None
        found[aligned.window.top, aligned.window.left] += 1
    assert found.min() > 60
    assert found.max() < 140


def test_a_smaller_image_lies_in_the_crop_and_the_rest_does_not_count() -> None:
    masks = np.ones((1, 6, 90), bool)
    augments = bound_augments(["mask_crop"], SIZE)
    pixels = np.full((6, 90, 3), 77, np.uint8)
    for drawn in draws(20):
        image, shown = augments.apply(pixels, encode(masks), drawn)
        assert image.shape == (3, *SIZE)
        assert (image == 77).all()
        assert (shown == 1).sum() == 6 * 40
        assert (shown == IGNORED).sum() == 18 * 40


def test_the_scale_is_as_often_above_as_below_1() -> None:
    nothing = encode([np.zeros((300, 300), bool)])
    heights = []
    for drawn in draws(300):
        placement = mask_crop(
            Placement.whole(300, 300), drawn, Scene((300, 300), nothing, (50, 50)), scale=(0.5, 2.0)
        )
        aligned = placement.aligned
        assert aligned is not None
        heights.append(aligned.window.height)
    assert min(heights) >= 25
    assert max(heights) <= 100
    assert 120 < sum(height < 50 for height in heights) < 180


@pytest.mark.parametrize("name", MOVES)
def test_image_and_masks_are_moved_alike(name: str) -> None:
    """The image shows its masks, one in a channel: after any move it still does."""
    masks = scratches()[:, :, :90]
    masks[1, 40:70, 50:85] = True
    pixels = np.ascontiguousarray(255 * masks.transpose(1, 2, 0).astype(np.uint8))
    augments = bound_augments([name], SIZE if name == "mask_crop" else (90, 90))
    moved = 0
    for drawn in draws(12):
        image, shown = augments.apply(pixels, encode(masks), drawn)
        assert shown.shape == image.shape
        counted = shown != IGNORED
        agrees = (image.numpy() > 127) == (shown == 1)
        assert agrees[counted].mean() > 0.995
        moved += image.shape[1:] != masks.shape[1:] or not np.array_equal(shown == 1, masks)
    assert moved > 2


@pytest.mark.parametrize("name", CHANGES)
def test_changes_of_pixels_leave_masks_alone(name: str) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(30, 200, (90, 160, 3), dtype=np.uint8)
    augments = bound_augments([name], (90, 160))
    different = 0
    for drawn in draws(12):
        image, shown = augments.apply(pixels, encode(scratches()), drawn)
        assert np.array_equal(shown, scratches())
        different += not torch.equal(image, torch.from_numpy(pixels).permute(2, 0, 1))
    assert different > 0


def test_each_augmentation_takes_the_draws_of_its_place() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (30, 50, 3), dtype=np.uint8)
    drawn = [0.9] * NUM_DRAWS + [0.1] * NUM_DRAWS + [0.3] * NUM_DRAWS
    augments = bound_augments(["hflip", "solarize", "vflip"], (30, 50))
    assert augments.num_draws == len(drawn)
    image, _ = augments.apply(pixels, encode([np.zeros((30, 50), bool)]), drawn)
    flipped = torch.from_numpy(pixels[::-1].copy()).permute(2, 0, 1)
    expected = AUGMENTS["solarize"](flipped, drawn[NUM_DRAWS : 2 * NUM_DRAWS])
    assert torch.equal(image, expected)


def test_without_a_crop_the_whole_image_is_shown() -> None:
    masks = scratches()
    pixels = np.zeros((90, 160, 3), np.uint8)
    image, shown = bound_augments([], (45, 80)).apply(pixels, encode(masks), [])
    assert image.shape == (3, 45, 80)
    assert np.array_equal(shown, masks[:, 1::2, 1::2])


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("hflp", "augmentation 'hflp' is unknown; did you mean 'hflip'"),
        ({"name": "mask_crop", "near": 1.5}, "less than or equal to 1, found 1.5"),
        ({"name": "mask_crop", "nere": 1}, "unknown option 'nere'; did you mean 'near'"),
        ("rot90", "rot90 would turn 24 x 40 px into 40 x 24"),
        ("rand_augment", "rand_augment does not go with masks, which cannot follow it"),
        ("cutout", "cutout does not go with masks"),
    ],
)
def test_mistakes_are_named(spec: parts.Spec, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        bound_augments([spec], SIZE)


def test_a_table_of_runs_of_one_image_is_enough() -> None:
    """Masks of many images stand in one table; a crop takes those of one."""
    truth = encode([*scratches(), *np.zeros((3, 20, 30), bool)])
    one: Runs = truth.take(np.arange(3))
    placement = mask_crop(
        Placement.whole(90, 160), draws(1)[0], Scene((90, 160), one, SIZE), near=1.0
    )
    assert (mask_pixels(one, placement, (90, 160)) == 1).any()
