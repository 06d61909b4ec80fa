from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foldwise.errors import DataError
from foldwise.masks.indexed import decode_indexed, encode_indexed
from foldwise.masks.runs import concatenate, decode, encode

pytestmark = pytest.mark.usefixtures("way")

FRAMES = Path(__file__).parents[3] / "shared" / "data" / "street-frames"


def draw(num: int, values: list[int], seed: int = 0) -> list[np.ndarray]:
    """Images in patches of a few pixels."""
    rng = np.random.default_rng(seed)
    images = []
    for _ in range(num):
        height, width = rng.integers(1, 12, 2)
        patches = rng.choice(values, (height, width)).astype(np.uint8)
        images.append(patches.repeat(rng.integers(1, 4), axis=0).repeat(2, axis=1))
    return images


def test_masks_of_classes_are_those_of_the_pixels_and_come_back() -> None:
    values = [3, 0, 40]
    images = draw(300, [*values, 255, 7])
    found = encode_indexed(images, values=values, ignored=(255, 7))
    masks = decode(found.masks)
    for number, image in enumerate(images):
        for index, value in enumerate(values):
            np.testing.assert_array_equal(masks[3 * number + index], image == value)
    for image, ignored in zip(images, decode(found.ignored), strict=True):
        np.testing.assert_array_equal(ignored, (image == 255) | (image == 7))
    expected = encode([image == value for image in images for value in values])
    np.testing.assert_array_equal(found.masks.starts, expected.starts)
    np.testing.assert_array_equal(found.ignored.starts, encode(decode(found.ignored)).starts)
    back = decode_indexed(found.masks, values=values, ignored=found.ignored, other=9)
    for image, again in zip(images, back, strict=True):
        np.testing.assert_array_equal(again, np.where(image == 7, 255, image))


def test_a_class_may_have_the_value_that_is_not_counted_elsewhere() -> None:
    found = encode_indexed([np.array([[0, 255]], np.uint8)], values=[0, 255])
    assert found.masks.areas.tolist() == [1, 1]
    assert found.ignored.areas.tolist() == [0]


def test_pixels_in_no_mask_get_a_value_of_their_own() -> None:
    masks = encode([np.array([[1, 0, 0]]), np.array([[0, 1, 0]])])
    assert decode_indexed(masks, values=[4, 5])[0].tolist() == [[4, 5, 255]]
    assert decode_indexed(masks, values=[4, 5], other=0)[0].tolist() == [[4, 5, 0]]


def test_pixels_of_no_class_are_named() -> None:
    images = [np.zeros((2, 2), np.uint8), np.array([[0, 8], [9, 8]], np.uint8)]
    with pytest.raises(DataError) as error:
        encode_indexed(images, values=[0, 1], name=lambda place: f"{place}.png")
    assert error.value.problems == ("1.png: pixels of no class: 8 (2), 9 (1)",)
    assert error.value.remedy == "pixels of the classes are 0, 1"
    many = np.arange(100, dtype=np.uint8).reshape(10, 10)
    with pytest.raises(DataError, match=r"4 \(1\) and 95 more"):
        encode_indexed([many], values=[200])


def test_what_is_no_index_image_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(2, 2, 3\) and uint8"):
        encode_indexed([np.zeros((2, 2, 3), np.uint8)], values=[0])
    with pytest.raises(ValueError, match="int64, wanted"):
        encode_indexed([np.zeros((2, 2), np.int64)], values=[0])
    with pytest.raises(ValueError, match="twice"):
        encode_indexed([], values=[1, 1])


def test_masks_that_overlap_make_no_index_image() -> None:
    apart = encode([np.array([[1, 0, 0]]), np.array([[0, 1, 0]])])
    across = encode([np.array([[1, 1, 0]]), np.array([[0, 1, 0]])])
    with pytest.raises(ValueError, match="image 1: classes overlap in 1 pixels"):
        decode_indexed(concatenate([apart, across]), values=[0, 1])
    with pytest.raises(ValueError, match="2 masks are not some of each of 3 classes"):
        decode_indexed(apart, values=[0, 1, 2])


def test_no_images_have_no_masks() -> None:
    found = encode_indexed([], values=[0, 1])
    assert len(found.masks) == len(found.ignored) == 0
    assert decode_indexed(found.masks, values=[0, 1]) == []


@pytest.mark.real
@pytest.mark.skipif(not FRAMES.exists(), reason="the pack is absent")
def test_the_frames_masks_come_back() -> None:
    images = [np.asarray(Image.open(path)) for path in sorted(FRAMES.glob("masks/*.png"))[:60]]
    assert len(images) == 60
    found = encode_indexed(images, values=range(11), ignored=(11,))
    assert found.ignored.areas.sum() > 0
    back = decode_indexed(found.masks, values=range(11), ignored=found.ignored)
    for image, again in zip(images, back, strict=True):
        np.testing.assert_array_equal(again, np.where(image == 11, 255, image))
