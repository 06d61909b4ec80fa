from __future__ import annotations

import numpy as np
import pytest

from foldwise.data.boxes import Box
from foldwise.stages.reporting import mask_pictures as drawing
from foldwise.stages.reporting.mask_pictures import FALSE, MISSED, NONE, RIGHT, UNCOUNTED


def test_each_pixel_is_of_one_kind() -> None:
    truth = np.array([[1, 1, 0, 0, 1]], bool)
    answer = np.array([[1, 0, 1, 0, 1]], bool)
    ignored = np.array([[0, 0, 0, 0, 1]], bool)
    found = drawing.error_kinds(truth, answer, ignored)
    assert found.tolist() == [[RIGHT, MISSED, FALSE, NONE, UNCOUNTED]]


@pytest.mark.parametrize(("height", "width"), [(3, 5), (7, 40), (64, 4), (64, 40), (200, 200)])
def test_no_error_is_lost_where_a_picture_shrinks(height: int, width: int) -> None:
    """Of the pixels that become one the worst shows; larger pictures repeat them."""
    rng = np.random.default_rng(0)
    kinds = rng.choice(5, (64, 40), p=[0.9, 0.025, 0.025, 0.025, 0.025]).astype(np.uint8)
    found = drawing.resized_kinds(kinds, height, width)
    assert found.shape == (height, width)
    rows, columns = (np.arange(n + 1) * m // n for n, m in ((height, 64), (width, 40)))
    for y in range(height):
        for x in range(width):
            part = kinds[
                rows[y] : max(rows[y + 1], rows[y] + 1),
                columns[x] : max(columns[x + 1], columns[x] + 1),
            ]
            assert found[y, x] == part.max()


def test_a_single_missed_pixel_of_a_long_image_is_seen() -> None:
    kinds = np.zeros((256, 1600), np.uint8)
    kinds[200, 1234] = MISSED
    size = drawing.fitted(256, 1600, 84, 340)
    shown = drawing.marked(np.zeros((*size, 3), np.uint8), drawing.resized_kinds(kinds, *size))
    assert (shown == drawing.COLOURS[MISSED]).all(axis=2).sum() == 1


def test_edges_are_in_full_colour_and_the_image_shows_inside() -> None:
    kinds = np.zeros((7, 7), np.uint8)
    kinds[1:6, 1:6] = RIGHT
    shown = drawing.marked(np.full((7, 7, 3), 100, np.uint8), kinds)
    assert shown[1, 1].tolist() == drawing.COLOURS[RIGHT].tolist()
    assert shown[3, 3].tolist() == [60, 106, 131]  # 0.6 of 100, 0.4 of the colour.
    assert shown[0, 0].tolist() == [100, 100, 100]


def test_the_part_shown_has_the_largest_thing_in_its_middle() -> None:
    focus = np.zeros((256, 1600), bool)
    focus[100:110, 700:720] = True
    focus[5, 5] = True
    box = drawing.window(focus)
    assert (box.height, box.width) == (48, 50)
    assert box.top + box.height / 2 == pytest.approx(105, abs=1)
    assert box.left + box.width / 2 == pytest.approx(710, abs=1)


@pytest.mark.parametrize(("row", "column"), [(0, 0), (255, 1599), (0, 1599)])
def test_the_part_shown_lies_inside(row: int, column: int) -> None:
    focus = np.zeros((256, 1600), bool)
    focus[row, column] = True
    box = drawing.window(focus)
    assert (box.height, box.width) == (48, 48)
    assert 0 <= box.top <= 256 - 48
    assert 0 <= box.left <= 1600 - 48
    assert focus[box.top : box.top + box.height, box.left : box.left + box.width].any()


def test_a_thin_long_thing_gets_room_and_most_of_an_image_is_all_of_it() -> None:
    focus = np.zeros((256, 1600), bool)
    focus[100, 100:300] = True
    box = drawing.window(focus)
    assert (box.height, box.width) == (250, 500)
    focus[:, 200:1400] = True
    assert drawing.window(focus) == Box(0, 0, 256, 1600)


def test_a_frame_stays_inside_the_picture() -> None:
    plain = np.full((20, 30, 3), 90, np.uint8)
    for box in (Box(0, 0, 20, 30), Box(15, 25, 5, 5), Box(5, 5, 1, 1), Box(0, 10, 20, 3)):
        shown = drawing.framed(plain, box)
        assert shown.shape == plain.shape
        assert (shown == 255).all(axis=2).any()
    assert (plain == 90).all()


def test_a_part_is_where_it_was_in_a_smaller_picture() -> None:
    assert drawing.scaled(Box(128, 800, 64, 160), 256, 1600, (54, 340)) == Box(27, 170, 14, 34)
    assert drawing.scaled(Box(0, 0, 1, 1), 256, 1600, (54, 340)) == Box(0, 0, 1, 1)


def test_colours_of_kinds_differ_in_brightness_too() -> None:
    """So that they are told apart on paper, and by those who see no red or green."""
    weights = np.array([0.2126, 0.7152, 0.0722])
    bright = sorted((drawing.COLOURS[[RIGHT, FALSE, MISSED]] / 255) ** 2.2 @ weights)
    # Blue and vermilion are alike in brightness, but differ along blue and yellow.
    assert bright[2] > 2.5 * bright[1]
    blue, vermilion = (drawing.COLOURS[kind].astype(int) for kind in (RIGHT, FALSE))
    assert blue[2] - vermilion[2] > 150
